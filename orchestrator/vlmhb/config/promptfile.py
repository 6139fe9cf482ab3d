"""Reads a prompt config, ours or the prototype's: a JSON or YAML file, or a mapping in the run config itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb_stages.specs import TEMPLATE_NAMES, PromptConfig, PromptPair

from vlmhb.errors import BadPrompts, ErrorList, VlmhbError
from vlmhb.reading.jsonnodes import parse_json
from vlmhb.reading.names import name_hint
from vlmhb.reading.nodes import Node, SyntaxFault
from vlmhb.reading.text import NO_CHARACTER, read_text
from vlmhb.reading.yamlnodes import parse_yaml

from .promptvariables import needed_variables, template_fault

WRAPPER = "prompt_config"
# The prototype's keys stand beside ours: what each sets of which pair.
_PLACES: Mapping[str, tuple[str, str]] = {
    "system_prompt": ("default", "system"),
    "user_prompt": ("default", "user"),
    "fixed_system_prompt": ("fixed", "system"),
    "fixed_prompt": ("fixed", "user"),
}
_PAIRS = ("default", "fixed")
_MAPPINGS = {"type_mapping": "class", "question_mapping": "question"}
KEYS = (*_PAIRS, *_MAPPINGS, *_PLACES)
_SIDES = {"system": "system", "system_prompt": "system", "user": "user", "user_prompt": "user"}
_FORM = "write {default: {system: ..., user: ...}, fixed: {...}, type_mapping: {<doc_class>: {...}}}"
_MARKS = re.compile(r"\{\{|\{%|\{#")
_SINGLE = re.compile(r"(?<!\{)\{(question|classes)\}(?!\})")


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A variable that not every sample has. `template`: the one that needs it; `where`: its place in the file."""

    name: str
    template: str
    where: str


@dataclass(frozen=True, kw_only=True)
class ReadPrompts:
    config: PromptConfig
    foreign: tuple[Foreign, ...] = ()


def read_prompt_file(path: Path) -> ReadPrompts:
    """Raises `ErrorList` of `BadPrompts` naming rows, `ConfigUnreadable`, `WrongEncoding`."""
    text = read_text(path)
    try:
        node = parse_json(text) if path.suffix.lower() == ".json" else _only(parse_yaml(text))
    except SyntaxFault as fault:
        row = f", row {fault.line}" if fault.line else ""
        raise BadPrompts(fault.what, where=f"{path}{row}") from None
    return _Reader(str(path), has_rows=True).read(node)


def read_prompt_text(text: str, *, where: str) -> ReadPrompts:
    """The same from JSON that stands in a run config at `where`."""
    try:
        node = parse_json(text)
    except SyntaxFault as fault:
        raise BadPrompts(fault.what, where=where, hint=_FORM) from None
    return _Reader(where, has_rows=False).read(node)


def has_user(config: PromptConfig) -> bool:
    return any(pair.user for pair in _pairs(config))


def has_system(config: PromptConfig) -> bool:
    return any(pair.system is not None for pair in _pairs(config))


def looks_like_prompts(path: Path) -> PromptConfig | None:
    """The prompt config that the file is; None for any other file."""
    try:
        return read_prompt_file(path).config
    except VlmhbError:
        return None


def _pairs(config: PromptConfig) -> Iterator[PromptPair]:
    yield from (config.fixed, config.default, *config.classes.values(), *config.questions.values())


def _only(documents: tuple[Node, ...]) -> Node:
    if len(documents) > 1:
        raise SyntaxFault("a second YAML document", line=documents[1].line)
    return documents[0] if documents else Node(line=1, fields={})


@dataclass(kw_only=True)
class _Sides:
    """One pair while it is read; a side that stands twice is a mistake."""

    system: str | None = None
    user: str | None = None

    @property
    def pair(self) -> PromptPair:
        return PromptPair(system=self.system, user=self.user)


@dataclass
class _Reader:
    """Collects every mistake of one prompt config."""

    place: str
    has_rows: bool
    errors: list[VlmhbError] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)

    def read(self, node: Node) -> ReadPrompts:
        fields = node.fields or {}
        if set(fields) == {WRAPPER}:
            fields = fields[WRAPPER].fields or {}
        if not fields:
            raise BadPrompts("no prompts in it", where=self.place, hint=_FORM)
        sides = {name: _Sides() for name in _PAIRS}
        mappings: dict[str, dict[str, PromptPair]] = {name: {} for name in _MAPPINGS}
        for key, item in fields.items():
            if key in _PAIRS:
                self._pair(item, into=sides[key], name=key)
            elif key in _MAPPINGS:
                mappings[key] = self._mapping(item, name=key)
            elif key in _PLACES:
                pair, side = _PLACES[key]
                self._side(item, into=sides[pair], side=side, name=key)
            else:
                self._wrong(f"unknown key '{key}'", node=item, hint=name_hint(key, KEYS) or _FORM)
        if self.errors:
            raise ErrorList(self.errors)
        config = PromptConfig(
            fixed=sides["fixed"].pair,
            default=sides["default"].pair,
            classes=mappings["type_mapping"],
            questions=mappings["question_mapping"],
        )
        return ReadPrompts(config=config, foreign=tuple(self.foreign))

    def _mapping(self, node: Node, *, name: str) -> dict[str, PromptPair]:
        if node.fields is None:
            self._wrong(f"{name} is not a mapping", node=node, hint=_FORM)
            return {}
        found = {}
        for key, item in node.fields.items():
            sides = _Sides()
            self._pair(item, into=sides, name=f"{_MAPPINGS[name]} '{key}'")
            found[key] = sides.pair
        return found

    def _pair(self, node: Node, *, into: _Sides, name: str) -> None:
        if node.fields is None:
            self._wrong(f"{name} is not a mapping of system and user", node=node, hint=_FORM)
            return
        for key, item in node.fields.items():
            if key in _SIDES:
                self._side(item, into=into, side=_SIDES[key], name=f"{_SIDES[key]} of {name}")
            else:
                self._wrong(f"unknown key '{key}' of {name}", node=item, hint=name_hint(key, _SIDES))

    def _side(self, node: Node, *, into: _Sides, side: str, name: str) -> None:
        if node.is_scalar and node.text is None:
            return
        if not isinstance(node.value, str):
            self._wrong(f"{name} is no text", node=node, hint="put it into quotes")
        elif NO_CHARACTER.search(node.value):
            self._wrong(f"{name} has a character that is none (zero, or half of a surrogate pair)", node=node)
        elif getattr(into, side) is not None:
            self._wrong(f"{name} stands twice, under the prototype's key as well", node=node)
        else:
            setattr(into, side, node.value)
            self._check(node.value, node=node, name=name)

    def _check(self, text: str, *, node: Node, name: str) -> None:
        single = _SINGLE.search(text)
        if single is not None:
            what = f"{name}: {single[0]} would be sent as it stands"
            self._wrong(what, node=node, hint=f"write {{{{ {single[1]} }}}}")
        elif _MARKS.search(text):
            fault = template_fault(text)
            if fault is not None:
                self._wrong(f"{name}: {fault}", node=node)
                return
            needed = (one for one in needed_variables(text) if one not in TEMPLATE_NAMES)
            self.foreign += [Foreign(name=one, template=name, where=self._where(node)) for one in needed]

    def _wrong(self, what: str, *, node: Node, hint: str = "") -> None:
        self.errors.append(BadPrompts(what, where=self._where(node), hint=hint))

    def _where(self, node: Node) -> str:
        return f"{self.place}, row {node.line}" if self.has_rows else self.place
