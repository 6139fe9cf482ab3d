"""The workspace's ledger: `costs/<day>.json`, what every inference was granted and has spent on that day.

Amounts are counted where the money goes: each start of an inference has one entry for each day on which it spends. An
entry stays open until its spending was read from the records of the artifact itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any

from pydantic import FiniteFloat, StringConstraints, TypeAdapter

from vlmhb.budget.grants import Holding
from vlmhb.errors import BadLedger
from vlmhb.store.files import write_atomic
from vlmhb.store.locks import ArtifactLock

VERSION = 1
Owner = Annotated[str, StringConstraints(pattern=r"-\d+-[^-]*$")]


@dataclass(kw_only=True)
class Entry:
    """One start of one inference on one day. `base`: what its artifact had spent before, in its own records."""

    run: str
    evaluation: str
    artifact: str
    currency: str
    owner: Owner  # of the process that keeps it: `host-pid-start`
    began: FiniteFloat  # seconds since the epoch
    touched: FiniteFloat
    base: FiniteFloat | None = None  # None: its records say nothing of money (own machines)
    spent: FiniteFloat = 0.0
    granted: FiniteFloat = 0.0
    is_open: bool = True
    waiting: bool = False

    @property
    def holding(self) -> Holding:
        return Holding(spent=self.spent, granted=self.granted, is_open=self.is_open, waiting=self.waiting)

    def close(self, *, spent: float) -> None:
        self.spent = self.granted = round(spent, 9)
        self.is_open = self.waiting = False


@dataclass(kw_only=True)
class Day:
    """`told`: the highest percentage of a limit that somebody was told of, by `<scope>:<name>:<limit>`."""

    date: Date
    entries: dict[str, Entry] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(value: Any) -> Day:
        """Raises `ValidationError`."""
        return _DAY.validate_python(value)

    def text(self) -> str:
        value = {"version": VERSION, "date": self.date.isoformat(), **asdict(self)}
        value["date"] = self.date.isoformat()
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


_DAY = TypeAdapter(Day)


class Ledger:
    """All days. Days change only inside `editing`, which no two threads, processes or hosts are in at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()
        self._known: dict[Date, tuple[int, Day]] = {}

    @contextmanager
    def editing(self) -> Iterator[Books]:
        """What was changed is written at the end, each file at once; nothing is after an exception."""
        with self._mutex, ArtifactLock(self._folder / "lock"):
            books = Books(ledger=self)
            yield books
            for day, before in books.opened.values():
                if day.text() != before:
                    write_atomic(self._path(day.date), day.text().encode())
                self._known.pop(day.date, None)

    def dates(self) -> list[Date]:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(Date.fromisoformat(path.stem))
            except ValueError:
                continue  # a file of somebody else's
        return sorted(found)

    def read(self, date: Date) -> Day:
        """As it is now; a file that has not changed is parsed once."""
        path = self._path(date)
        try:
            stamp = path.stat().st_mtime_ns
        except FileNotFoundError:
            return Day(date=date)
        known = self._known.get(date)
        if known is None or known[0] != stamp:
            known = (stamp, _read(path))
            self._known[date] = known
        return known[1]

    def _path(self, date: Date) -> Path:
        return self._folder / f"{date.isoformat()}.json"


@dataclass(kw_only=True)
class Books:
    """The days as one editor sees them; those that it asked for by `day` may be changed."""

    ledger: Ledger
    opened: dict[Date, tuple[Day, str]] = field(default_factory=dict)

    def day(self, date: Date) -> Day:
        if date not in self.opened:
            found = self.ledger.read(date)
            fresh = Day.of(json.loads(found.text()))
            self.opened[date] = (fresh, fresh.text())
        return self.opened[date][0]

    def all(self) -> Iterator[Day]:
        for date in sorted({*self.ledger.dates(), *self.opened}):
            yield self.opened[date][0] if date in self.opened else self.ledger.read(date)


def _read(path: Path) -> Day:
    try:
        return Day.of(json.loads(path.read_bytes()))
    except (ValueError, RecursionError, OSError) as error:  # ValidationError is a ValueError
        raise BadLedger(
            f"{path} is not what vlmhb writes: what was spent on that day is not known",
            hint="put the file right, or move it away to begin the day with nothing spent",
        ) from error
