"""Templates of strangers: what they can say, and everything that they must not be able to do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vlmhb_stages.prepare.renderer import Renderer, RenderLimits
from vlmhb_stages.prepare.templates import MAX_CHARACTERS, Ask, TemplateFault

VARIABLES: dict[str, Any] = {
    "question": "Какая дата?",
    "choices": ["да", "нет"],
    "metadata": {"doc_class": "паспорт"},
    "images": 2,
}


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as made:
        yield made


def rendered(renderer: Renderer, template: str, **more: Any) -> str:
    (text,) = renderer.render([Ask(template=template, variables={**VARIABLES, **more})])
    return text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ question }}", "Какая дата?"),
        ("{{ question | upper }} — {{ metadata.doc_class }}", "КАКАЯ ДАТА? — паспорт"),
        ("{% for choice in choices %}{{ loop.index }}. {{ choice }}\n{% endfor %}", "1. да\n2. нет\n"),
        ("{% if images > 1 %}{{ images }} pages{% endif %}", "2 pages"),
        ("{% if language is defined %}{{ language }}{% else %}any{% endif %}", "any"),
        ("a\r\n{{ question }}\r\nb\r\n", "a\nКакая дата?\nb"),  # line ends are equal, the last one goes
        ('{"question": "{{ question }}"}', '{"question": "Какая дата?"}'),
        ("{{ choices | tojson }}", '["\\u0434\\u0430", "\\u043d\\u0435\\u0442"]'),
        ("{# a note #}{{ images * 2 + 1 }}", "5"),
        ("{{ '<b>' }} & co", "<b> & co"),  # a prompt is no HTML
    ],
)
def test_what_a_template_gives(renderer: Renderer, template: str, text: str) -> None:
    assert rendered(renderer, template) == text


@pytest.mark.parametrize(
    ("template", "what", "line"),
    [
        ("{{ nobody }}", "'nobody' is undefined", 1),
        ("one\ntwo {{ metadata.language }}", "no attribute 'language'", 2),
        ("{{ question }", "unexpected '}'", 1),
        ("{% if question %}", "Unexpected end of template", 1),
        ("{{ question | shout }}", "No filter named 'shout'", 1),
        ("\n\n{{ metadata }}", "an expression gives a dict", 3),
        ("{{ none }}", "an expression gives None", 1),
        ("{{ choices | map('upper') }}", "an expression gives a generator", 1),  # its text holds an address
        ("{{ 1 / 0 }}", "division by zero", 1),
    ],
)
def test_a_mistake_names_its_line(renderer: Renderer, template: str, what: str, line: int) -> None:
    with pytest.raises(TemplateFault) as caught:
        rendered(renderer, template)
    assert what in caught.value.what
    assert caught.value.line == line


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ question.__class__.__mro__[1].__subclasses__() }}",
        "{{ '' | attr('__class__') }}",
        "{{ ''['__class__'] }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ range.__globals__ }}",
        "{{ question.encode.__self__.__class__ }}",
        "{{ '{0.__class__}'.format(question) }}",
        "{% set f = '{0.__class__}'.format %}{{ f(question) }}",
        "{{ ''.join.__func__ }}",
        "{{ metadata.update({'a': 'b'}) }}",
        "{{ choices.append('x') }}",
        "{% include '/etc/passwd' %}",
        "{% extends 'base' %}",
        "{% import 'os' as os %}",
        "{% from 'os' import system %}",
        "{{ choices | random }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
    ],
)
def test_nothing_can_be_reached_from_a_template(renderer: Renderer, template: str) -> None:
    with pytest.raises(TemplateFault):
        rendered(renderer, template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ [0] * 10**10 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'a' | center(10**10) }}",
        "{{ range(10**9) | list }}",
        "{% for i in range(99999) %}" + "x" * 10 + "{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    ],
)
def test_what_would_take_too_much_memory_is_a_fault(renderer: Renderer, template: str) -> None:
    with pytest.raises(TemplateFault):
        rendered(renderer, template)
    assert rendered(renderer, "{{ question }}") == "Какая дата?"  # the next one is served all the same


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",  # one instruction of the interpreter: nothing but a kill ends it
    ],
)
def test_what_would_take_too_long_is_killed(template: str) -> None:
    with Renderer(RenderLimits(seconds=0.3)) as renderer:
        started = time.monotonic()
        with pytest.raises(TemplateFault, match=r"longer than 0\.3 s"):
            rendered(renderer, template)
        assert time.monotonic() - started < 5
        assert rendered(renderer, "{{ question }}") == "Какая дата?"


def test_as_much_text_as_is_allowed(renderer: Renderer) -> None:
    assert len(rendered(renderer, "{{ text }}", text="x" * MAX_CHARACTERS)) == MAX_CHARACTERS
    with pytest.raises(TemplateFault, match="more than"):
        rendered(renderer, "{{ text }}!", text="x" * MAX_CHARACTERS)


def test_the_process_can_open_nothing(renderer: Renderer) -> None:
    """Were the sandbox broken: its process cannot open a file, and cannot grow one."""
    rendered(renderer, "{{ question }}")
    process = renderer._process
    assert process is not None
    lines = Path(f"/proc/{process.pid}/limits").read_text(encoding="utf-8").splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max open files"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max address space"][0] != "unlimited"


def test_the_process_ends_with_its_owner() -> None:
    with Renderer() as renderer:
        rendered(renderer, "{{ question }}")
        process = renderer._process
        assert process is not None and process.pid is not None
        number = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_variables_that_a_template_takes(renderer: Renderer) -> None:
    loop = "{% for one in choices %}{{ one }}{% endfor %}"
    template = loop + "{% set own = 1 %}{{ question }}{{ own }}{{ range(1) | list | length }}"
    assert set(renderer.check(template)) == {"choices", "question"}
