"""What a prompt config says of samples that the dataset does not have: kinds of them, and variables of templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vlmhb_stages.specs import TEMPLATE_NAMES, PromptConfig

from vlmhb.errors import BadPrompts, ErrorList
from vlmhb.reading.names import nearest

from .datasets import FoundDataset
from .pairs import Kinds
from .problems import Problems
from .promptfile import Foreign

_LISTED = 8


def warn_of_kinds(problems: Problems, config: PromptConfig, *, kinds: Kinds | None) -> None:
    """A key that no sample of the dataset has is most likely misspelt; `prepare` says it where `kinds` is None."""
    if kinds is None:
        return
    doc_classes = _distinct(pair.doc_class for pair in kinds.all)
    types = _distinct(pair.question_type for pair in kinds.all)
    keys = _distinct(pair.key for pair in kinds.all)
    for lacking in (
        _Lacking("type_mapping", "doc_class", unmet=_without(config.classes, doc_classes), known=doc_classes),
        _Lacking(
            "question_mapping",
            "question",
            unmet=_without(config.questions, types, keys),
            known=(*types, *keys),
        ),
    ):
        if lacking.unmet:
            problems.warn(lacking.told(), column="prompt_config")


def check_variables(
    problems: Problems, foreign: Sequence[Foreign], *, kinds: Kinds | None, dataset: FoundDataset
) -> None:
    """Raises `ErrorList` of `BadPrompts` for variables that no sample can have; where the samples are not read before
    `prepare`, a warning says what it will look for."""
    declared = _declared(dataset.benchmark.params)
    unknown = [one for one in foreign if one.name not in (kinds.names if kinds is not None else declared)]
    if kinds is not None:
        names = (*TEMPLATE_NAMES, *kinds.names)
        errors = [BadPrompts(_lacking(one), where=one.where, hint=_hint(one, names)) for one in unknown]
        if errors:
            raise ErrorList(errors)
    for name in dict.fromkeys(one.name for one in unknown):
        near = nearest(name, (*TEMPLATE_NAMES, *declared), limit=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        what = f"a template needs '{name}', which only the metadata of the samples could give{hint}"
        problems.warn(what, column="prompt_config")


def _lacking(one: Foreign) -> str:
    return f"{one.template}: '{one.name}' is undefined: no sample of the dataset has it"


def _hint(one: Foreign, names: Sequence[str]) -> str:
    near = nearest(one.name, names, limit=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"a template knows: {', '.join(dict.fromkeys(names))}"


def _declared(params: Mapping[str, object]) -> tuple[str, ...]:
    """Names that the card itself gives to metadata."""
    metadata = params.get("metadata")
    return tuple(str(name) for name in metadata) if isinstance(metadata, Mapping | list | tuple) else ()


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value.strip()))


def _without(keys: Iterable[str], *known: Sequence[str]) -> tuple[str, ...]:
    return tuple(key for key in keys if not any(key in values for values in known))


@dataclass(frozen=True)
class _Lacking:
    """Keys of one mapping that apply to no sample, and the values that would."""

    mapping: str
    kind: str
    unmet: tuple[str, ...] = field(kw_only=True)
    known: tuple[str, ...] = field(kw_only=True)

    def told(self) -> str:
        near = nearest(self.unmet[0], self.known, limit=1)
        hint = f" did you mean '{near[0]}'?" if near else ""
        there = f"the dataset has: {_listed(self.known)}" if self.known else "the dataset has none"
        keys = _listed(self.unmet)
        return f"no sample has the {self.kind} {keys};{hint} {there} ({self.mapping})"


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(f"'{value}'" for value in values[:_LISTED]) + more
