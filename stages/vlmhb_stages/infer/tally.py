"""Counts what became of the samples, for progress, the error policy and the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from vlmhb_stages.contracts import Counts, ErrorKind, Prediction, Status

CACHE_MARK = "cache:"  # before the fingerprint in `imported_from` of an answer from the response cache
_ANSWERED = ("ok", "truncated")
FINAL: tuple[Status, ...] = ("ok", "truncated", "refused", "context_overflow")


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What a recorded sample comes down to; few distinct ones exist, so a million records share them."""

    status: Status
    error: ErrorKind | None = None
    is_empty: bool = False
    is_imported: bool = False
    is_cached: bool = False  # imported from the response cache

    @staticmethod
    def is_from_cache(imported_from: str | None) -> bool:
        return (imported_from or "").startswith(CACHE_MARK)

    @staticmethod
    def of(record: Prediction) -> Fate:
        return Fate(
            status=record.status,
            error=record.error.kind if record.error else None,
            is_empty=not record.text,
            is_imported=record.imported_from is not None,
            is_cached=Fate.is_from_cache(record.imported_from),
        )

    @property
    def is_final(self) -> bool:
        """Asking again would change nothing."""
        return self.status in FINAL


class Tally:
    """Each sample is added once. Answered = ok or truncated; skipped for the budget is neither answer nor
    error."""

    def __init__(self) -> None:
        self.planned = 0
        self.retries = 0  # requests of this start of the stage that repeated an earlier one
        self._fates: Counter[Fate] = Counter()

    def add(self, fate: Fate, count: int = 1) -> None:
        self._fates[fate] += count

    def clear(self) -> None:
        """Everything is counted anew; what was sent stays sent."""
        self._fates.clear()

    @property
    def done(self) -> int:
        return self._fates.total()

    @property
    def is_complete(self) -> bool:
        return self.done == self.planned

    @property
    def answered(self) -> int:
        return self._sum(lambda fate: fate.status in _ANSWERED)

    @property
    def errors(self) -> int:
        return self.done - self.answered - self.skipped

    @property
    def skipped(self) -> int:
        return self._sum(lambda fate: fate.status == "skipped_budget")

    @property
    def imported(self) -> int:
        return self._sum(lambda fate: fate.is_imported)

    @property
    def cached(self) -> int:
        return self._sum(lambda fate: fate.is_cached)

    @property
    def answers_are_all_empty(self) -> bool:
        empty = self._sum(lambda fate: fate.status in _ANSWERED and fate.is_empty)
        return 0 < self.answered == empty

    @property
    def counts(self) -> Counts:
        return Counts(planned=self.planned, ok=self.answered, error=self.errors, skipped=self.skipped)

    @property
    def error_kinds(self) -> dict[str, int]:
        kinds: Counter[str] = Counter()
        for fate, count in self._fates.items():
            if fate.error is not None and fate.status not in _ANSWERED:
                kinds[fate.error] += count
        return dict(sorted(kinds.items()))

    def _sum(self, wanted: Callable[[Fate], bool]) -> int:
        return sum(count for fate, count in self._fates.items() if wanted(fate))
