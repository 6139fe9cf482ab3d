"""What kinds of samples a dataset has, and which of them a row selects: read before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmhb_stages.specs import READ_BEFORE

from vlmhb.dataset_files import is_archive
from vlmhb.errors import BadDataset, BadValue
from vlmhb.reading.names import name_hint

from .datasets import FoundDataset
from .problems import Problems


@dataclass(frozen=True, kw_only=True)
class Pair:
    doc_class: str
    question_type: str

    @property
    def key(self) -> str:
        """Key of a prompt collection: built, never split, because a class may hold blanks."""
        return f"{self.doc_class} {self.question_type}"


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """Distinct pairs in file order: of all samples, and of those behind the row's filters.

    `names`: the keys of the metadata that any sample has."""

    all: tuple[Pair, ...]
    selected: tuple[Pair, ...]
    names: frozenset[str]


def find_kinds(problems: Problems, *, dataset: FoundDataset) -> Kinds | None:
    """None where nobody needs them, or where they cost too much: other loaders hold images, or a file per sample, or
    are packed, and are left to `prepare`.

    Raises `BadValue` for a filter that nothing passes, `BadDataset` when the file cannot be read."""
    row = problems.row
    needed = row.prompt_collection or row.prompt_config or row.filter_doc_class or row.filter_question_type
    if not needed or dataset.benchmark.loader not in READ_BEFORE or is_archive(dataset.path):
        return None
    found = read_kinds(dataset)
    pairs = found.all
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
    return replace(found, selected=selected)


def read_kinds(dataset: FoundDataset) -> Kinds:
    """Raises `BadDataset`. Damaged rows are left to `prepare`, where each costs one sample."""
    from vlmhb_benchmarks.loaders import LoaderError, load

    root, params = dataset.path, dict(dataset.benchmark.params)
    if root.is_file():
        root, params = root.parent, {**params, "file": root.name}
    found: dict[Pair, None] = {}
    names: set[str] = set()
    try:
        for sample in load(dataset.benchmark.loader, root, params):
            if sample.problem is None:
                metadata = sample.metadata
                pair = Pair(
                    doc_class=metadata.get("doc_class", ""), question_type=metadata.get("question_type", "")
                )
                found.setdefault(pair)
                names.update(metadata)
    except LoaderError as error:
        row = f", row {error.row}" if error.row is not None else ""
        raise BadDataset(error.message, where=f"{_file(root, error.file)}{row}", hint=error.hint) from None
    pairs = tuple(found)
    return Kinds(all=pairs, selected=pairs, names=frozenset(names))


def _file(root: Path, name: str) -> str:
    """The loader names files relative to the dataset, or things that are no files."""
    path = root / name
    return str(path) if path.exists() else name


def _check_filter(wanted: str | None, *, known: Sequence[str], where: str) -> None:
    if wanted is not None and known and wanted not in known:
        hint = name_hint(wanted, known) or "filters compare exactly"
        raise BadValue(f"no sample has '{wanted}'", where=where, hint=hint)
