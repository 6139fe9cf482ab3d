"""The kinds of tests that a page can be put to: what must be there, what must not, in which order, in which cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vlmhb_benchmarks.metrics.layout.formula import normalise_formula
from vlmhb_benchmarks.metrics.suites.olmocr.grid import Grid, Side, grids_of
from vlmhb_benchmarks.metrics.suites.olmocr.near import find_near

Test = Mapping[str, Any]

_MARKUP = (
    (re.compile(r"<br/?>"), " "),
    (re.compile(r"\*\*(.*?)\*\*"), r"\1"),
    (re.compile(r"__(.*?)__"), r"\1"),
    (re.compile(r"</?[bi]>"), ""),
    (re.compile(r"(\*\*|__)(.*?)\1"), r"\2"),
    (re.compile(r"(\*|_)(.*?)\1"), r"\2"),
    (re.compile(r"\s+"), " "),
)
_PLAIN = str.maketrans("‘’‚“”„–—‑‒−＿µ", "'''" + '"""' + "-----_μ")
_IMAGE = re.compile(r"!\[.*?\]\(.*?\)")
_FOREIGN = re.compile(
    "[\u4e00-\u9fff\u3040-\u309f\u30a0-\u30ff\U0001f600-\U0001f64f\U0001f300-\U0001f5ff"
    "\U0001f680-\U0001f6ff\U0001f1e0-\U0001f1ff]"
)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|\$([^$\n]+?)\$", re.DOTALL)
_MAX_REPEATS = 30
_LONGEST_REPEATED = 5
_CELL_SIDES: tuple[Side, ...] = ("up", "down", "left", "right")
_HEADING_SIDES: Mapping[str, Side] = {"top_heading": "up", "left_heading": "left"}
_LEAST_ALIKE = 0.5


def normalise(text: str) -> str:
    """Without line breaks in tags, bold and italics; blanks single, NFC, plain quotes and dashes."""
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return unicodedata.normalize("NFC", text).translate(_PLAIN)


def present(page: str, test: Test) -> bool:
    """The best window of the page is as like the text as `max_diffs` edits allow."""
    from rapidfuzz import fuzz

    wanted, text = normalise(str(test["text"])), normalise(page)
    if not test.get("case_sensitive", True):
        wanted, text = wanted.lower(), text.lower()
    first, last = int(test.get("first_n") or 0), int(test.get("last_n") or 0)
    if first or last:
        text = text[:first] + (text[-last:] if last else "")
    return fuzz.partial_ratio(wanted, text) / 100.0 >= _least(test, wanted)


def absent(page: str, test: Test) -> bool:
    return not present(page, test)


def in_order(page: str, test: Test) -> bool:
    """Some place of `before` lies before some place of `after`."""
    text, edits = normalise(page), int(test.get("max_diffs") or 0)
    before = find_near(normalise(str(test["before"])), text, max_edits=edits)
    after = find_near(normalise(str(test["after"])), text, max_edits=edits)
    return bool(before and after) and before[0].start < after[-1].start


def in_table(page: str, test: Test) -> bool:
    """Some cell of some table is like `cell`, with neighbours and headings like those that are asked for."""
    grids = grids_of(page, markdown=not test.get("ignore_markdown_tables", False))
    return any(_holds(grid, index, test) for grid in grids for index in _like(grid, str(test["cell"]), test))


def _like(grid: Grid, text: str, test: Test) -> Iterator[int]:
    wanted = normalise(text)
    return (index for index in range(len(grid.cells)) if _alike(grid, index, wanted=wanted, test=test))


def _holds(grid: Grid, index: int, test: Test) -> bool:
    asked: dict[str, set[int]] = {
        **{str(side): grid.beside(index, side) for side in _CELL_SIDES if test.get(side)},
        **{name: grid.headings(index, side) for name, side in _HEADING_SIDES.items() if test.get(name)},
    }
    return all(
        any(_alike(grid, other, wanted=normalise(str(test[name])), test=test) for other in others)
        for name, others in asked.items()
    )


def _alike(grid: Grid, index: int, *, wanted: str, test: Test) -> bool:
    from rapidfuzz import fuzz

    ratio = fuzz.ratio(wanted, normalise(grid.cells[index].cell.text)) / 100.0
    return ratio >= max(_LEAST_ALIKE, _least(test, wanted))


def _least(test: Test, wanted: str) -> float:
    return 1.0 - int(test.get("max_diffs") or 0) / (len(wanted) or 1)


def formula(page: str, test: Test) -> bool:
    """Some formula of the page is the same LaTeX after normalisation (official: the same when rendered by KaTeX)."""
    wanted = normalise_formula(str(test["math"]))
    groups = (next(group for group in match.groups() if group) for match in _FORMULA.finditer(page))
    return any(normalise_formula(found) == wanted for found in groups)


def baseline(page: str, test: Test) -> bool:
    """A page with `max_length` must be as good as blank. Any other holds text, no endless repeats, no emoji or CJK."""
    if test.get("max_length") is not None:
        text = _IMAGE.sub("", page) if test.get("max_length_skips_image_alt_tags") else page
        return _letters(text) <= int(test["max_length"])
    most = int(test.get("max_repeats", _MAX_REPEATS))
    foreign = test.get("check_disallowed_characters", True) and _FOREIGN.search(page)
    return _letters(page) > 0 and not foreign and all(count <= most for count in _repeats(page))


def _letters(text: str) -> int:
    return sum(char.isalnum() for char in text)


def _repeats(page: str) -> Iterator[int]:
    """How often in a row the page ends with its last 1, 2 ... 5 characters."""
    text = re.sub(r"\s+", " ", page)
    for size in range(1, min(_LONGEST_REPEATED, len(text)) + 1):
        tail, count, start = text[-size:], 0, len(text) - size
        while start >= 0 and text[start : start + size] == tail:
            count, start = count + 1, start - size
        yield count


KINDS: Mapping[str, Callable[[str, Test], bool]] = {
    "present": present,
    "absent": absent,
    "order": in_order,
    "table": in_table,
    "math": formula,
    "baseline": baseline,
}
