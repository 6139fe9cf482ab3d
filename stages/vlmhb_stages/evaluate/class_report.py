"""One classification table from counts: the prototype's results row, confusion matrix and class report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.classes.labels import NONE
from vlmhb_benchmarks.metrics.classes.rates import Hits, f1, macro, precision, recall, weighted

DIGITS = 4  # of the prototype's reports
RESULTS = ("accuracy", "f1", "precision", "recall")

Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One counted pair: the right class and the answered one, normalised ("" = no answer)."""

    right: str
    given: str


class ClassTable:
    """Counts over `labels`; an answer outside them is `None`, which stands in the tables only where it occurs."""

    def __init__(self, answers: Counter[Answer], *, labels: Iterable[str], names: Mapping[str, str]) -> None:
        """`names`: how each label is written."""
        known = dict.fromkeys(labels)
        self._names = names
        self._counts: Counter[Answer] = Counter()
        for answer, count in answers.items():
            given = answer.given if answer.given in known else NONE
            self._counts[Answer(right=answer.right, given=given)] += count
        outside = any(answer.given == NONE for answer in self._counts)
        self._labels = (*known, NONE) if outside else tuple(known)
        self._hits = self._count_hits()

    def results(self) -> list[str]:
        """`RESULTS`: accuracy, and F1, precision, recall weighted by the classes' samples; all digits."""
        present = [hits for hits in self._hits.values() if hits.support]
        values = (self._accuracy(), *(weighted(present, rate) for rate in (f1, precision, recall)))
        return [repr(float(value)) for value in values]

    def confusion(self) -> Rows:
        """Rows are right classes, columns answered ones."""
        body = (
            [
                self._shown(right),
                *(str(self._counts[Answer(right=right, given=given)]) for given in self._labels),
            ]
            for right in self._labels
        )
        return [["", *(self._shown(label) for label in self._labels)], *body]

    def report(self) -> Rows:
        """scikit-learn's classification report of these labels, rounded."""
        rows = [["", "precision", "recall", "f1-score", "support"]]
        for label, hits in self._hits.items():
            rows.append([self._shown(label), *rounded([*(rate(hits) for rate in _RATES), hits.support])])
        rows.append(["accuracy", *rounded([self._accuracy()] * 4)])
        every, total = list(self._hits.values()), float(self._counts.total())
        for title, mean in (("macro avg", macro), ("weighted avg", weighted)):
            rows.append([title, *rounded([*(mean(every, rate) for rate in _RATES), total])])
        return rows

    def _count_hits(self) -> dict[str, Hits]:
        found, given, right = (Counter[str]() for _ in range(3))
        for answer, count in self._counts.items():
            right[answer.right] += count
            given[answer.given] += count
            found[answer.right] += count if answer.given == answer.right else 0
        return {
            label: Hits(
                found=float(found[label]),
                wrong=float(given[label] - found[label]),
                missed=float(right[label] - found[label]),
            )
            for label in self._labels
        }

    def _accuracy(self) -> float:
        return sum(hits.found for hits in self._hits.values()) / self._counts.total()

    def _shown(self, label: str) -> str:
        return self._names.get(label, label)


_RATES = (precision, recall, f1)


def rounded(values: Iterable[float]) -> list[str]:
    return [repr(round(float(value), DIGITS)) for value in values]
