"""Ids of evaluations: readable, unique in a run, the same each time."""

from __future__ import annotations

from collections.abc import Sequence

from vlmhb.contracts import EvaluationRow
from vlmhb.naming import slug


def evaluation_ids(rows: Sequence[EvaluationRow]) -> tuple[str, ...]:
    """`<dataset>-<model>` of each row, with -2, -3 ... for later ones of the same pair.

    Made from the rows as written, so that a row that cannot be resolved does not rename the others."""
    used: set[str] = set()
    last: dict[str, int] = {}
    ids = []
    for row in rows:
        name = slug(f"{row.dataset}-{row.model_name}")
        number = last.get(name, 0) + 1
        unique = name if number == 1 else f"{name}-{number}"
        while unique in used:
            number += 1
            unique = f"{name}-{number}"
        last[name] = number
        used.add(unique)
        ids.append(unique)
    return tuple(ids)
