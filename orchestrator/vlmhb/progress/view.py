"""What the runner tells about its progress, whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Protocol

_LARGEST = 1e18  # of a number that is shown; no infinity, and nothing that no float can hold


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How far one stage is. Samples are counted; `total` 0 = not known yet. `cost` is None without prices."""

    done: int = 0
    asked: int | None = None  # of them by this start: what was recorded before, or lent, took no time
    total: int = 0
    ok: int = 0
    error: int = 0
    skipped: int = 0
    retries: int = 0
    in_flight: int | None = None
    cost: float | None = None

    @staticmethod
    def of_event(event: Mapping[str, Any]) -> Counted:
        """From a stage's `progress` event. Whatever is no number there counts as not told."""
        whole = {
            key: _number(event.get(key)) for key in ("done", "total", "ok", "error", "skipped", "retries")
        }
        in_flight, cost = _number(event.get("in_flight")), _number(event.get("cost"))
        asked = _number(event.get("asked"))
        return Counted(
            **{key: int(value or 0) for key, value in whole.items()},
            asked=None if asked is None else int(asked),
            in_flight=None if in_flight is None else int(in_flight),
            cost=cost,
        )

    def told(self) -> dict[str, Any]:
        """As an event tells it; what is not known is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class ProgressView(Protocol):
    """Safe to call from several threads."""

    def __enter__(self) -> ProgressView: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        """`reason` says why it runs at all."""

    def update(self, evaluation_id: str, counted: Counted) -> None:
        """Rate and time left are worked out from these."""

    def usage(self, device: str, text: str) -> None:
        """What a device does right now (`GPU 0`, `87 %, 12.3 of 24 GiB`); an empty text takes it off."""

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        """`outcome` is one word: done, reused, failed, interrupted."""

    def message(self, text: str) -> None:
        """Something worth a line of its own."""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < _LARGEST else None
