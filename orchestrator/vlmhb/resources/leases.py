"""Who may use which GPU: one lock file per UUID for the whole host, first come first served, all wanted ones or none.

The kernel drops a lock with its process, so a killed holder blocks nobody. Only what its engine left running must be
ended first: its record, still in the file, says which containers those are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb.errors import Interrupted
from vlmhb.resources.shared_files import HeldFile, hold, shared_folder, told_in, try_hold

FOLDER = Path("/tmp/vlmhb-gpus")  # not TMPDIR, which differs from user to user
POLL_S = 0.2
TICKET = "ticket-"
DESK = "desk"


def lease_folder() -> Path:
    return Path(os.environ.get("VLMHB_GPU_LEASES") or FOLDER)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """`count` of `uuids`, in the order of preference. `holder` is what the lock files will say."""

    uuids: tuple[str, ...]
    count: int
    holder: dict[str, Any]


def _ignore(_: Any) -> None:
    return None


@dataclass(kw_only=True)
class LeaseDesk:
    """`tidy` gets the record of a holder that died with the GPU; it returns when nothing of it runs any more."""

    folder: Path = field(default_factory=lease_folder)
    sleep: Callable[[float], None] = time.sleep
    tidy: Callable[[dict[str, Any]], None] = _ignore
    desk_wait_s: float = 30.0  # how long somebody may look before he counts as stuck

    @contextmanager
    def lease(
        self,
        wish: Wish,
        *,
        waiting: Callable[[str], None] = _ignore,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[str, ...]]:
        """The UUIDs got, until the block ends. `waiting` is told for whom it waits, again when that changes.

        Raises `Interrupted`, `EngineUnavailable`."""
        held = self._acquire(wish, waiting=waiting, should_stop=should_stop)
        try:
            yield tuple(held)
        finally:
            for file in held.values():
                file.release()

    def holders(self, uuids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Records of those GPUs that someone alive holds now."""
        busy: dict[str, dict[str, Any]] = {}
        for uuid in uuids:
            path = self._lock(uuid)
            if not path.exists():
                continue
            file = try_hold(path)
            if file is None:
                busy[uuid] = told_in(path)
            else:
                file.drop()
        return busy

    def _acquire(
        self, wish: Wish, *, waiting: Callable[[str], None], should_stop: Callable[[], bool]
    ) -> dict[str, HeldFile]:
        shared_folder(self.folder)
        told = ""
        with self._ticket(wish) as ticket:
            while True:
                with self._at_desk():  # one looks at a time, so that nobody takes half of what he needs
                    held = self._try(wish, ticket=ticket)
                    text = self._described(wish, ticket=ticket) if held is None else ""
                if held is not None:
                    break
                if text and text != told:
                    waiting(text)
                    told = text
                if should_stop():
                    raise Interrupted("stopped while waiting for a GPU", hint="the same command continues")
                self.sleep(POLL_S)
        return self._tidied(held, wish)

    def _try(self, wish: Wish, *, ticket: Path) -> dict[str, HeldFile] | None:
        """All of the wish, or None. What earlier tickets could use next is left to them."""
        free: dict[str, HeldFile] = {}
        for uuid in {uuid for other in (wish, *self._earlier(ticket)) for uuid in other.uuids}:
            file = try_hold(self._lock(uuid))
            if file is not None:
                free[uuid] = file
        taken: set[str] = set()
        for other in self._earlier(ticket):
            taken.update([uuid for uuid in other.uuids if uuid in free and uuid not in taken][: other.count])
        mine = [uuid for uuid in wish.uuids if uuid in free and uuid not in taken][: wish.count]
        enough = len(mine) == wish.count
        for uuid, file in free.items():
            if not enough or uuid not in mine:
                file.drop()
        return {uuid: free[uuid] for uuid in mine} if enough else None

    def _tidied(self, held: dict[str, HeldFile], wish: Wish) -> dict[str, HeldFile]:
        try:
            for file in held.values():
                if dead := file.read():
                    self.tidy(dead)
                file.write(wish.holder)
        except BaseException:  # also Ctrl-C: nobody would let them go
            for file in held.values():
                file.drop()
            raise
        return held

    @contextmanager
    def _ticket(self, wish: Wish) -> Iterator[Path]:
        """A place in the queue: its name gives the order, its lock says that someone waits."""
        with self._at_desk():  # a ticket is never seen before it is complete
            path = self.folder / f"{TICKET}{time.time_ns():020d}-{os.getpid()}-{id(wish):x}"
            file = try_hold(path)
            if file is None:
                raise RuntimeError(f"{path} is someone else's")
            file.write({"uuids": list(wish.uuids), "count": wish.count, "holder": wish.holder})
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            file.drop()

    def _earlier(self, ticket: Path) -> list[Wish]:
        """Wishes of those alive that came before, in their order. Tickets of the dead are swept."""
        found = []
        for path in sorted(self.folder.glob(f"{TICKET}*")):
            if path.name >= ticket.name:
                break
            file = self._probe(path)
            if file is not None:
                with suppress(PermissionError):  # another user's: it stays, and counts for nothing
                    path.unlink(missing_ok=True)
                file.drop()
                continue
            wish = _wish_in(path)
            if wish is not None:
                found.append(wish)
        return found

    def _at_desk(self) -> AbstractContextManager[None]:
        return hold(self.folder / DESK, wait_s=self.desk_wait_s)

    @staticmethod
    def _probe(path: Path) -> HeldFile | None:
        """The file when its owner is dead."""
        if not path.exists():
            return None
        return try_hold(path)

    def _described(self, wish: Wish, *, ticket: Path) -> str:
        """For whom it waits."""
        busy = self.holders(wish.uuids)
        parts = [f"{uuid} is held by {named(record)}" for uuid, record in busy.items()]
        parts += [f"before it in the queue: {named(other.holder)}" for other in self._earlier(ticket)]
        return f"waiting for {wish.count} GPU(s): {'; '.join(parts)}" if parts else ""

    def _lock(self, uuid: str) -> Path:
        return self.folder / f"{uuid.replace('/', '_')}.lock"


def _wish_in(ticket: Path) -> Wish | None:
    """None: not what we write, so it holds nobody up."""
    record = told_in(ticket)
    uuids, count, holder = record.get("uuids"), record.get("count"), record.get("holder")
    if not (isinstance(uuids, list) and isinstance(count, int) and isinstance(holder, dict)):
        return None
    return Wish(uuids=tuple(str(uuid) for uuid in uuids), count=count, holder=holder)


def named(holder: dict[str, Any]) -> str:
    """`run demo-1a2b (qwen), pid 17 of anna`."""
    if not holder:
        return "a process that has just started"
    return f"run {holder.get('run')} ({holder.get('model')}), pid {holder.get('pid')} of {holder.get('user')}"


def distribute(uuids: Sequence[str], *, copies: int) -> tuple[tuple[str, ...], ...]:
    """Equal shares, in order; empty shares without GPUs."""
    each = len(uuids) // copies
    return tuple(tuple(uuids[number * each : (number + 1) * each]) for number in range(copies))
