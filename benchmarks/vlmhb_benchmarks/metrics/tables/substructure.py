"""GriTS: the factored two-dimensional most similar substructures of two grids (Smock et al. 2022, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from vlmhb_benchmarks.metrics.tables.grid import Grid, Span
from vlmhb_benchmarks.metrics.tables.tree_distance import Floats, Ints

T = TypeVar("T", Span, str)


def grits_top(answer: Grid, gold: Grid) -> float:
    """Reward of two positions: overlap (IoU) of their cells' boxes seen from there."""
    if answer.spans == gold.spans:
        return 1.0
    return _fscore(answer, gold, rewards=_rewards(_spans(gold), _spans(answer), compare=_overlaps))


def grits_con(answer: Grid, gold: Grid) -> float:
    """Reward of two positions: 2 * longest common subsequence / length of both texts; 1 for two empty ones."""
    if answer.texts == gold.texts:
        return 1.0
    return _fscore(answer, gold, rewards=_rewards(_texts(gold), _texts(answer), compare=_likeness))


def _fscore(answer: Grid, gold: Grid, *, rewards: Floats) -> float:
    """`rewards` is (positions of gold, positions of answer). Two tables without a cell are equal."""
    positions = gold.rows * gold.columns + answer.rows * answer.columns
    if not rewards.size:
        return 0.0 if positions else 1.0
    tensor = rewards.reshape(gold.rows, gold.columns, answer.rows, answer.columns)
    rows = _align(_line_rewards(tensor))
    columns = _align(_line_rewards(tensor.transpose(1, 0, 3, 2)))
    matched = tensor[np.ix_(rows.first, columns.first, rows.second, columns.second)]
    return min(1.0, 2.0 * float(np.einsum("ijij->", matched)) / positions)


def _line_rewards(tensor: Floats) -> Floats:
    """(rows of gold, rows of answer): the best alignment of the two rows' cells, for all pairs at once.

    Skipping is free, so a step along the second row is a running maximum."""
    scores = np.zeros((tensor.shape[0], tensor.shape[2], tensor.shape[3] + 1))
    for column in range(tensor.shape[1]):
        step = np.maximum(scores[:, :, 1:], scores[:, :, :-1] + tensor[:, column])
        np.maximum.accumulate(step, axis=2, out=scores[:, :, 1:])
    return scores[:, :, -1]


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Indices of the lines of gold (`first`) and of the answer (`second`) that were paired."""

    first: Ints
    second: Ints


def _align(rewards: Floats) -> Alignment:
    """The pairing of lines in order with the largest total reward. Among equals a pair is taken before a skip."""
    height, width = rewards.shape
    scores = np.zeros((height + 1, width + 1))
    for row in range(height):
        step = np.maximum(scores[row, 1:], scores[row, :-1] + rewards[row])
        np.maximum.accumulate(step, out=scores[row + 1, 1:])
    first, second = [], []
    row, column = height, width
    while row and column:
        best = scores[row, column]
        if scores[row - 1, column - 1] + rewards[row - 1, column - 1] == best:
            row, column = row - 1, column - 1
            first.append(row)
            second.append(column)
        elif scores[row - 1, column] == best:
            row -= 1
        else:
            column -= 1
    return Alignment(
        first=np.array(first[::-1], dtype=np.int64), second=np.array(second[::-1], dtype=np.int64)
    )


def _rewards(gold: list[T], answer: list[T], *, compare: Callable[[list[T], list[T]], Floats]) -> Floats:
    """All pairs of positions; equal values are compared once."""
    rows, columns = _numbered(gold), _numbered(answer)
    if not rows or not columns:
        return np.zeros((len(gold), len(answer)))
    unique = compare(list(rows), list(columns))
    return unique[np.ix_([rows[value] for value in gold], [columns[value] for value in answer])]


def _numbered(values: Iterable[T]) -> dict[T, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def _overlaps(gold: list[Span], answer: list[Span]) -> Floats:
    one, two = _boxes(gold)[:, None], _boxes(answer)[None]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    shared = np.clip(sides, 0.0, None).prod(axis=-1)
    overlaps: Floats = shared / (_areas(one) + _areas(two) - shared)
    return overlaps


def _boxes(spans: list[Span]) -> Floats:
    return np.array([(span.left, span.top, span.right, span.bottom) for span in spans], dtype=np.float64)


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1))


def _likeness(gold: list[str], answer: list[str]) -> Floats:
    return cdist(gold, answer, scorer=Indel.normalized_similarity, dtype=np.float64, workers=1)


def _spans(grid: Grid) -> list[Span]:
    return [span for row in grid.spans for span in row]


def _texts(grid: Grid) -> list[str]:
    return [text for row in grid.texts for text in row]
