"""What can be said of a prompt template before it is rendered: its form, and the variables that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vlmhb_stages.specs import TEMPLATE_FUNCTIONS

if TYPE_CHECKING:
    from jinja2.nodes import Template

_ASKING_TESTS = ("defined", "undefined")
_ASKING_FILTERS = ("default", "d")


def template_fault(text: str) -> str | None:
    """What is wrong with the form of a Jinja template; None where nothing is, or where Jinja is not installed here:
    then `prepare` says it, before any model is asked."""
    if find_spec("jinja2") is None:
        return None
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        _names_in(ImmutableSandboxedEnvironment(optimized=False).parse(text))
    except TemplateSyntaxError as error:
        return f"{error.message}, line {error.lineno} of the template"
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "a whole number of thousands of digits"
    return None


def needed_variables(text: str) -> tuple[str, ...]:
    """Names without which the template cannot be rendered, sorted; of a template whose form is right.

    Not among them is what it asks for with `is defined` or gives a `default`. Nothing where Jinja is not installed."""
    if find_spec("jinja2") is None:
        return ()
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    tree = ImmutableSandboxedEnvironment(optimized=False).parse(text)
    return tuple(sorted(_names_in(tree) - {*TEMPLATE_FUNCTIONS, *_asked_for(tree)}))


def _names_in(tree: Template) -> set[str]:
    """What `meta.find_undeclared_variables` gives, but nothing is worked out for it: `{{ 'a' * 10**9 }}` in somebody's
    prompts must cost this process nothing."""
    from jinja2 import meta, pass_context

    @pass_context
    def only_known_later(_: object, value: object) -> object:
        return value

    environment = tree.environment
    if environment is None:
        raise ValueError("a tree that was not parsed")
    environment.finalize = only_known_later
    finder = meta.TrackingCodeGenerator(environment)
    finder.optimizer = None
    finder.visit(tree)
    return finder.undeclared_identifiers


def _asked_for(tree: Template) -> Iterator[str]:
    from jinja2 import nodes

    for test in tree.find_all(nodes.Test):
        if test.name in _ASKING_TESTS and isinstance(test.node, nodes.Name):
            yield test.node.name
    for given in tree.find_all(nodes.Filter):
        if given.name in _ASKING_FILTERS and isinstance(given.node, nodes.Name):
            yield given.node.name
