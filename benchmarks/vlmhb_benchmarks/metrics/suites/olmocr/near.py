"""Finds a text inside a longer one with a few edits allowed (Myers 1999, bit-parallel)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Match:
    """A place where the text begins, and the edits it takes to read it there."""

    start: int
    edits: int


def find_near(pattern: str, text: str, *, max_edits: int) -> list[Match]:
    """The best start of each group of overlapping matches, in order of the text."""
    if max_edits == 0:
        return list(_exact(pattern, text))
    starts = [Match(start=len(text) - end, edits=edits) for end, edits in _ends(pattern[::-1], text[::-1])]
    near = sorted((match for match in starts if match.edits <= max_edits), key=lambda match: match.start)
    return list(_best_of_groups(near, reach=max(1, len(pattern) - max_edits)))


def _exact(pattern: str, text: str) -> Iterator[Match]:
    start = text.find(pattern)
    while start >= 0:
        yield Match(start=start, edits=0)
        start = text.find(pattern, start + 1)


def _best_of_groups(matches: list[Match], *, reach: int) -> Iterator[Match]:
    """Two matches overlap if the second begins before the shortest text that the first can be has ended."""
    group: list[Match] = []
    for match in matches:
        if group and match.start - group[-1].start >= reach:
            yield min(group, key=lambda member: member.edits)
            group = []
        group.append(match)
    if group:
        yield min(group, key=lambda member: member.edits)


def _ends(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """(end, edits): for each end of a piece of the text, the least edits that turn some piece into the pattern."""
    places: dict[str, int] = {}
    for index, char in enumerate(pattern):
        places[char] = places.get(char, 0) | 1 << index
    last, every = 1 << (len(pattern) - 1), (1 << len(pattern)) - 1
    more, fewer, edits = every, 0, len(pattern)
    for end, char in enumerate(text, start=1):
        same = places.get(char, 0)
        across = (((same & more) + more) ^ more) | same
        up, down = fewer | ~(across | more), more & across
        edits += bool(up & last) - bool(down & last)
        up, down = up << 1, down << 1
        same |= fewer
        more, fewer = (down | ~(same | up)) & every, up & same & every
        yield end, edits
