"""Reads the details of LightEval, as 0.13.0 writes them: `details_<task>_<date>.parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_stages.import_.rows import (
    BadSource,
    Outcome,
    Row,
    Source,
    answered,
    failed,
    key_of,
    numbers,
)

FORMAT = "lighteval"
COLUMNS = ("doc", "model_response", "metric")
_BATCH = 256  # rows: documents may hold images


def read(path: Path, *, id_key: str | None) -> Source:
    """`doc.id` counts the documents from 0, as text. Raises `BadSource`."""
    rows = tuple(
        _row(record, place=f"row {number}", id_key=id_key)
        for number, record in enumerate(_records(path), start=1)
    )
    return Source(format=FORMAT, tool="LightEval", rows=rows, first=0)


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            missing = [name for name in COLUMNS[:2] if name not in file.schema_arrow.names]
            if missing:
                raise BadSource(
                    f"no column {missing[0]} among {', '.join(file.schema_arrow.names)}",
                    hint="details must have the columns doc and model_response, as LightEval 0.13 writes them",
                )
            wanted = [name for name in COLUMNS if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadSource(f"not a readable parquet file ({error})") from error


def _row(record: Mapping[str, Any], *, place: str, id_key: str | None) -> Row:
    doc, response = record.get("doc") or {}, record.get("model_response") or {}
    output = response.get("output_tokens") or []
    query, metric = doc.get("query"), record.get("metric")
    return Row(
        key=key_of(doc, own="id", asked=id_key, place=place),
        outcome=_outcome(response),
        prompt=query if isinstance(query, str) else None,
        input_tokens=len(response.get("input_tokens") or []) or None,
        output_tokens=len(output[0]) if output and isinstance(output[0], list) else None,
        metrics=numbers(metric) if isinstance(metric, Mapping) else {},
    )


def _outcome(response: Mapping[str, Any]) -> Outcome:
    """Several generations per sample are several answers; a task by likelihood has none."""
    texts = response.get("text") or []
    if not texts:
        return failed("the record has no text (a task scored by likelihoods)")
    if len(texts) > 1:
        return failed(f"{len(texts)} generations are no single answer")
    return answered(str(texts[0]))
