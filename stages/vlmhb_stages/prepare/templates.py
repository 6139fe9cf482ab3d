"""Jinja templates in a sandbox: what one may say, and the text that it gives. Runs in `renderer`'s own process.

Immutable sandbox, undefined names are errors, no loaders (a template is one text), and nothing random: equal input
gives equal text. Variables are plain data, so there is no object behind which anything else could be reached."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pprint import pformat
from textwrap import wrap
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.debug import rewrite_traceback_stack
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vlmhb_stages.specs import TEMPLATE_FUNCTIONS

# What Jinja imports when it first needs it: by then no file can be opened any more.
LOADED_EARLY = (rewrite_traceback_stack, codecs.lookup("unicode-escape"), pformat, wrap)
MAX_CHARACTERS = 262_144
_MARKS = re.compile(r"\{\{|\{%|\{#")
_NO_LOADER = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_RANDOM_FILTERS = ("random",)
_FAULTS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


class TemplateFault(Exception):
    """`line` of the template, from 1, where it is known."""

    def __init__(self, what: str, *, line: int | None = None) -> None:
        self.what, self.line = what, line
        super().__init__(what)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One text to make."""

    template: str
    variables: Mapping[str, Any]


def is_template(text: str) -> bool:
    """Whether Jinja would do anything with it; other texts are taken as they are."""
    return _MARKS.search(text) is not None


def plain(text: str) -> str:
    """A text without Jinja marks, as Jinja gives it: line ends are `\\n`, one at the very end goes."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _printable(value: object) -> object:
    """Only what has one clear text may be printed: no None, no list, nothing with an address in its text."""
    if isinstance(value, Undefined):
        return str(value)  # raises
    if not isinstance(value, str | int | float):
        kind = "None" if value is None else f"a {type(value).__name__}"
        raise TemplateFault(f"an expression gives {kind}, which is no text")
    return value


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        loader=None,
        optimized=False,  # constants are not worked out while it is compiled
        finalize=_printable,
    )
    made.globals = {name: made.globals[name] for name in TEMPLATE_FUNCTIONS}
    for name in _RANDOM_FILTERS:
        del made.filters[name]
    return made


_sandbox = _environment()
_compiled: dict[str, Any] = {}


def check(template: str) -> None:
    """Raises `TemplateFault` for what could never be rendered."""
    try:
        tree = _sandbox.parse(template)
        for node in tree.find_all(_NO_LOADER):
            raise TemplateFault("a template cannot load another one", line=node.lineno)
        _compile(template)
    except TemplateSyntaxError as error:
        raise TemplateFault(error.message or "not a template", line=error.lineno) from None
    except RecursionError:
        raise TemplateFault("nested too deeply") from None


def variables_of(template: str) -> tuple[str, ...]:
    """Names that the template takes from outside, of a template that was checked."""
    return tuple(sorted(meta.find_undeclared_variables(_sandbox.parse(template)) - set(TEMPLATE_FUNCTIONS)))


def render(ask: Ask) -> str:
    """Raises `TemplateFault`; `MemoryError` is the caller's."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in _compile(ask.template).generate(ask.variables):
            size += len(piece)
            if size > MAX_CHARACTERS:
                raise TemplateFault(f"it gives more than {MAX_CHARACTERS} characters")
            pieces.append(piece)
    except TemplateFault as fault:
        raise TemplateFault(fault.what, line=fault.line or _line_of(fault)) from None
    except TemplateSyntaxError as error:
        raise TemplateFault(error.message or "not a template", line=error.lineno) from None
    except TemplateError as error:  # undefined names and what the sandbox forbids
        raise TemplateFault(error.message or type(error).__name__, line=_line_of(error)) from None
    except _FAULTS as error:
        raise TemplateFault(f"{type(error).__name__}: {error}", line=_line_of(error)) from None
    return "".join(pieces)


def _compile(template: str) -> Any:
    if template not in _compiled:
        _compiled[template] = _sandbox.from_string(template)
    return _compiled[template]


def _line_of(error: BaseException) -> int | None:
    """Where in the template it happened: Jinja rewrites tracebacks to the template's own lines."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in ("<template>", "<unknown>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
