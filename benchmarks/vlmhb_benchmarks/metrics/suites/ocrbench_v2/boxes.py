"""OCRBench v2: answers with places on the page: one box, an answer with its box, all words with their boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.suites.literals import literal

_BOX = re.compile(r"[(\[]\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*[)\]]")
_GROUP = re.compile(r"[\[(]([^\[\]()]*)[\])]")
_QUOTED = re.compile(r"\s*\"(.*)\"\s*", re.DOTALL)
_SCALE = 1000  # coordinates are thousandths of the page
_COORDINATES = 4
_MIN_IOU = 0.5
_DO_NOT_CARE = "###"
_EDGE_MARKS = "!?.:,*\"()·[]/'"


@dataclass(frozen=True, kw_only=True)
class Box:
    """Corners as written: the official overlap does not ask whether right is right of left."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True, kw_only=True)
class Word:
    box: Box
    text: str


def box_of(values: Any) -> Box | None:
    """A box from four numbers or texts of numbers, cut to whole ones; None if they are none."""
    try:
        left, top, right, bottom = (int(value) for value in list(values)[:_COORDINATES])
    except (TypeError, ValueError, OverflowError):
        return None
    return Box(left=left, top=top, right=right, bottom=bottom)


def overlap(first: Box, second: Box) -> int:
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(0, width) * max(0, height)


def iou(first: Box, second: Box) -> float:
    shared = overlap(first, second)
    union = first.area + second.area - shared
    return shared / union if union else 0.0


def last_box(answer: str) -> Box | None:
    """The last `(a, b, c, d)` or `[a, b, c, d]` with numbers up to 1000."""
    boxes = (box_of(match.groups()) for match in _BOX.finditer(answer))
    inside = [box for box in boxes if box is not None and _inside(box)]
    return inside[-1] if inside else None


def _inside(box: Box) -> bool:
    return all(0 <= value <= _SCALE for value in (box.left, box.top, box.right, box.bottom))


def answered_words(answer: str) -> list[Word]:
    """`[x1, y1, x2, y2, text]` groups, each once: a Python list of them, or groups found in the text."""
    words: dict[Word, None] = {}
    for group in _groups(answer):
        box = box_of(str(value).strip() for value in group[:_COORDINATES])
        if box is not None and _inside(box):
            text = str(group[_COORDINATES]).replace("\n", "").strip().strip('"').strip("'")
            words[Word(box=box, text=text)] = None
    return [word for word in words if word.box.left < word.box.right and word.box.top < word.box.bottom]


def _groups(answer: str) -> Iterator[Sequence[Any]]:
    data = literal(answer)
    if isinstance(data, list | tuple):
        yield from (item for item in data if isinstance(item, list | tuple) and len(item) > _COORDINATES)
    elif data is None:
        parts = (match.group(1).strip().split(",", _COORDINATES) for match in _GROUP.finditer(answer))
        yield from (group for group in parts if len(group) > _COORDINATES)


def gold_words(boxes: Any, texts: Any) -> list[Word]:
    """From lists of corner coordinates `x, y, x, y, ...` and of texts. Raises ValueError where they are none."""
    if not isinstance(boxes, list) or not isinstance(texts, list):
        raise ValueError("no lists of boxes and texts")
    words = []
    for corners, text in zip(boxes, texts, strict=False):
        xs, ys = corners[0::2], corners[1::2]
        box = box_of((min(xs), min(ys), max(xs), max(ys)))
        if box is None:
            raise ValueError("a box without numbers")
        words.append(Word(box=box, text=str(text)))
    return words


def spotting(answer: Sequence[Word], gold: Sequence[Word]) -> float:
    """F1 of words found at their place (IoU above 0.5) and read right, as in the ICDAR end-to-end protocol.

    A gold word `###` need not be found, and a word found upon it (by more than half of its own area) is not counted."""
    wanted = [word for word in gold if _text(word) != _DO_NOT_CARE]
    ignored = [word for word in gold if _text(word) == _DO_NOT_CARE]
    found = [word for word in answer if not any(_covers(word, open_word) for open_word in ignored)]
    if not wanted or not found:
        return 0.0
    right = _right(found, wanted)
    return 2 * right / (len(found) + len(wanted))


def _covers(word: Word, ignored: Word) -> bool:
    return bool(word.box.area) and overlap(ignored.box, word.box) / word.box.area > _MIN_IOU


def _right(found: Sequence[Word], wanted: Sequence[Word]) -> int:
    """Pairs are made in the order of the gold and of the answer; a pair holds though it is read wrongly."""
    right, free = 0, list(found)
    for gold in wanted:
        hit = next((word for word in free if iou(word.box, gold.box) > _MIN_IOU), None)
        if hit is not None:
            free.remove(hit)
            right += _same(gold=_text(gold).upper(), answer=_text(hit).upper())
    return right


def _text(word: Word) -> str:
    """A transcription in double quotes stands for what is inside them."""
    quoted = _QUOTED.fullmatch(word.text)
    return quoted.group(1).replace("\\\\", "\\").replace('\\"', '"') if quoted else word.text


def _same(*, gold: str, answer: str) -> bool:
    """One mark of punctuation at either end of the gold may be missing in the answer."""
    starts = {0, 1} if gold[:1] and gold[0] in _EDGE_MARKS else {0}
    ends = {len(gold), len(gold) - 1} if gold[-1:] and gold[-1] in _EDGE_MARKS else {len(gold)}
    return any(gold[start:end] == answer for start in starts for end in ends)
