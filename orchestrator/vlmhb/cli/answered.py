"""How one evaluation was answered, in one line: how many samples, by whom, with how many retries, for how much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answered(BaseModel):
    """What `report.json` says of it. `fallbacks`: answers by the place or model that stood in; `retried`: samples that
    took more than one request; `cost` None: unknown."""

    model_config = ConfigDict(frozen=True)

    fallbacks: dict[str, int] = {}
    retried: int = 0
    cost: float | None = None
    currency: str | None = None


def read_answered(report: Path) -> dict[str, Answered]:
    """By evaluation, from a `report.json`; nothing where there is none, or one of another version."""
    from vlmhb.store.files import read_json

    told = read_json(report)
    evaluations = told.get("evaluations") if isinstance(told, dict) else None
    found = [item for item in evaluations or () if isinstance(item, dict)]
    return {str(item.get("id")): _answered(item) for item in found}


def answered_line(counts: Mapping[str, int] | None, *, told: Answered | None) -> str:
    """`20/24 answered, 3 of them by fallbacks (mirror 3), 2 samples retried, cost 0.0120 USD`."""
    from vlmhb.progress.meter import money

    if not counts:
        return "no answers"
    parts = [f"{counts['ok']}/{counts['planned']} answered"]
    if told is not None and told.fallbacks:
        names = ", ".join(f"{name} {count}" for name, count in told.fallbacks.items())
        parts.append(f"{sum(told.fallbacks.values())} of them by fallbacks ({names})")
    if told is not None and told.retried:
        parts.append(f"{told.retried} {'sample' if told.retried == 1 else 'samples'} retried")
    if told is not None and told.cost is not None:
        parts.append(f"{money(told.cost)} {told.currency or ''}".rstrip())
    return ", ".join(parts)


def _answered(item: Mapping[str, Any]) -> Answered:
    how, cost = item.get("reliability") or {}, item.get("cost") or {}
    return Answered(
        fallbacks=how.get("fallbacks") or {},
        retried=how.get("retried") or 0,
        cost=cost.get("total"),
        currency=cost.get("currency"),
    )
