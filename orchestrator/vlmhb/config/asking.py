"""All that decides what a row's samples are asked: prompts, examples, reasoning, the schema of the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vlmhb_stages.specs import PromptConfig

from vlmhb.errors import BadValue
from vlmhb.modelcard import ModelCard
from vlmhb.reading.names import name_hint, shown
from vlmhb.reading.text import read_text

from .datasets import FoundDataset
from .pairs import find_kinds
from .problems import Problems
from .promptfile import ReadPrompts, has_system, has_user, read_prompt_file, read_prompt_text
from .promptkinds import check_variables, warn_of_kinds
from .prompts import COLLECTIONS, Prompts, file_names, find_prompts, find_system_prompt
from .roots import Roots, first_existing

REASON = "Think step by step first. Then write the final answer on a last line of its own, after ANSWER:"
MARKER = "ANSWER:"
_ON = ("on", "true", "yes", "1", "да", "истина")
_OFF = ("off", "false", "no", "0", "нет", "ложь")
_MARKED = "answer_marker"
_ONE_QUESTION = ("rapidocr", "tesseract", "upstream")  # interfaces without a conversation


@dataclass(frozen=True, kw_only=True)
class Asked:
    """As the fields of the same names of `ResolvedEvaluation`."""

    prompts: Prompts = field(default_factory=Prompts)
    system_prompt: str | None = None
    prompt_config: PromptConfig | None = None
    prompt_source: str = ""
    few_shot: Path | None = None
    chain_of_thought: str | None = None
    response_schema: dict[str, Any] | None = None
    default_response_schema: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class _Config:
    read: ReadPrompts | None = None
    source: str = ""

    @property
    def config(self) -> PromptConfig | None:
        return self.read.config if self.read is not None else None


def find_asked(problems: Problems, *, dataset: FoundDataset, roots: Roots) -> Asked:
    """Mistakes are kept in `problems`; what has one is left at its default."""
    kinds = problems.attempt(lambda: find_kinds(problems, dataset=dataset))
    pairs = kinds.selected if kinds is not None else None
    prompts = problems.attempt(lambda: find_prompts(problems, dataset=dataset, roots=roots, pairs=pairs))
    system = problems.attempt(lambda: find_system_prompt(problems, dataset=dataset, roots=roots))
    found = problems.attempt(lambda: _prompt_config(problems, dataset=dataset, roots=roots)) or _Config()
    read = found.read
    if read is not None:
        warn_of_kinds(problems, read.config, kinds=kinds)
        problems.attempt(lambda: check_variables(problems, read.foreign, kinds=kinds, dataset=dataset))
    card_schema = dataset.benchmark.response_schema
    return Asked(
        prompts=prompts or Prompts(),
        system_prompt=system,
        prompt_config=found.config,
        prompt_source=found.source,
        few_shot=problems.attempt(lambda: _few_shot(problems, roots=roots)),
        chain_of_thought=problems.attempt(lambda: _chain_of_thought(problems)),
        response_schema=problems.attempt(lambda: _response_schema(problems, roots=roots)),
        default_response_schema=problems.attempt(
            lambda: _checked_schema(card_schema, where=dataset.benchmark.origin)
        ),
    )


def check_form(problems: Problems, asked: Asked, *, model: ModelCard | None, extraction: str) -> None:
    """Tells where the form that is asked for does not fit to how the answer is read, or to the model (None: none is
    asked). Raises `BadValue` for examples that a model would take for pages of the sample."""
    if model is not None and asked.few_shot is not None and model.interface in _ONE_QUESTION:
        what = f"'{model.name}' sees one question with its pages, so it would take examples for pages"
        raise BadValue(what, where=problems.where("few_shot"), hint="empty few_shot for this model")
    sentence = asked.chain_of_thought
    if sentence is not None and extraction == "none":
        problems.warn(
            f"the whole reply is scored, its reasoning as well; set extraction to {_MARKED}",
            column="chain_of_thought",
        )
    elif sentence is not None and extraction.startswith(_MARKED) and MARKER not in sentence.upper():
        what = f"the sentence does not ask for {MARKER}, which extraction {extraction} looks for"
        problems.warn(what, column="chain_of_thought")
    has_schema = (asked.response_schema or asked.default_response_schema) is not None
    if has_schema and model is not None and "structured" not in model.capabilities:
        problems.warn(
            f"the card of '{model.name}' does not say that its server can hold an answer to a schema "
            "(capabilities: [structured]), so the schema is not sent",
            column="response_schema",
        )


def _prompt_config(problems: Problems, *, dataset: FoundDataset, roots: Roots) -> _Config:
    row, where = problems.row, problems.where("prompt_config")
    if row.prompt_config is None:
        return _Config()
    if row.prompt_config.startswith("{"):
        found = _Config(read=read_prompt_text(row.prompt_config, where=where), source=where)
    else:
        path = _prompt_path(row.prompt_config, problems=problems, dataset=dataset, roots=roots)
        found = _Config(read=read_prompt_file(path), source=path.name)
    if found.config is not None and row.prompt is not None and has_user(found.config):
        raise BadValue("both prompt and prompt_config say what to ask", where=where, hint="empty one of them")
    if found.config is not None and row.system_prompt is not None and has_system(found.config):
        what = "both system_prompt and prompt_config give a system prompt"
        raise BadValue(what, where=where, hint="empty one of them")
    return found


def _prompt_path(name: str, *, problems: Problems, dataset: FoundDataset, roots: Roots) -> Path:
    task = problems.row.task or dataset.benchmark.task
    folders = [base / folder for base in roots.bases for folder in (*COLLECTIONS, "prompts")]
    places = [*(folder / task for folder in folders), *folders]
    path = first_existing([*(place / name for place in places), *roots.beside(name)])
    if path is None or not path.is_file():
        hint = (
            name_hint(name, file_names(folders)) or "write its path, from the current folder or the config's"
        )
        raise BadValue(f"no prompt config '{name}'", where=problems.where("prompt_config"), hint=hint)
    return path


def _few_shot(problems: Problems, *, roots: Roots) -> Path | None:
    row = problems.row
    if row.few_shot is None:
        if row.few_shot_n is not None:
            what = "few_shot_n says how many, but few_shot names no file of examples"
            raise BadValue(what, where=problems.where("few_shot_n"))
        return None
    path = first_existing(roots.beside(row.few_shot))
    if path is None or not path.is_file():
        hint = "relative paths start at the current folder or at the config's"
        raise BadValue(f"no file '{row.few_shot}'", where=problems.where("few_shot"), hint=hint)
    return path


def _chain_of_thought(problems: Problems) -> str | None:
    """The sentence. Raises `BadValue` for a word that is none of ours."""
    text = (problems.row.chain_of_thought or "").strip()
    word = text.casefold()
    if not text or word in _OFF:
        return None
    if word in _ON:
        return REASON
    if " " not in text:
        hint = "write on, off, or the whole sentence that asks for reasoning"
        raise BadValue(f"{shown(text)} is no sentence", where=problems.where("chain_of_thought"), hint=hint)
    return text


def _response_schema(problems: Problems, *, roots: Roots) -> dict[str, Any] | None:
    value, where = problems.row.response_schema, problems.where("response_schema")
    if value is None:
        return None
    if not value.startswith("{"):
        path = first_existing(roots.beside(value))
        if path is None or not path.is_file():
            hint = "relative paths start at the current folder or at the config's"
            raise BadValue(f"no file '{value}'", where=where, hint=hint)
        value, where = read_text(path), str(path)
    return _checked_schema(json_object(value, where=where), where=where)


def json_object(text: str, *, where: str) -> dict[str, Any]:
    """Raises `BadValue`."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise BadValue(f"not JSON: {error}", where=where) from None
    if not isinstance(value, dict):
        raise BadValue("not a JSON object", where=where, hint="write {...}")
    return value


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _checked_schema(schema: dict[str, Any] | None, *, where: str) -> dict[str, Any] | None:
    """Against its own metaschema, where that is installed here; `prepare` does it in any case."""
    if schema is None or find_spec("jsonschema") is None:
        return schema
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise BadValue(f"no JSON schema: {error.message}", where=where) from None
    return schema
