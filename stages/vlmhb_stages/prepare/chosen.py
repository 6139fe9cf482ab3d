"""Which templates of a prompt config ask a sample: fixed over question over class over default, each message alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.renderer import Renderer
from vlmhb_stages.prepare.templates import Ask, TemplateFault, is_template, plain
from vlmhb_stages.specs import PrepareSpec, PromptConfig, PromptPair

CODE = "VHB111"


@dataclass(frozen=True, kw_only=True)
class Template:
    """`name`: where it stands in the config. `variables` are those that it takes."""

    name: str
    text: str
    is_jinja: bool
    variables: frozenset[str] = frozenset()

    @property
    def is_by_question(self) -> bool:
        return self.name.startswith("user of question")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """None: the benchmark's own."""

    system: Template | None = None
    user: Template | None = None

    @property
    def is_jinja(self) -> bool:
        return any(template is not None and template.is_jinja for template in (self.system, self.user))


class Templates:
    """All of a prompt config, checked. Raises `PrepareFailed` naming every template that is wrong."""

    def __init__(self, spec: PrepareSpec, *, renderer: Renderer) -> None:
        self._config, self._source, self._renderer = (
            spec.prompt_config or PromptConfig(),
            spec.prompt_source,
            renderer,
        )
        self._templates: dict[str, Template] = {}
        faults = []
        for name, text in _texts(self._config):
            try:
                self._templates[name] = self._template(name, text)
            except TemplateFault as fault:
                faults.append(_told(name, fault))
        if faults:
            raise PrepareFailed(f"{self._source}: {'; '.join(faults)}", code=CODE)

    @property
    def are_by_kind(self) -> bool:
        """Whether samples of different kinds are asked by different user templates."""
        return any(pair.user for pair in (*self._config.questions.values(), *self._config.classes.values()))

    def chosen(self, metadata: Mapping[str, str]) -> Chosen:
        doc_class, question_type = metadata.get("doc_class", ""), metadata.get("question_type", "")
        names = (
            ("fixed", self._config.fixed),
            *_named("question", self._config.questions, f"{doc_class} {question_type}"),
            *_named("question", self._config.questions, question_type),
            *_named("class", self._config.classes, doc_class),
            ("default", self._config.default),
        )
        system = next((name for name, pair in names if pair.system is not None), None)
        user = next((name for name, pair in names if pair.user), None)
        return Chosen(
            system=self._templates[f"system of {system}"] if system is not None else None,
            user=self._templates[f"user of {user}"] if user is not None else None,
        )

    def render(self, asks: Sequence[Ask], *, names: Sequence[str], called: str) -> list[str]:
        """Raises `PrepareFailed` with the templates' `names` and what they were for, as `called`."""
        if not asks:
            return []
        try:
            return self._renderer.render(asks)
        except TemplateFault as fault:
            raise PrepareFailed(
                f"{self._source}: {_told(' and '.join(names), fault)}, for {called}",
                hint="write {% if name is defined %} around what not every sample has",
                code=CODE,
            ) from fault

    def _template(self, name: str, text: str) -> Template:
        if not is_template(text):
            return Template(name=name, text=plain(text), is_jinja=False)
        variables = self._renderer.check(text)
        return Template(name=name, text=text, is_jinja=True, variables=frozenset(variables))


def _named(kind: str, pairs: dict[str, PromptPair], key: str) -> tuple[tuple[str, PromptPair], ...]:
    return ((f"{kind} {key!r}", pairs[key]),) if key in pairs else ()


def _texts(config: PromptConfig) -> Iterator[tuple[str, str]]:
    pairs = [("fixed", config.fixed), ("default", config.default)]
    pairs += [(f"question {key!r}", pair) for key, pair in config.questions.items()]
    pairs += [(f"class {key!r}", pair) for key, pair in config.classes.items()]
    for name, pair in pairs:
        if pair.system is not None:
            yield f"system of {name}", pair.system
        if pair.user is not None:
            yield f"user of {name}", pair.user


def _told(name: str, fault: TemplateFault) -> str:
    line = f", line {fault.line}" if fault.line is not None else ""
    return f"{name}{line}: {fault.what}"
