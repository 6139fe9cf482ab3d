"""How a row is scored: metrics, extraction, gate and averages, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vlmhb.contracts import BenchmarkCard, FoundMetric
from vlmhb.errors import BadCard, ErrorList, UnknownName, VlmhbError
from vlmhb.reading.names import name_hint

from .metricnames import NamedMetric, find_metrics
from .problems import Problems, Sources
from .rows import AGGREGATORS

T = TypeVar("T")
_AVERAGE = re.compile(r"macro:[^/:\s]+(/[^/:\s]+)*|all:[^/:\s]+")
_SLICE = re.compile(r"(?!field$)[^/:\s]+")
_SLICE_HINT = "a metadata key without blanks, / and :, and not `field`, which is that of key fields"
_AVERAGE_HINT = "write macro:<key>, macro:<key>/<key> or all:<key>, of metadata keys"


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """`metrics` () = the evaluation is skipped."""

    metrics: tuple[str, ...]
    user_metrics: tuple[FoundMetric, ...]
    primary: str | None
    aggregators: tuple[str, ...]
    profile: str
    extraction: str
    gate: str | None


def find_scoring(problems: Problems, *, benchmark: BenchmarkCard | None, sources: Sources) -> Scoring:
    """`benchmark` None: it was not found, the row's own names are checked all the same.

    Raises `ErrorList` of `UnknownName`, `BadCard`, `BadValue`."""
    row = problems.row
    card = benchmark or BenchmarkCard(name=row.dataset, loader="jsonl")
    found = _Checks()
    metrics = found.of(lambda: _metrics(problems, card=card, sources=sources)) or ()
    primary = found.of(lambda: _of_card(card.primary, card=card, field="primary", sources=sources))
    gate = found.of(lambda: _of_card(card.gate, card=card, field="gate", sources=sources))
    extraction = found.of(lambda: _extraction(problems, card=card)) or "none"
    found.of(lambda: _check_averages(card))
    if found.errors:
        raise ErrorList(found.errors)
    if row.metrics is None and benchmark is not None and not metrics:
        problems.warn("no metrics, so the answers will not be evaluated", column="metrics")
    names = tuple(metric.name for metric in metrics)
    users = {item.user.name: item.user for item in (*metrics, *_some(gate)) if item.user is not None}
    return Scoring(
        metrics=names,
        user_metrics=tuple(users.values()),
        primary=_primary(names, wanted=primary),
        aggregators=row.metrics_aggregators if row.metrics_aggregators is not None else AGGREGATORS,
        profile=row.metrics_profile or "default",
        extraction=extraction,
        gate=gate.name if gate else None,
    )


class _Checks:
    """Collects the mistakes of several look-ups."""

    def __init__(self) -> None:
        self.errors: list[VlmhbError] = []

    def of(self, look_up: Callable[[], T]) -> T | None:
        try:
            return look_up()
        except ErrorList as several:
            self.errors.extend(several.errors)
        except VlmhbError as error:
            self.errors.append(error)
        return None


def _primary(names: tuple[str, ...], *, wanted: NamedMetric | None) -> str | None:
    """Without a version: a row may ask for `anls@1` where the card says `anls`. The first metric where it asks for none
    of that name."""
    plain = [name.partition("@")[0] for name in names]
    base = wanted.name.partition("@")[0] if wanted else None
    return base if base in plain else next(iter(plain), None)


def _some(metric: NamedMetric | None) -> tuple[NamedMetric, ...]:
    return () if metric is None else (metric,)


def _metrics(problems: Problems, *, card: BenchmarkCard, sources: Sources) -> tuple[NamedMetric, ...]:
    row = problems.row
    if row.metrics is not None:
        return find_metrics(row.metrics, where=problems.where("metrics"), sources=sources)
    return find_metrics(card.metrics, where=_field(card, "metrics"), sources=sources)


def _of_card(name: str | None, *, card: BenchmarkCard, field: str, sources: Sources) -> NamedMetric | None:
    if name is None:
        return None
    return next(iter(find_metrics([name], where=_field(card, field), sources=sources)))


def _extraction(problems: Problems, *, card: BenchmarkCard) -> str:
    """The row's, else the card's. Raises `UnknownName`."""
    from vlmhb_benchmarks.extraction import EXTRACTIONS, UnknownExtraction, get_extraction

    name = problems.row.extraction
    where = problems.where("extraction") if name is not None else _field(card, "extraction")
    wanted = name if name is not None else card.extraction
    try:
        rule = get_extraction(wanted)
    except UnknownExtraction:
        names = [rule.name for rule in EXTRACTIONS]
        hint = name_hint(wanted, names) or "vlmhb metrics extractions shows all"
        raise UnknownName(f"unknown extraction '{wanted}'", where=where, hint=hint) from None
    return f"{rule.name}@{rule.version}" if "@" in wanted else rule.name


def _check_averages(card: BenchmarkCard) -> None:
    """Raises `ErrorList` of `BadCard`."""
    given = {"headline": [card.headline] if card.headline else [], "averages": list(card.averages)}
    errors = [
        BadCard(f"'{name}' is no average", where=_field(card, field), hint=_AVERAGE_HINT)
        for field, names in given.items()
        for name in names
        if not _AVERAGE.fullmatch(name)
    ]
    errors += [
        BadCard(f"'{key}' cannot be a slice", where=_field(card, "slices"), hint=_SLICE_HINT)
        for key in card.slices
        if not _SLICE.fullmatch(key)
    ]
    if errors:
        raise ErrorList(errors)


def _field(card: BenchmarkCard, field: str) -> str:
    return f"{card.origin or card.name}, field {field}"
