"""Keeps worked examples apart from the samples that they should help with."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.shots import Example, Examples, Shots

LONG_ANSWER = 40  # characters; a text of that length is not equal by chance
_HINT = "take examples from another split than the one that is tested"
_ID_HINT = f"{_HINT}; if it is another sample that only has the same id, leave id out of the example"


class LeakCheck:
    """Is told every sample that is asked. An example that is one of them is refused: equal id, an equal image, or,
    where neither has an image, equal question and answer. Equal words over other images are counted and told."""

    def __init__(self, examples: Examples) -> None:
        self._file, chosen = examples.file, examples.chosen
        self._by_id = {example.id: example for example in chosen if example.id is not None}
        self._by_words = {
            (_norm(example.question), _norm(example.answer)): example
            for example in reversed(chosen)
            if example.question is not None
        }
        long = ((_norm(example.answer), example) for example in reversed(chosen))
        self._by_long_answer = {answer: example for answer, example in long if len(answer) >= LONG_ANSWER}
        self._by_image: dict[str, Example] = {}  # by sha256
        self._near = 0
        self._first_near = ""

    def know(self, shots: Shots) -> None:
        """The examples' images, once they are in place."""
        for shot in shots.shots:
            for image in shot.images:
                self._by_image.setdefault(image.sha256, shot.example)

    def look(self, sample: RawSample) -> None:
        """By id and by words. Raises `PrepareFailed` naming both."""
        where = f"sample {sample.sample_id} ({sample.file}, row {sample.row})"
        same = self._by_id.get(sample.sample_id)
        if same is not None:
            raise self._leak(same, f"has the id of {where}", hint=_ID_HINT)
        question, answers = _norm(sample.question), [_norm(answer) for answer in sample.references]
        words = _first(self._by_words.get((question, answer)) for answer in answers)
        if words is not None and not words.images and not sample.images:
            raise self._leak(words, f"asks and answers the same as {where}")
        near = words or _first(self._by_long_answer.get(answer) for answer in answers)
        if near is not None:
            self._near += 1
            self._first_near = self._first_near or f"row {near.row} and {where}"

    def look_at_images(self, sample: RawSample, images: Iterable[ImageRef]) -> None:
        """By content. Raises `PrepareFailed` naming both."""
        for image in images:
            same = self._by_image.get(image.sha256)
            if same is not None:
                where = f"sample {sample.sample_id} ({sample.file}, row {sample.row})"
                raise self._leak(same, f"shows the same image ({', '.join(same.images)}) as {where}")

    def warnings(self) -> list[str]:
        if not self._near:
            return []
        file, pairs = self._file, "1 sample has" if self._near == 1 else f"{self._near} samples have"
        return [
            f"{pairs} the words of an example in {file} over another page or question; first: {self._first_near}"
        ]

    def _leak(self, example: Example, what: str, *, hint: str = _HINT) -> PrepareFailed:
        message = f"the example in {self._file}, row {example.row}, {what}"
        return PrepareFailed(message, hint=hint, code="VHB112")


def _first(found: Iterable[Example | None]) -> Example | None:
    return next((example for example in found if example is not None), None)


def _norm(text: str | None) -> str:
    """Case, width, punctuation and spacing do not tell two texts apart."""
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    letters = (" " if unicodedata.category(char)[0] in "PSC" else char for char in folded)
    return " ".join("".join(letters).split())
