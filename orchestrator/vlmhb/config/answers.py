"""Finds the answers file of an evaluate-only row, under all the names that the prototype gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vlmhb.cards import same_framework
from vlmhb.contracts import EvaluationRow
from vlmhb.errors import BadValue, MissingValue
from vlmhb.modelcard import ModelCard
from vlmhb.reading.names import name_hint

from .datasets import DEFAULT_TASK
from .problems import Problems
from .roots import Roots, first_existing

FOLDER = "ModelsAnswers"
_UNNAMED = "MODELFRAMEWORK"  # what the prototype wrote for a while instead of the framework
_STAMP = re.compile(r"_(\d{8}_\d{6})$")


def find_answers(problems: Problems, *, model: ModelCard, roots: Roots) -> Path | None:
    """None for a row that runs its model. Raises `BadValue`, `MissingValue`."""
    row = problems.row
    if not row.only_evaluate_metrics and model.interface != "replay":
        if row.answers_file is not None:
            where = problems.where("answers_file")
            hint = "set only_evaluate_metrics to True, or empty this cell"
            raise BadValue("an answers file is given, but the model is to run", where=where, hint=hint)
        return None
    folders = [base / FOLDER for base in roots.bases]
    if row.answers_file is not None:
        return _named(problems, name=row.answers_file, folders=folders, roots=roots)
    return _newest(problems, framework=row.framework or model.framework, folders=folders)


def _named(problems: Problems, *, name: str, folders: list[Path], roots: Roots) -> Path:
    base_name = PurePosixPath(name.replace("\\", "/")).name  # paths inside the prototype's containers
    places = [*roots.beside(name), *(folder / part for part in (name, base_name) for folder in folders)]
    path = first_existing(places)
    if path is None or not path.is_file():
        known = [file.name for file in _files(folders)]
        hint = name_hint(base_name, known) or f"put it beside the config or into {FOLDER}/"
        raise BadValue(f"no answers file '{name}'", where=problems.where("answers_file"), hint=hint)
    return path


def _newest(problems: Problems, *, framework: str, folders: list[Path]) -> Path:
    row = problems.row
    found = [path for path in _files(folders) if _is_of(path.stem, row=row, framework=framework)]
    if not found:
        name = f"{row.dataset}_<framework>_{row.model_name}_{row.task or DEFAULT_TASK}_answers_<time>.csv"
        where = problems.where("answers_file")
        raise MissingValue(
            f"no answers file to evaluate: no {FOLDER}/{name}", where=where, hint="name the file"
        )
    newest = max(found, key=lambda path: (_stamp(path.stem), path.stat().st_mtime_ns, path.name))
    of = f", the newest of {len(found)}" if len(found) > 1 else ""
    problems.warn(f"{newest.name} is evaluated{of}", column="answers_file")
    return newest.resolve()


def _files(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.csv"))]


def _stamp(stem: str) -> str:
    match = _STAMP.search(stem)
    return match[1] if match else ""


def _is_of(stem: str, *, row: EvaluationRow, framework: str) -> bool:
    """`<dataset>_<framework>_<model>_<TASK>_...`; dataset and framework may hold underscores themselves."""
    start, middle = f"{row.dataset}_", f"_{row.model_name}_{row.task or DEFAULT_TASK}_"
    if not stem.startswith(start):
        return False
    theirs, separator, _ = stem[len(start) :].partition(middle)
    if not separator:
        return False
    return not framework or theirs == _UNNAMED or same_framework(theirs, framework)
