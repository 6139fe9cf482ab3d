"""Precision, recall and F1 over the classes of an evaluation, from counts per class that add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from vlmhb_benchmarks.metrics.base import (
    Context,
    Metric,
    MetricError,
    MetricInfo,
    SampleScore,
    undefined,
)
from vlmhb_benchmarks.metrics.classes.labels import class_of

MAX_CLASSES = 500


class Hits(NamedTuple):
    """Samples of one class: found, wrongly given to it, missed. Additive."""

    found: float
    wrong: float
    missed: float

    @property
    def support(self) -> float:
        return self.found + self.missed


Rate = Callable[[Hits], float]
Mean = Callable[[Sequence[Hits], Rate], float]


def precision(hits: Hits) -> float:
    """0 where no answer named the class (zero_division=0)."""
    return hits.found / (hits.found + hits.wrong) if hits.found + hits.wrong else 0.0


def recall(hits: Hits) -> float:
    return hits.found / hits.support if hits.support else 0.0


def f1(hits: Hits) -> float:
    total = 2 * hits.found + hits.wrong + hits.missed
    return 2 * hits.found / total if total else 0.0


def macro(classes: Sequence[Hits], rate: Rate) -> float:
    """The plain mean over the classes that have samples."""
    return sum(rate(hits) for hits in classes) / len(classes)


def weighted(classes: Sequence[Hits], rate: Rate) -> float:
    """The mean over classes by their number of samples."""
    return sum(hits.support * rate(hits) for hits in classes) / sum(hits.support for hits in classes)


def hits_of(totals: Sequence[float]) -> list[Hits]:
    """By class, from parts: all `found`, then all `wrong`, then all `missed`."""
    count = len(totals) // 3
    return [Hits(*totals[index::count]) for index in range(count)]


@dataclass(frozen=True, kw_only=True)
class ClassRate:
    """A mean of a rate over `classes` (normalised). Not fitted it takes the classes of the sample's own references.

    Parts: counts per class, see `hits_of`. An answer outside the classes is nobody's: the right class misses it."""

    info: MetricInfo
    rate: Rate
    mean: Mean
    classes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    def fit(self, references: Iterable[Sequence[str]]) -> Metric:
        """Raises MetricError where the references are no classes: more than MAX_CLASSES different ones."""
        found: dict[str, None] = {}
        for texts in references:
            for text in texts:
                found.setdefault(class_of(text))
                if len(found) > MAX_CLASSES + 1:  # one may be the blank one
                    raise MetricError(
                        f"more than {MAX_CLASSES} different references",
                        hint="class metrics are for a fixed list of classes: use exact_match for free text",
                    )
        return replace(self, classes=tuple(sorted(name for name in found if name)))

    def in_context(self, context: Context) -> Metric:
        return replace(self, choices=context.choices)

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        return self._score(class_of(prediction, choices=self.choices), references)

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self._score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        """Over the classes that have samples here, as scikit-learn takes the labels of `y_true`."""
        present = [hits for hits in hits_of(totals) if hits.support]
        return self.mean(present, self.rate) if present else None

    def _score(self, answer: str, references: Sequence[str]) -> SampleScore:
        named = {
            class_of(text, choices=self.choices): text for text in reversed(references) if class_of(text)
        }
        if not named:
            return undefined("empty_reference" if references else "no_reference")
        classes = self.classes or tuple(sorted({class_of(text) for text in named.values()}))
        places = _places(classes, self.choices)
        right = answer if answer in named else class_of(_first(references), choices=self.choices)
        parts = [0.0] * (3 * len(classes))
        if right not in places:
            return undefined("invalid_reference")  # a class that the fit has not seen
        if answer == right:
            parts[places[right]] = 1.0
        else:
            parts[2 * len(classes) + places[right]] = 1.0
            if answer in places:
                parts[len(classes) + places[answer]] = 1.0
        value = 1.0 if answer == right else 0.0
        return SampleScore(value=value, parts=tuple(parts), matched_reference=named[right])


def _first(references: Sequence[str]) -> str:
    return next(text for text in references if class_of(text))


@lru_cache(maxsize=64)
def _places(classes: tuple[str, ...], choices: tuple[str, ...]) -> dict[str, int]:
    """References may be indices where answers are names, and the other way round: both meet in the prompt's names."""
    return {class_of(name, choices=choices): index for index, name in enumerate(classes)}


def _info(name: str, *, what: str, function: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=f"scikit-learn, {function} with zero_division=0",
        empty_rule="blank reference: undefined; empty or missing answer: a miss of the right class",
        average="corpus",
        deviations=deviations,
    )


_AS_SKLEARN = (
    "an answer outside the classes of the references is class `None`, which has no samples and so no weight; a "
    "sample's own value is 1 or 0"
)

CLASS_F1_MACRO = ClassRate(
    info=_info(
        "class_f1_macro",
        what="F1, plain mean over the classes that have samples",
        function="f1_score(average='macro', labels=<classes of y_true>)",
        deviations=f"{_AS_SKLEARN}; scikit-learn's default also averages over classes that occur in answers only, so "
        "one invalid answer would cost a whole class",
    ),
    rate=f1,
    mean=macro,
)
CLASS_F1_WEIGHTED = ClassRate(
    info=_info(
        "class_f1_weighted",
        what="F1, mean over classes by their number of samples",
        function="f1_score(average='weighted')",
        deviations=_AS_SKLEARN,
    ),
    rate=f1,
    mean=weighted,
)
CLASS_PRECISION_WEIGHTED = ClassRate(
    info=_info(
        "class_precision_weighted",
        what="precision, mean over classes by their number of samples",
        function="precision_score(average='weighted')",
        deviations=_AS_SKLEARN,
    ),
    rate=precision,
    mean=weighted,
)
CLASS_RECALL_WEIGHTED = ClassRate(
    info=_info(
        "class_recall_weighted",
        what="recall, mean over classes by their number of samples",
        function="recall_score(average='weighted')",
        deviations=_AS_SKLEARN,
    ),
    rate=recall,
    mean=weighted,
)
