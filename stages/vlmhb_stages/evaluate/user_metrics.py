"""Loads metrics that are not ours: a Metric, a Metric class or a plain function, from a file, folder or wheel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module, invalidate_caches
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from vlmhb_benchmarks.metrics import Metric, MetricInfo, SampleScore, list_metrics
from vlmhb_benchmarks.metrics.base import mean_score, ratio, undefined

from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.specs import UserMetric

_MAX_MESSAGE = 300


@dataclass(frozen=True, kw_only=True)
class UserFunction:
    """The mean of a user's `(prediction, references) -> float`. True and False are 1 and 0.

    A sample without an answer gets what the function gives for an empty one, or 0 (1 where lower is better),
    whichever is worse."""

    info: MetricInfo
    function: Callable[[str, list[str]], Any]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """Raises what the function raises, and ValueError for what is no finite number."""
        value = self.function(prediction, list(references))
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"gave {value!r}, not a finite number")
        return mean_score(float(value), matched_reference=references[0] if len(references) == 1 else None)

    def missing(self, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        worst = 0.0 if self.info.direction == "higher" else 1.0
        try:
            empty = self.score("", references).value
        except Exception:  # noqa: BLE001 - a user's code may fail on nothing; the bound is bad enough
            empty = None
        choose = min if self.info.direction == "higher" else max
        return mean_score(worst if empty is None else choose(worst, empty), matched_reference=None)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def load_user_metrics(metrics: Sequence[UserMetric], *, resolve: Callable[[str], Path]) -> dict[str, Metric]:
    """By lower-case name. Raises EvaluateError for one that does not load or takes a name that is taken."""
    taken = {info.name for info in list_metrics()}
    found: dict[str, Metric] = {}
    for spec in metrics:
        name = spec.name.lower()
        if name in taken or name in found:
            raise EvaluateError(
                f"user metric {spec.name!r} takes a name that is taken", hint="give it a name of its own"
            )
        found[name] = _metric(spec, _attribute(spec, resolve=resolve))
    return found


def _attribute(spec: UserMetric, *, resolve: Callable[[str], Path]) -> Any:
    if spec.path is not None:
        _put_on_path(resolve(spec.path), module=spec.module)
    try:
        return reduce(getattr, spec.attribute.split("."), import_module(spec.module))
    except Exception as error:  # - importing a user's module runs their code, which may raise anything
        reason = f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]
        raise EvaluateError(
            f"user metric {spec.name!r}: {spec.module}:{spec.attribute} does not load: {reason}",
            hint="`path` is the file, folder or wheel that holds the module; its packages must be in the image",
        ) from error


def _put_on_path(path: Path, *, module: str) -> None:
    """A module of that name from another metric's folder is forgotten: each metric gets its own."""
    if not path.exists():
        raise EvaluateError(f"module {module!r} is not there: {path}")
    place = str(path.parent if path.suffix == ".py" else path)
    if place in sys.path:
        return
    top = module.partition(".")[0]
    ours = tuple(getattr(sys.modules.get(top), "__path__", ())) or (
        str(getattr(sys.modules.get(top), "__file__", "")),
    )
    if top in sys.modules and any(one.startswith(other) for one in ours for other in _added):
        for name in [name for name in sys.modules if name.partition(".")[0] == top]:
            del sys.modules[name]
    sys.path.insert(0, place)
    _added.append(place)
    invalidate_caches()


_added: list[str] = []  # folders that this module put on sys.path


def _metric(spec: UserMetric, attribute: Any) -> Metric:
    made = _instance(spec, attribute) if isinstance(attribute, type) else attribute
    if isinstance(made, Metric):
        if made.info.name.lower() != spec.name.lower():
            raise EvaluateError(
                f"user metric {spec.name!r} calls itself {made.info.name!r}",
                hint="the name of the card and `info.name` are the same",
            )
        return made
    if not callable(made):
        raise EvaluateError(
            f"user metric {spec.name!r}: {spec.module}:{spec.attribute} is neither a metric nor a function",
            hint="a metric has info, score, missing and from_totals; a function takes an answer and references",
        )
    return UserFunction(info=_info(spec), function=made)


def _instance(spec: UserMetric, kind: type) -> Any:
    try:
        return kind()
    except Exception as error:  # - a user's constructor may raise anything
        reason = f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]
        raise EvaluateError(
            f"user metric {spec.name!r}: {spec.attribute}() cannot be made: {reason}",
            hint="a class is called without arguments",
        ) from error


def _info(spec: UserMetric) -> MetricInfo:
    return MetricInfo(
        name=spec.name.lower(),
        version=spec.version,
        direction=spec.direction,
        lowest=0.0,
        highest=None,
        description=f"the user's {spec.module}:{spec.attribute}",
        source="user",
        empty_rule="what the function gives; missing answer: as an empty one, or 0 (1 if lower is better)",
    )
