"""Reads tables of the Hugging Face kind: parquet and arrow files, folders of their shards, `save_to_disk` folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.arrowfiles import column_names, read_rows
from vlmhb_benchmarks.loaders.base import LoaderError, RawSample, shown, texts
from vlmhb_benchmarks.loaders.columns import MissingColumn, Table, TableParams, read_params, resolve
from vlmhb_benchmarks.loaders.records import Reader, Row
from vlmhb_benchmarks.loaders.shards import find_shards


def load_parquet(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: those of tables (docs/benchmarks.md); `file`: one or more globs; `split` chooses files by name, or
    rows where no file is named after a split but there is a column `split`.

    Positions (ids of a table without them) count over all its files."""
    table_params = read_params(params, loader="parquet")
    split = params.get("split")
    chosen = find_shards(root, pattern=texts(params, "file"), split=split)
    if chosen.by_split:
        where = {key: value for key, value in table_params.where.items() if key != "split"}
        table_params = replace(table_params, where={**where, **_where_of(params)})
    elif split is not None and "split" not in column_names(chosen.paths[0], name=chosen.paths[0].name):
        hint = "neither the files' names nor a column `split` tell"
        raise LoaderError(f"no split {split}", file=root.name, hint=hint)
    table = _table(table_params, paths=chosen.paths, root=root)
    folder = root.parent if root.is_file() else root
    reader = Reader(params=table_params, root=folder, table=lambda _: table)
    yield from reader.samples(_rows(chosen.paths, root=root))


def _where_of(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """A condition on a column `split` that the card sets itself."""
    own = {"where": {key: value for key, value in (params.get("where") or {}).items() if key == "split"}}
    return dict(read_params(own, loader="parquet").where)


def _table(params: TableParams, *, paths: Sequence[Path], root: Path) -> Table:
    """Raises `LoaderError` for a missing column, and where a later file has other columns than the first."""
    first = column_names(paths[0], name=shown(paths[0], root=root))
    try:
        table = resolve(params, first)
    except MissingColumn as missing:
        hint = f"it has: {', '.join(first)}"
        raise LoaderError(
            f"missing column {missing}", file=shown(paths[0], root=root), hint=hint
        ) from missing
    for path in paths[1:]:
        name = shown(path, root=root)
        header = column_names(path, name=name)
        lost = [column for column in first if column in table.used and column not in header]
        if lost:
            raise LoaderError(
                f"missing column {', '.join(lost)}", file=name, hint=f"it has: {', '.join(header)}"
            )
    return table


def _rows(paths: Sequence[Path], *, root: Path) -> Iterator[Row]:
    position = 0
    for path in paths:
        name = shown(path, root=root)
        for found in read_rows(path, name=name):
            yield Row(
                data=found.data,
                position=position,
                file=name,
                row=found.row,
                name=f"{name}-{found.row}",
            )
            position += 1
