"""Which class a text names: by normalised name, or by its index in the prompt's list of classes."""

from __future__ import annotations

from functools import lru_cache

from vlmhb_benchmarks.metrics.text import normalise

NONE = "None"  # the class of an answer that names none
_EDGES = " \"'`.*[](){}"
_MAX_NAME = 1_000  # characters; a longer text names no class


def class_of(text: str, *, choices: tuple[str, ...] = ()) -> str:
    """The normalised name of the class that `text` names, "" for a blank text.

    A name comes before an index (0-based, as in the prompt `0: invoice, 1: act`); anything else stands for itself."""
    name = _name(text)
    names = _names(choices)
    if name in names or not (name.isascii() and name.isdigit()):
        return name
    index = int(name) if len(name) < 6 else len(names)
    return names[index] if index < len(names) else name


def _name(text: str) -> str:
    return normalise(text[:_MAX_NAME]).strip(_EDGES)


@lru_cache(maxsize=64)
def _names(choices: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_name(choice) for choice in choices)
