"""Writes the parts of every sample, for paired tests between evaluations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlmhb_stages.contracts import MetricValue, PartsEntry, PartsIndex
from vlmhb_stages.evaluate.table import FrozenTable
from vlmhb_stages.evaluate.work import Work
from vlmhb_stages.parts import ids_digest, write_index, write_part

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


def write_parts(work: Work, *, table: FrozenTable, metrics: Sequence[MetricValue]) -> None:
    """`parts/<metric>.npy` and `parts/index.json`. They add up to the pooled value, gate and gaps included."""
    entries: dict[str, PartsEntry] = {}
    for index, (scorer, data, value) in enumerate(zip(work.scorers, table.columns, metrics, strict=True)):
        info = scorer.metric.info
        safe = _UNSAFE.sub("_", info.name)
        file = f"{safe}.npy" if safe == info.name else f"{index}_{safe}.npy"
        write_part(work.out, file=file, parts=data.parts)
        entries[info.name] = PartsEntry(
            file=file,
            version=info.version,
            params=dict(info.params),
            width=data.parts.shape[1],
            average=value.average,
            direction=info.direction,
            binary=info.binary,
        )
    planned = work.inputs.planned
    write_index(
        work.out, PartsIndex(planned=len(planned), ids_sha256=ids_digest(planned.ids), metrics=entries)
    )
