"""Prompts of a row: collections, prompt files and system prompts, found and checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.contracts import EvaluationRow
from vlmhb.errors import BadValue, ErrorList, MissingPrompts, VlmhbError
from vlmhb.modelcard import ModelCard, TaskType
from vlmhb.reading.names import name_hint
from vlmhb.reading.table import read_table
from vlmhb.reading.text import read_text

from .datasets import FoundDataset
from .pairs import Pair
from .problems import Problems
from .roots import Roots, first_existing

COLLECTIONS = ("PromptCollections", "PromptCollection")
_KEY, _PROMPT = "doc_class_question_type", "prompt"


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """`prompts`: `<doc_class> <question_type>` -> prompt, empty = the dataset's question."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    prompt: str | None = None


def find_prompts(
    problems: Problems, *, dataset: FoundDataset, roots: Roots, pairs: Sequence[Pair] | None
) -> Prompts:
    """`pairs` are those of the selected samples, None when they are not known before `prepare`.

    Raises `BadValue`, `MissingPrompts` naming all keys, or what reading the files raises."""
    row = problems.row
    if row.prompt is not None and row.prompt_collection is not None:
        what = "both prompt and prompt_collection are given"
        raise BadValue(what, where=problems.where("prompt"), hint="empty one of them")
    if row.prompt_collection is None:
        return Prompts(prompt=row.prompt if row.prompt is not None else dataset.benchmark.prompt)
    path = _collection_path(problems, name=row.prompt_collection, dataset=dataset, roots=roots)
    if path.suffix.lower() == ".txt":
        return Prompts(prompt=_prompt_text(path))
    prompts = read_collection(path)
    missing = [pair.key for pair in pairs or () if pair.key not in prompts]
    if missing:
        names = "; ".join(f"'{key}'" for key in missing)
        what = f"the prompt collection {path.name} has no prompt for {names}"
        hint = "add these keys; an empty prompt means the dataset's own question"
        raise MissingPrompts(what, where=problems.where("prompt_collection"), hint=hint)
    return Prompts(prompts=prompts)


def prompt_for(row: EvaluationRow, found: Prompts, *, model: ModelCard, task: TaskType) -> str | None:
    """What the row says, else what the model was trained on for this kind of task, else the dataset's card."""
    if row.prompt is not None or row.prompt_collection is not None or row.prompt_config is not None:
        return found.prompt
    return model.prompts.get(task, found.prompt)


def find_system_prompt(problems: Problems, *, dataset: FoundDataset, roots: Roots) -> str | None:
    """Text of the row's file, else the card's. Raises `BadValue`."""
    name = problems.row.system_prompt
    if name is None:
        return dataset.benchmark.system_prompt
    folders = [base / "SystemPrompts" for base in roots.bases]
    path = first_existing([*(folder / name for folder in folders), *roots.beside(name)])
    if path is None or not path.is_file():
        hint = name_hint(name, file_names(folders)) or "put it into SystemPrompts/ or write its path"
        raise BadValue(f"no system prompt file '{name}'", where=problems.where("system_prompt"), hint=hint)
    return _prompt_text(path)


def read_collection(path: Path) -> dict[str, str]:
    """Key -> prompt; of equal keys the first counts; other columns do not matter.

    Raises `ErrorList` of everything wrong in the file."""
    table = read_table(path)
    errors: list[VlmhbError] = list(table.errors)
    where = f"{path}, row {table.header_line}"
    for column in (_PROMPT, _KEY):
        if column not in table.header:
            hint = f"the header has: {', '.join(table.header)}"
            errors.append(BadValue(f"no column '{column}' in the prompt collection", where=where, hint=hint))
    if errors:
        raise ErrorList(errors)
    prompts: dict[str, str] = {}
    for row in table.rows:
        text = row.cells[_PROMPT]
        prompts.setdefault(row.cells[_KEY], text if text.strip() else "")
    return prompts


def _collection_path(problems: Problems, *, name: str, dataset: FoundDataset, roots: Roots) -> Path:
    task = problems.row.task or dataset.benchmark.task
    folders = [base / collections for base in roots.bases for collections in COLLECTIONS]
    of_task = [folder / task for folder in folders]
    path = first_existing([*(folder / name for folder in (*of_task, *folders)), *roots.beside(name)])
    if path is None or not path.is_file():
        where = problems.where("prompt_collection")
        hint = (
            name_hint(name, file_names(of_task)) or f"put it into PromptCollections/{task}/ or write its path"
        )
        raise BadValue(f"no prompt collection '{name}'", where=where, hint=hint)
    return path


def _prompt_text(path: Path) -> str:
    """The whole file; only line ends are made equal."""
    return read_text(path).replace("\r\n", "\n")


def file_names(folders: Iterable[Path]) -> list[str]:
    """Names as a row would write them, relative to the folder."""
    return [
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    ]
