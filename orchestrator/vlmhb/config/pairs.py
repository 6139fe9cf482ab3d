"""The (doc_class, question_type) pairs of the samples that a row selects, read before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmhb.dataset_files import is_archive
from vlmhb.errors import BadDataset, BadValue
from vlmhb.reading.names import name_hint

from .datasets import FoundDataset
from .problems import Problems

_CHEAP = (
    "annotation",
    "jsonl",
)  # the others hold images, or a file per sample, or are packed: left to `prepare`


@dataclass(frozen=True, kw_only=True)
class Pair:
    doc_class: str
    question_type: str

    @property
    def key(self) -> str:
        """Key of a prompt collection: built, never split, because a class may hold blanks."""
        return f"{self.doc_class} {self.question_type}"


def selected_pairs(problems: Problems, *, dataset: FoundDataset) -> tuple[Pair, ...] | None:
    """Distinct pairs behind the filters, in file order; None where nobody needs them or they cost too much.

    Raises `BadValue` for a filter that nothing passes, `BadDataset` when the file cannot be read."""
    row = problems.row
    needed = row.prompt_collection or row.prompt_config or row.filter_doc_class or row.filter_question_type
    if not needed or dataset.benchmark.loader not in _CHEAP or is_archive(dataset.path):
        return None
    pairs = read_pairs(dataset)
    doc_classes = [pair.doc_class for pair in pairs]
    question_types = [pair.question_type for pair in pairs]
    _check_filter(row.filter_doc_class, known=doc_classes, where=problems.where("filter_doc_class"))
    _check_filter(
        row.filter_question_type, known=question_types, where=problems.where("filter_question_type")
    )
    selected = tuple(
        pair
        for pair in pairs
        if row.filter_doc_class in (None, pair.doc_class)
        and row.filter_question_type in (None, pair.question_type)
    )
    if pairs and not selected:
        raise BadValue("no sample passes both filters", where=problems.where("filter_question_type"))
    return selected


def read_pairs(dataset: FoundDataset) -> tuple[Pair, ...]:
    """Raises `BadDataset`. Damaged rows are left to `prepare`, where each costs one sample."""
    from vlmhb_benchmarks.loaders import LoaderError, load

    root, params = dataset.path, dict(dataset.benchmark.params)
    if root.is_file():
        root, params = root.parent, {**params, "file": root.name}
    found: dict[Pair, None] = {}
    try:
        for sample in load(dataset.benchmark.loader, root, params):
            if sample.problem is None:
                metadata = sample.metadata
                pair = Pair(
                    doc_class=metadata.get("doc_class", ""), question_type=metadata.get("question_type", "")
                )
                found.setdefault(pair)
    except LoaderError as error:
        row = f", row {error.row}" if error.row is not None else ""
        raise BadDataset(error.message, where=f"{_file(root, error.file)}{row}", hint=error.hint) from None
    return tuple(found)


def _file(root: Path, name: str) -> str:
    """The loader names files relative to the dataset, or things that are no files."""
    path = root / name
    return str(path) if path.exists() else name


def _check_filter(wanted: str | None, *, known: Sequence[str], where: str) -> None:
    if wanted is not None and known and wanted not in known:
        hint = name_hint(wanted, known) or "filters compare exactly"
        raise BadValue(f"no sample has '{wanted}'", where=where, hint=hint)
