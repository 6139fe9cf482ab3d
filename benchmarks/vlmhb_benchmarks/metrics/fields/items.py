"""Field F1 in which a list's items are paired before their fields are compared: order is free, belonging is not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vlmhb_benchmarks.metrics.base import Flag, MetricInfo, SampleScore, undefined
from vlmhb_benchmarks.metrics.fields.hits import Hits, f1, join, leaf_text, leaves, unboxed, unwrapped
from vlmhb_benchmarks.metrics.json_answer import find_json
from vlmhb_benchmarks.metrics.text import collapse

PathHits = Counter[tuple[str, str]]  # (path, "right" | "wrong" | "missed")


class _Compared(NamedTuple):
    text: str
    hits: PathHits


@dataclass(kw_only=True)
class Pairing:
    """Compares two JSON values; remembers pairs of items that it has met, as answers repeat themselves."""

    prepare: Callable[[str], str] = collapse
    known: dict[tuple[str, str], PathHits] = field(default_factory=dict)

    def compare(self, answer: Any, gold: Any, *, path: str = "") -> PathHits:
        answer, gold = unboxed(answer), unboxed(gold)
        if isinstance(answer, dict) and isinstance(gold, dict):
            return self._dicts(answer, gold, path=path)
        if isinstance(answer, list) or isinstance(gold, list):
            return self._lists(_listed(answer), _listed(gold), path=path)
        if isinstance(answer, dict) or isinstance(gold, dict):
            return self._alone(answer, path=path, as_="wrong") + self._alone(gold, path=path, as_="missed")
        return self._leaves(self.prepare(leaf_text(answer)), self.prepare(leaf_text(gold)), path=path)

    def _leaves(self, answer: str, gold: str, *, path: str) -> PathHits:
        if answer == gold:
            return Counter({(path, "right"): 1}) if gold else Counter()
        sides = {"wrong": answer, "missed": gold}
        return Counter({(path, as_): 1 for as_, text in sides.items() if text})

    def _dicts(self, answer: dict[str, Any], gold: dict[str, Any], *, path: str) -> PathHits:
        answers, golds = _collapsed(answer), _collapsed(gold)
        hits: PathHits = Counter()
        for key in answers.keys() | golds.keys():
            hits += self.compare(answers.get(key), golds.get(key), path=join(path, key))
        return hits

    def _lists(self, answer: list[Any], gold: list[Any], *, path: str) -> PathHits:
        """Equal items are paired first: the distance 'fields not shared' is a metric, so no better pairing is lost."""
        hits: PathHits = Counter()
        left, wanted = Counter(map(_key, answer)), Counter(map(_key, gold))
        for key, count in (left & wanted).items():
            for name, text in leaves(json.loads(key), prepare=self.prepare, path=path):
                del text
                hits[name, "right"] += count
        rest_answer = sorted((left - wanted).elements())
        rest_gold = sorted((wanted - left).elements())
        return hits + self._assigned(rest_answer, rest_gold, path=path)

    def _assigned(self, answer: list[str], gold: list[str], *, path: str) -> PathHits:
        hits: PathHits = Counter()
        pairs = self._best_pairs(answer, gold, path=path) if answer and gold else []
        for pair in pairs:
            hits += self._pair(answer[pair.answer], gold[pair.gold], path=path)
        paired_answers, paired_golds = {pair.answer for pair in pairs}, {pair.gold for pair in pairs}
        for index in set(range(len(answer))) - paired_answers:
            hits += self._alone(json.loads(answer[index]), path=path, as_="wrong")
        for index in set(range(len(gold))) - paired_golds:
            hits += self._alone(json.loads(gold[index]), path=path, as_="missed")
        return hits

    def _best_pairs(self, answer: list[str], gold: list[str], *, path: str) -> list[_Pair]:
        """The pairing with the most fields right, by assignment; a pair that shares no field is no pair."""
        import numpy as np
        from scipy.optimize import linear_sum_assignment

        shared = np.zeros((len(answer), len(gold)))
        gold_fields = [self._fields(item) for item in gold]
        for row, item in enumerate(answer):
            fields = self._fields(item)
            for column, wanted in enumerate(gold_fields):
                if fields & wanted:
                    shared[row, column] = _right(self._pair(item, gold[column], path=path))
        rows, columns = linear_sum_assignment(shared, maximize=True)
        return [
            _Pair(answer=int(row), gold=int(column))
            for row, column in zip(rows, columns, strict=True)
            if shared[row, column]
        ]

    def _fields(self, item: str) -> set[tuple[str, str]]:
        return set(leaves(json.loads(item), prepare=self.prepare))

    def _pair(self, answer: str, gold: str, *, path: str) -> PathHits:
        found = self.known.get((answer, gold))
        if found is None:
            found = self.known[answer, gold] = self.compare(json.loads(answer), json.loads(gold))
        return Counter({(_below(path, name), as_): count for (name, as_), count in found.items()})

    def _alone(self, value: Any, *, path: str, as_: str) -> PathHits:
        return Counter((name, as_) for name, _ in leaves(value, prepare=self.prepare, path=path))


class _Pair(NamedTuple):
    answer: int
    gold: int


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _listed(value: Any) -> list[Any]:
    """One item may stand without its list, as CORD writes it."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _collapsed(value: dict[str, Any]) -> dict[str, Any]:
    return {collapse(str(key)): child for key, child in value.items()}


def _key(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False, sort_keys=True)


def _right(hits: PathHits) -> int:
    return sum(count for (_, as_), count in hits.items() if as_ == "right")


def _hits(counts: Mapping[str, int]) -> Hits:
    return Hits(
        right=float(counts.get("right", 0)),
        wrong=float(counts.get("wrong", 0)),
        missed=float(counts.get("missed", 0)),
    )


def _total(hits: PathHits) -> Hits:
    counts: Counter[str] = Counter()
    for (_, as_), count in hits.items():
        counts[as_] += count
    return _hits(counts)


@dataclass(frozen=True, kw_only=True)
class KieListScore:
    """Micro F1 over fields whose items are paired. Parts: `Hits`."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """The reference that gives the best F1 counts. No JSON in the answer: every field missed, flagged."""
        if not references:
            return undefined("no_reference")
        answer = find_json(prediction)
        if answer is not None:
            return self._scored(list(_compared(answer, references)), references)
        missing = self.missing(references)
        return SampleScore(
            value=missing.value,
            parts=missing.parts,
            matched_reference=missing.matched_reference,
            flag=missing.flag or "invalid_json",
        )

    def missing(self, references: Sequence[str]) -> SampleScore:
        """References without a field do not count: silence is never right."""
        if not references:
            return undefined("no_reference")
        return self._scored([pair for pair in _compared(None, references) if pair.hits], references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return f1(Hits(*totals))

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        answer = None if prediction is None else find_json(prediction)
        chosen = max(_compared(answer, references), key=_fit, default=None)
        if chosen is None:
            return {}
        flag: Flag | None = "invalid_json" if answer is None and prediction is not None else None
        found: dict[str, dict[str, int]] = {}
        for (path, as_), count in chosen.hits.items():
            found.setdefault(path, {})[as_] = count
        return {
            path: SampleScore(
                value=self.from_totals(_hits(counts)),
                parts=tuple(_hits(counts)),
                matched_reference=chosen.text,
                flag=flag,
            )
            for path, counts in sorted(found.items())
        }

    def _scored(self, compared: list[_Compared], references: Sequence[str]) -> SampleScore:
        chosen = max(compared, key=_fit, default=None)
        if chosen is None:
            valid = any(find_json(text) is not None for text in references)
            return undefined("empty_reference" if valid else "invalid_reference")
        hits = _total(chosen.hits)
        return SampleScore(value=_fit(chosen), parts=tuple(hits), matched_reference=chosen.text)


def _fit(compared: _Compared) -> float:
    value = f1(_total(compared.hits))
    return 1.0 if value is None else value


def _compared(answer: Any | None, references: Sequence[str]) -> Iterator[_Compared]:
    for text in references:
        gold = find_json(text)
        if gold is not None:
            yield _Compared(text=text, hits=Pairing().compare(unwrapped(answer), unwrapped(gold)))


KIE_LIST_F1 = KieListScore(
    info=MetricInfo(
        name="kie_list_f1",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="field F1, micro; items of lists are paired so that most fields are right, then compared",
        source="own definition: maximum-weight assignment (Kuhn 1955) of list items, then fields as in kie_f1",
        empty_rule="as kie_f1: no gold and no answered field: 1; answer without JSON, or missing: 0",
        average="micro",
        heavy=True,
        deviations="kie_f1 and Donut's F1 do not ask which item a field belongs to; this does",
    )
)
