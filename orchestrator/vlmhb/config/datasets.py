"""Finds the benchmark of a row and its data: a card, a path of the user's, or the prototype's folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import vlmhb
from vlmhb.cards import TASK_TYPES, Registry, is_page_set, task_type_of
from vlmhb.contracts import BenchmarkCard, EvaluationRow
from vlmhb.dataset_files import is_archive
from vlmhb.errors import BadDataset, BadValue, DatasetMissing, UnknownName
from vlmhb.modelcard import TaskType
from vlmhb.reading.names import name_hint, nearest

from .problems import Problems, Sources
from .roots import Roots, first_existing

AUTO = "auto"
DEFAULT_TASK = "VQA"
EXAMPLES = Path(vlmhb.__file__).resolve().parents[2] / "user_configs"  # of the checkout, where there is one
# What is asked of data that no card describes and whose row names no task.
_TASK_OF_LAYOUT = {"sroie": "OCR", "coco_text": "OCR", "pages": "OCR", "kie_folder": "KIE", "cord": "KIE"}
# What the prototype's scripts asked of such a folder.
_PAGE_SETS: dict[TaskType, dict[str, Any]] = {
    "classification": {"params": {"target": "classes"}},
    "sorting": {"params": {"target": "order"}, "extraction": "page_order"},
}
_FORMATS = (
    "annotation.csv, samples.jsonl, .tsv, parquet and arrow files, PDF or image files beside their texts, the folders "
    "of SROIE, FUNSD, XFUND, CORD and COCO-Text, <class>/images and <class>/jsons; any of them in a .zip or .tar"
)


@dataclass(frozen=True, kw_only=True)
class FoundDataset:
    benchmark: BenchmarkCard
    path: Path


def find_dataset(problems: Problems, *, sources: Sources) -> FoundDataset:
    """Raises `UnknownName`, `DatasetMissing`, `BadDataset`, `BadValue`.

    A card's `loader: auto` stays so for an archive only, which `prepare` alone opens."""
    found = _find(problems, sources=sources)
    if found.benchmark.loader != AUTO or is_archive(found.path):
        return found
    layout = _layout(problems, path=found.path)
    return replace(found, benchmark=found.benchmark.model_copy(update={"loader": layout}))


def _find(problems: Problems, *, sources: Sources) -> FoundDataset:
    row, roots = problems.row, sources.roots
    card = _card(row, registry=sources.registry)
    if row.dataset_path is not None:
        path = first_existing(roots.beside(row.dataset_path))
        if path is None:
            where = problems.where("dataset_path")
            hint = "relative paths start at the current folder or at the config's"
            raise DatasetMissing(f"no file or folder '{row.dataset_path}'", where=where, hint=hint)
        if card is not None:
            return FoundDataset(benchmark=card, path=path)
        return _by_layout(problems, path=path)
    folder = first_existing(_upstream_folders(row, roots=roots))
    if card is None:
        if folder is None:
            raise _unknown(problems, registry=sources.registry, roots=roots)
        return _by_layout(problems, path=folder)
    return _of_card(problems, card=card, folder=folder, sources=sources)


def _card(row: EvaluationRow, *, registry: Registry) -> BenchmarkCard | None:
    try:
        return registry.find_benchmark(row.dataset, row.task)
    except UnknownName:
        return None


def _of_card(
    problems: Problems, *, card: BenchmarkCard, folder: Path | None, sources: Sources
) -> FoundDataset:
    """The card's own data; when they are not there, a prototype folder of the same name."""
    path = first_existing(card_paths(card, sources=sources)) if card.path else None
    if path is not None:
        if folder is not None and folder != path:
            problems.warn(f"the card's data are used, not the folder {folder}", column="dataset")
        return FoundDataset(benchmark=card, path=path)
    if folder is not None:
        problems.warn(f"the folder {folder} is used, not the card of that name", column="dataset")
        return _by_layout(problems, path=folder)
    where = problems.where("dataset")
    what = f"the data of benchmark '{card.name}' are not here"
    if card.path is None:
        raise DatasetMissing(what, where=where, hint="give their folder in the column dataset_path")
    place = sources.workspace / "datasets" / card.path
    ways = f"put them at {place} or give the column dataset_path"
    hint = f"vlmhb benchmarks fetch {card.name} downloads them; or {ways}" if card.hub else ways
    raise DatasetMissing(what, where=where, hint=hint)


def card_paths(card: BenchmarkCard, *, sources: Sources) -> Iterator[Path]:
    name = card.path or ""
    if Path(card.origin).is_absolute():
        yield Path(card.origin).parent / name
    yield sources.roots.config_dir / name
    yield sources.workspace / "datasets" / name
    yield EXAMPLES / name


def _upstream_folders(row: EvaluationRow, *, roots: Roots) -> Iterator[Path]:
    for base in roots.bases:
        yield base / "Datasets" / (row.task or DEFAULT_TASK) / row.dataset


def _unknown(problems: Problems, *, registry: Registry, roots: Roots) -> UnknownName:
    row = problems.row
    where, task = problems.where("dataset"), row.task or DEFAULT_TASK
    folders = [
        path.name
        for base in roots.bases
        for path in sorted((base / "Datasets" / task).glob("*"))
        if path.is_dir()
    ]
    try:
        registry.find_benchmark(row.dataset, row.task, where=problems.where("task"))
    except UnknownName as error:
        if any(card.name == row.dataset for card in registry.benchmarks):
            return error
    known = [*folders, *(card.name for card in registry.benchmarks)]
    ways = f"make a card, a folder Datasets/{task}/{row.dataset}, or give the column dataset_path"
    hint = name_hint(row.dataset, known) if nearest(row.dataset, known) else ways
    return UnknownName(f"no benchmark '{row.dataset}'", where=where, hint=hint)


def _by_layout(problems: Problems, *, path: Path) -> FoundDataset:
    """A benchmark made up from what lies there; only `prepare` looks into an archive."""
    row = problems.row
    asks_pages = row.task is not None and is_page_set(row.task)
    layout = (
        AUTO if is_archive(path) else _layout(problems, path=path, otherwise="rpo" if asks_pages else None)
    )
    if asks_pages and layout not in ("annotation", AUTO):
        layout = "rpo"
    task = row.task or _TASK_OF_LAYOUT.get(layout, DEFAULT_TASK)
    task_type = task_type_of(task)
    if task_type is None:
        hint = f"known: {', '.join(TASK_TYPES)}"
        raise BadValue(f"task '{task}' cannot be run", where=problems.where("task"), hint=hint)
    fields: dict[str, Any] = {"name": row.dataset, "task": task, "task_type": task_type, "loader": layout}
    if layout == "rpo":
        fields |= _PAGE_SETS.get(task_type, {})
    card = BenchmarkCard.model_validate(fields)
    return FoundDataset(benchmark=card, path=path)


def _layout(problems: Problems, *, path: Path, otherwise: str | None = None) -> str:
    """Raises `BadDataset` where nothing is recognised."""
    layout = detect_layout(path) or otherwise
    if layout is None:
        where = problems.where("dataset_path" if problems.row.dataset_path is not None else "dataset")
        raise BadDataset(f"no known dataset in {path}", where=where, hint=f"known: {_FORMATS}")
    return layout


def detect_layout(path: Path) -> str | None:
    """The loader for what lies at `path`; None when nothing is recognised."""
    from vlmhb_benchmarks.loaders.detect import detect_layout as detect

    return detect(path)
