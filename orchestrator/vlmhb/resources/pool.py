"""The GPUs that this run may use: found once, checked against what a model needs, leased while it is loaded."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from vlmhb.engines.base import Engine
from vlmhb.resources.discover import discover
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.leases import LeaseDesk, Wish, distribute
from vlmhb.resources.masks import masks_in_force, usable
from vlmhb.resources.need import GpuNeed, candidates, check_free
from vlmhb.store.locks import owner_name, process_start

SETTLE_S = 10.0  # a driver takes its time to give back the memory of a process that has ended
SETTLE_STEP_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Leased:
    """GPUs by copy of a server, as they were before anything was loaded: their `used_mib` is the idle memory."""

    copies: tuple[tuple[Gpu, ...], ...] = ((),)
    driver: str = ""

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        return tuple(gpu for copy in self.copies for gpu in copy)


@dataclass(kw_only=True)
class GpuPool:
    find: Callable[[], Inventory] = discover
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    desk: LeaseDesk = field(default_factory=LeaseDesk)
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def inventory(self) -> Inventory:
        return self.find()

    @property
    def usable(self) -> tuple[Gpu, ...]:
        return usable(self.inventory, env=self.env)

    def check(self, need: GpuNeed) -> tuple[Gpu, ...]:
        """The GPUs that the need may be met from. Raises `GpuMissing`, `BadValue`."""
        if not need.total:
            return ()
        return candidates(need, inventory=self.inventory, usable=self.usable, masks=masks_in_force(self.env))

    @contextmanager
    def lease(
        self,
        need: GpuNeed,
        *,
        engine: Engine,
        run: str,
        waiting: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[Leased]:
        """Raises `GpuMissing` when they do not fit, `Interrupted`."""
        found = self.check(need)
        if not found:
            yield Leased(copies=((),) * need.copies)
            return
        by_uuid = {gpu.uuid: gpu for gpu in found}
        wish = Wish(
            uuids=tuple(by_uuid), count=need.total, holder=_holder(run=run, model=need.model, engine=engine)
        )
        desk = replace(self.desk, tidy=lambda dead: _end_left_over(dead, engine=engine))
        with desk.lease(wish, waiting=waiting, should_stop=should_stop) as got:
            copies = distribute(got, copies=need.copies)
            now = self._settled(need, got, known=by_uuid)
            shares = tuple(tuple(now[uuid] for uuid in copy) for copy in copies)
            yield Leased(copies=shares, driver=self.inventory.driver)

    def _settled(self, need: GpuNeed, uuids: tuple[str, ...], *, known: Mapping[str, Gpu]) -> dict[str, Gpu]:
        """Looked at again, until there is memory enough or it is certain that there is none."""
        left = SETTLE_S
        while True:
            fresh = {gpu.uuid: gpu for gpu in self.find().gpus}
            now = {uuid: fresh.get(uuid, known[uuid]) for uuid in uuids}
            short = [gpu for gpu in now.values() if _is_short(gpu, need)]
            if not short or left <= 0:
                check_free(need, tuple(now.values()))
                return now
            self.sleep(SETTLE_STEP_S)
            left -= SETTLE_STEP_S


def _is_short(gpu: Gpu, need: GpuNeed) -> bool:
    return gpu.free_mib is not None and need.mib_each is not None and gpu.free_mib < need.mib_each


def _holder(*, run: str, model: str, engine: Engine) -> dict[str, Any]:
    pid, host = os.getpid(), socket.gethostname()
    start = process_start(pid)
    return {
        "run": run,
        "model": model,
        "pid": pid,
        "start": start,
        "host": host,
        "user": _user(),
        "engine": engine.name,
        "owner": owner_name(host=host, pid=pid, start=start),
        "since": int(time.time()),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return str(os.getuid())


def _end_left_over(dead: dict[str, Any], *, engine: Engine) -> None:
    """Containers of the killed holder still sit on the GPU. Another engine's or user's cannot be reached from here:
    the look at free memory tells."""
    owner = dead.get("owner")
    alive = process_start(int(dead.get("pid") or 0)) == dead.get("start")
    if owner and not alive and dead.get("engine") == engine.name:
        engine.cleanup(labels={"org.vlmhb.owner": str(owner)})
