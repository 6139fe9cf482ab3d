"""OCRBench v2: answers that are a word, a sentence, a number, a formula or a letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from vlmhb_benchmarks.metrics.distance import similarity

_NUMBER = re.compile(r"\d+")
_TEXT_COMMAND = re.compile(r"\\text\{([^{}]*)\}")
_JOINTS = ("", ".", ". ", ",", ", ", "、", ";", "; ", " ", "和")
_FEW_WORDS = 5
_FEW_PARTS = 4
_SIMILAR = 0.5


def multiple_choice(answer: str, references: Sequence[str]) -> float:
    """All letters of the reply together must be the key: 'B.' is right, 'The answer is B' is not."""
    letters = "".join(char for char in answer if char.isalpha())
    return float(letters == references[0])


def short_or_similar(answer: str, references: Sequence[str]) -> float:
    """A reference of fewer than 5 words: contained; a longer one: edit similarity of at least 0.5."""
    return _best(_flat(answer.lower()), references, prepare=_lower_flat, is_short=_few_words)


def case_sensitive(answer: str, references: Sequence[str]) -> float:
    return _best(_flat(answer), references, prepare=_flat, is_short=_few_words)


def chinese(answer: str, references: Sequence[str]) -> float:
    """As `short_or_similar` without any blank; short is fewer than 4 parts between commas."""
    return _best(_no_blanks(answer), references, prepare=_no_blanks, is_short=_few_parts)


def _best(
    answer: str,
    references: Sequence[str],
    *,
    prepare: Callable[[str], str],
    is_short: Callable[[str], bool],
) -> float:
    def one(reference: str) -> float:
        if is_short(reference):
            return float(reference in answer)
        alike = similarity(answer, reference)
        return alike if alike >= _SIMILAR else 0.0

    return max(one(prepare(reference)) for reference in references)


def _flat(text: str) -> str:
    return text.strip().replace("\n", " ")


def _lower_flat(text: str) -> str:
    return _flat(text.lower())


def _no_blanks(text: str) -> str:
    return _lower_flat(text).replace(" ", "")


def _few_words(reference: str) -> bool:
    return len(reference.split()) < _FEW_WORDS


def _few_parts(reference: str) -> bool:
    return len(reference.split(",")) < _FEW_PARTS


def count_contained(answer: str, references: Sequence[str]) -> float:
    """The official rule for 'exact match': '17 items' contains '7'."""
    return float(any(_lower_flat(reference) in answer for reference in references))


def count_near(answer: str, references: Sequence[str]) -> float:
    """1 - relative error of the first whole number, if that is above 0.5. Raises ValueError: reference is no number."""
    numbers = [int(reference) for reference in references]
    found = _NUMBER.search(answer)
    return max(_nearness(int(found.group()[:18]), number) for number in numbers) if found else 0.0


def _nearness(answer: int, number: int) -> float:
    if not 0 < answer < 2 * number:
        return 0.0
    near = 1 - abs(answer - number) / number
    return near if near > _SIMILAR else 0.0


def formula(answer: str, references: Sequence[str]) -> float:
    r"""Contained, blanks and line breaks aside."""
    written = _solid(answer)
    return float(any(_solid(reference) in written for reference in references))


def chinese_formula(answer: str, references: Sequence[str]) -> float:
    r"""As `formula`, with the contents of `\text{...}` in their place."""
    return formula(_untexted(answer), [_untexted(reference) for reference in references])


def _solid(text: str) -> str:
    return _flat(text).replace(" ", "")


def _untexted(text: str) -> str:
    return _TEXT_COMMAND.sub(r"\1", text)


def handwritten(answer: str, references: Sequence[str]) -> float:
    """The letters of the key in a row, apart, or with a comma, a point, a semicolon or 'and' between them."""
    key = references[0]
    return float(any(joint.join(key) in answer for joint in _JOINTS))
