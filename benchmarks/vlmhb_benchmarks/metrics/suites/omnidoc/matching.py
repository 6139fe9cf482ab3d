"""Pairs blocks of an answer with blocks of the page by edit distance, and joins what was cut differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vlmhb_benchmarks.metrics.distance import levenshtein

# A pair that differs in more than this grows only if the shorter text stands nearly whole in the longer one.
MAX_DISTANCE = 0.7
_PART_OF = 80.0  # rapidfuzz's partial ratio
_LEAST_PART = 8  # characters: shorter ones are found anywhere

Side = Literal["gold", "answer"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Neighbouring gold blocks and neighbouring answer blocks, by index; one side is empty where nothing fits."""

    gold: tuple[int, ...] = ()
    answer: tuple[int, ...] = ()

    def longer(self, side: Side, index: int) -> Pair:
        if side == "gold":
            return replace(self, gold=tuple(sorted((*self.gold, index))))
        return replace(self, answer=tuple(sorted((*self.answer, index))))

    def neighbours(self, side: Side) -> tuple[int, int]:
        indices = self.gold if side == "gold" else self.answer
        return indices[0] - 1, indices[-1] + 1


@dataclass(frozen=True, kw_only=True)
class Edits:
    edits: int
    length: int

    @property
    def share(self) -> float:
        return self.edits / self.length if self.length else 0.0


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Texts are already normalised. `scored` says of each gold block whether it counts; only like are joined."""

    gold: Sequence[str]
    answer: Sequence[str]
    scored: Sequence[bool]

    def edits(self, pair: Pair) -> Edits:
        gold = "".join(self.gold[index] for index in pair.gold)
        answer = "".join(self.answer[index] for index in pair.answer)
        return Edits(edits=levenshtein(gold, answer), length=max(len(gold), len(answer)))

    def pairs(self) -> list[Pair]:
        """Every block of both sides is in exactly one pair."""
        # What is unlike a header must not vanish in it: it is invented.
        pairs = [
            pair
            for pair in assigned(self.gold, self.answer)
            if self.scored[pair.gold[0]] or self._alike(pair)
        ]
        free_gold = set(range(len(self.gold))) - {index for pair in pairs for index in pair.gold}
        free_answer = set(range(len(self.answer))) - {index for pair in pairs for index in pair.answer}
        pairs = [self._grown(pair, side="answer", free=free_answer) for pair in pairs]
        pairs = [self._grown(pair, side="gold", free=free_gold) for pair in pairs]
        pairs += [Pair(gold=(index,)) for index in sorted(free_gold)]
        return pairs + [Pair(answer=(index,)) for index in sorted(free_answer)]

    def _grown(self, pair: Pair, *, side: Side, free: set[int]) -> Pair:
        """Neighbours that nothing matches join a pair that is one, as long as it becomes more alike.

        `free` loses them."""
        while self._alike(pair):
            candidates = {
                index: pair.longer(side, index)
                for index in pair.neighbours(side)
                if index in free and (side == "answer" or self.scored[index] == self.scored[pair.gold[0]])
            }
            chosen = min(candidates, key=lambda index: self.edits(candidates[index]).share, default=None)
            if chosen is None or self.edits(candidates[chosen]).share >= self.edits(pair).share:
                return pair
            free.remove(chosen)
            pair = candidates[chosen]
        return pair

    def _alike(self, pair: Pair) -> bool:
        if self.edits(pair).share <= MAX_DISTANCE:
            return True
        return _is_part(self.gold[pair.gold[0]], self.answer[pair.answer[0]])


def assigned(gold: Sequence[str], answer: Sequence[str]) -> list[Pair]:
    """One to one with the least sum of normalised edit distances, however unlike, as official."""
    if not gold or not answer:
        return []
    import numpy as np
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist
    from scipy.optimize import linear_sum_assignment

    costs = cdist(gold, answer, scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=1)
    rows, columns = linear_sum_assignment(costs)
    return [Pair(gold=(int(row),), answer=(int(column),)) for row, column in zip(rows, columns, strict=True)]


def _is_part(first: str, second: str) -> bool:
    from rapidfuzz import fuzz

    return min(len(first), len(second)) >= _LEAST_PART and fuzz.partial_ratio(first, second) >= _PART_OF
