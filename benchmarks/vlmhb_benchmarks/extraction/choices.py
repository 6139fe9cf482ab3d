"""Finds which choice a reply names: by letter, by marker, by the text of the choice. Never guesses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.extraction.plain import last_boxed
from vlmhb_benchmarks.metrics.answers.labels import bare
from vlmhb_benchmarks.metrics.answers.substring import contains_whole
from vlmhb_benchmarks.metrics.base import Context
from vlmhb_benchmarks.metrics.text import normalise

_UNKNOWN = "ABCDEFGH"  # letters that may be meant where the choices are not known
_MARKER = r"(?:answer|choice|option|ответ|вариант)"
_LINK = r"(?:\s{0,3}(?:is|are|:|-|—|=|будет|это)){0,2}"
_NEXT_WORD = re.compile(r"[ \t]{1,3}(\w{1,20})")
# Words that follow a label and no article.
_AFTER_LABEL = frozenset({"and", "are", "as", "because", "but", "is", "or", "since", "и", "или", "так"})
_WORDY = 5  # MMMU looks for the text of a choice only in replies with more words


def letters_of(choices: Sequence[str]) -> str:
    count = min(len(choices), 26)
    return "".join(chr(ord("A") + position) for position in range(count)) or _UNKNOWN


@lru_cache(maxsize=64)
def _marked(letters: str) -> re.Pattern[str]:
    """`The correct answer is (B)`, `Answer: **B**`, `Ответ: B`: marker in any case, letter in upper case."""
    frame = r"[\s(\[{*\"'$]{0,6}"
    return re.compile(rf"(?i:\b{_MARKER}{_LINK}){frame}([{letters}])(?![\w'’])")


@lru_cache(maxsize=64)
def _bracketed(letters: str) -> re.Pattern[str]:
    return re.compile(rf"[(\[{{]\s?([{letters}])\s?[)\]}}]|\*\*([{letters}])[.):]?\*\*")


@lru_cache(maxsize=64)
def _alone(letters: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'’.-])([{letters}])(?![\w'’-])")


def choice_of(reply: str, choices: Sequence[str]) -> str | None:
    """The letter of the choice that `reply` names; None if it names none, or several without deciding."""
    letters = letters_of(choices)
    whole = _whole(reply, choices, letters=letters)
    if whole:
        return whole
    box = last_boxed(reply)
    if box is not None and (inner := _whole(box, choices, letters=letters)):
        return inner
    if marked := _letters(_marked(letters), reply):
        return marked[-1]
    for pattern in (_bracketed(letters), _alone(letters)):
        found = set(_letters(pattern, reply))
        if len(found) == 1:
            return found.pop()
    return _only_text(reply, choices, letters=letters)


def _letters(pattern: re.Pattern[str], reply: str) -> list[str]:
    return [str(match[match.lastindex or 0]) for match in pattern.finditer(reply) if not _is_article(match)]


def _whole(reply: str, choices: Sequence[str], *, letters: str) -> str | None:
    """The reply is a letter (in any case), or the text of a choice, or both."""
    label = bare(reply)
    if len(label) == 1 and label.upper() in letters:
        return label.upper()
    texts = [bare(choice) for choice in choices]
    if label and label in texts[: len(letters)]:
        return letters[texts.index(label)]
    for letter, text in zip(letters, texts, strict=False):
        if label[:1] == letter.lower() and label[1:2] in (".", ")", ":", " ") and bare(label[1:]) == text:
            return letter
    return None


def _is_article(match: re.Match[str]) -> bool:
    """`A dog`, `I see`: the letter begins a phrase. `A.`, `A)`, `A is right`, `A or B` and a last `A` are labels."""
    if match[match.lastindex or 0] not in "AI":
        return False
    word = _NEXT_WORD.match(match.string, match.end(match.lastindex or 0))
    return word is not None and word[1].lower() not in _AFTER_LABEL


def _only_text(reply: str, choices: Sequence[str], *, letters: str) -> str | None:
    """The one choice whose text stands in the reply; a text inside another one that stands there is not counted.

    A choice beyond the last letter has none."""
    named = _named(reply, choices)
    return letters[named[0]] if len(named) == 1 and named[0] < len(letters) else None


def _named(reply: str, choices: Sequence[str]) -> list[int]:
    plain = normalise(reply)
    texts = [bare(choice) for choice in choices]
    there = [position for position, text in enumerate(texts) if text and contains_whole(plain, text)]
    return [
        position
        for position in there
        if not any(other != position and texts[position] in texts[other] for other in there)
    ]


def choice_letter(reply: str, context: Context) -> Extracted:
    letter = choice_of(reply, context.choices)
    return Extracted(text=letter or "", found=letter is not None)


def mmmu_letter(reply: str, choices: Sequence[str]) -> str | None:
    """MMMU's order: bracketed, alone before a blank, alone before a full stop, the text in a longer reply.

    Of several candidates the last counts."""
    letters = letters_of(choices)
    trimmed = reply
    for sign in ",.!?;:'":
        trimmed = trimmed.strip(sign)
    trimmed = f" {trimmed} "
    for pattern in (rf"\(([{letters}])\)", rf"(?<!\w)([{letters}]) ", rf"(?<!\w)([{letters}])\."):
        found = [match for match in re.finditer(pattern, trimmed) if not _is_article(match)]
        if found:
            return found[-1].group(1)
    if len(trimmed.split()) <= _WORDY:
        return None
    return _last_text(trimmed.lower(), choices, letters=letters)


def _last_text(reply: str, choices: Iterable[str], *, letters: str) -> str | None:
    places = {
        letter: reply.rfind(choice.lower())
        for letter, choice in zip(letters, choices, strict=False)
        if choice
    }
    best = max(places, key=lambda letter: places[letter], default=None)
    return best if best is not None and places[best] >= 0 else None


CHOICE_LETTER = Extraction(
    name="choice_letter",
    version="1",
    description="the letter of the choice: the whole reply, \\boxed{}, after `answer is`, the only bracketed letter, "
    "the only letter that stands alone (no article), the only choice whose text is there",
    source="MMBench (Liu et al. 2023, arXiv:2307.06281) as VLMEvalKit's matching without a judge, made stricter",
    on_miss="nothing, so the sample is wrong: no letter is guessed",
    rule=choice_letter,
)
