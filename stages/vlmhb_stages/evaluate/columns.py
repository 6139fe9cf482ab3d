"""Puts columns of scores together and apart, by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from vlmhb_benchmarks.metrics.base import Flag
from vlmhb_benchmarks.metrics.batch import ScoreColumns


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Scores of some rows of a chunk."""

    rows: Sequence[int]
    columns: ScoreColumns


def merge(count: int, pieces: Sequence[Piece]) -> ScoreColumns:
    """The columns of a chunk of `count` rows, from pieces that together have every row once."""
    filled = [piece for piece in pieces if piece.rows]
    if len(filled) == 1:
        return filled[0].columns  # rows of a piece are in order, so it is the chunk
    width = max((piece.columns.parts.shape[1] for piece in filled), default=0)
    values, parts = np.full(count, np.nan), np.full((count, width), np.nan)
    matched: list[str | None] = [None] * count
    flags: dict[int, Flag] = {}
    for piece in filled:
        rows = np.array(piece.rows, dtype=np.int64)
        values[rows] = piece.columns.values
        if piece.columns.parts.shape[1]:  # else nothing in it is defined
            parts[rows] = piece.columns.parts
        for place, row in enumerate(piece.rows):
            matched[row] = piece.columns.matched[place]
        flags.update({piece.rows[place]: flag for place, flag in piece.columns.flags.items()})
    return ScoreColumns(values=values, parts=parts, matched=matched, flags=flags)


def take(columns: ScoreColumns, rows: Sequence[int]) -> Piece:
    """Those rows of a chunk's columns."""
    index = np.array(rows, dtype=np.int64)
    return Piece(
        rows=rows,
        columns=ScoreColumns(
            values=columns.values[index],
            parts=columns.parts[index],
            matched=[columns.matched[row] for row in rows],
            flags={place: columns.flags[row] for place, row in enumerate(rows) if row in columns.flags},
        ),
    )
