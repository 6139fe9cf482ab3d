"""Checks what a model gives back before it goes on the wire: kinds, counts, texts that can be encoded."""

from __future__ import annotations

import json
import operator
from dataclasses import replace

from vlmhb_models.base import Generation


class ModelRaised(Exception):
    """Carries what the model raised, so that it cannot be taken for an error of the server's own."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(describe_error(error))


def describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def check_all(generations: list[Generation], *, expected: int) -> list[Generation]:
    """A wrong number or kind of answers would give some sample another one's text: refused as a whole."""
    if not isinstance(generations, (list, tuple)):
        raise TypeError(f"generate() has to give a list of Generation objects, not {generations!r:.80}")
    if len(generations) != expected:
        raise ValueError(f"generate() gave {len(generations)} answers to {expected} requests")
    return [check_generation(generation) for generation in generations]


def check_generation(generation: Generation) -> Generation:
    """The same answer with plain counts. Raises what the user is told when it cannot be sent as it is."""
    if not isinstance(generation, Generation):
        raise TypeError(f"generate() has to give Generation objects with a str, not {generation!r:.80}")
    check_text(generation.text)
    json.dumps(generation.extra)  # raises TypeError, ValueError
    return replace(
        generation,
        input_tokens=_count(generation.input_tokens, name="input_tokens"),
        output_tokens=_count(generation.output_tokens, name="output_tokens"),
        image_tokens=_count(generation.image_tokens, name="image_tokens"),
    )


def check_text(text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"generate() has to give Generation objects with a str, not {text!r:.80}")
    text.encode()  # raises UnicodeEncodeError for half of a surrogate pair, which no request can carry


def _count(value: int | None, *, name: str) -> int | None:
    """NumPy and torch counts become plain ones. Raises `ValueError`, `TypeError`."""
    count = None if value is None else operator.index(value)
    if count is not None and count < 0:
        raise ValueError(f"{name} is {count}")
    return count
