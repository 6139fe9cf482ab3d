"""The words of the system and the user message: a template of the `prompt_config`, else the card's own.

A template is the whole message; without one, the card's template and system prompt apply. Nothing here ever sees a
reference answer of the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_stages.contracts import Message
from vlmhb_stages.prepare.chosen import Chosen, Template, Templates
from vlmhb_stages.prepare.prompts import PLACEHOLDER, Asked, with_choices
from vlmhb_stages.prepare.templates import Ask
from vlmhb_stages.specs import PrepareSpec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is asked about: a sample or a worked example. `name` is for messages.

    `metadata` None: nothing is known of its kind, so that a template that depends on it cannot be rendered."""

    name: str
    asked: Asked
    metadata: Mapping[str, str] | None
    choices: tuple[str, ...] = ()
    images: int = 0


class Wording:
    """Words for subjects, by the spec and its templates."""

    def __init__(self, spec: PrepareSpec, *, templates: Templates) -> None:
        self._spec, self._templates = spec, templates

    @property
    def asks_by_kind(self) -> bool:
        return self._templates.are_by_kind

    def chosen(self, subject: Subject) -> Chosen:
        return self._templates.chosen(subject.metadata or {})

    def messages(self, subject: Subject) -> tuple[Message, ...]:
        """System message, where there is one, and user message. Raises `PrepareFailed` for a template that cannot be
        rendered for the subject."""
        chosen = self.chosen(subject)
        jinja = [one for one in (chosen.system, chosen.user) if one is not None and one.is_jinja]
        texts = self._rendered(subject, jinja)
        told = self._spec.system_prompt
        if chosen.system is not None:
            told = texts.get(chosen.system.name, chosen.system.text)
        user = self._user(subject, chosen.user, texts)
        return (*((Message(role="system", content=told),) if told else ()), user)

    def user(self, subject: Subject) -> Message:
        """The user message alone, as `messages`."""
        template = self.chosen(subject).user
        jinja = [template] if template is not None and template.is_jinja else []
        return self._user(subject, template, self._rendered(subject, jinja))

    def _rendered(self, subject: Subject, templates: Sequence[Template]) -> dict[str, str]:
        """By the template's name."""
        asks = [Ask(template=one.text, variables=_variables(subject, template=one)) for one in templates]
        names = [one.name for one in templates]
        return dict(zip(names, self._templates.render(asks, names=names, called=subject.name), strict=True))

    def _user(self, subject: Subject, template: Template | None, texts: Mapping[str, str]) -> Message:
        text = self._plain(subject) if template is None else texts.get(template.name, template.text)
        sentence = self._spec.chain_of_thought
        return Message(role="user", content=f"{text}\n{sentence}" if sentence else text)

    def user_template(self, subject: Subject) -> str:
        """The user message before anything of the sample is in it."""
        chosen = self.chosen(subject)
        if chosen.user is not None:
            return chosen.user.text
        text = PLACEHOLDER if subject.asked.is_own else subject.asked.text
        return self._around(text, subject.asked)

    def system_template(self, subject: Subject) -> str | None:
        chosen = self.chosen(subject)
        return (chosen.system.text if chosen.system is not None else self._spec.system_prompt) or None

    def _plain(self, subject: Subject) -> str:
        return self._around(with_choices(subject.asked.text, subject.choices), subject.asked)

    def _around(self, text: str, asked: Asked) -> str:
        template = self._spec.template
        return template.replace(PLACEHOLDER, text) if template is not None and asked.is_question else text


def _variables(subject: Subject, *, template: Template) -> Mapping[str, Any]:
    """All that a template can know: plain data, of the side of a sample that a model may see.

    Choices are listed below the question, unless the template does something with them itself."""
    text = subject.asked.text
    own: dict[str, Any] = {
        "question": text if "choices" in template.variables else with_choices(text, subject.choices),
        "choices": list(subject.choices),
        "images": subject.images,
    }
    if subject.metadata is None:
        return own
    metadata = dict(subject.metadata)
    doc_class = metadata.get("doc_class", "")
    named = {
        "metadata": metadata,
        "doc_class": doc_class,
        "doc_type": metadata.get("doc_type", doc_class),  # the prototype's word
        "question_type": metadata.get("question_type", ""),
    }
    return {**metadata, **named, **own}
