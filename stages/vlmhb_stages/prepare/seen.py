"""Remembers images that were changed or are transparent, and samples without any: told once and in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from vlmhb_stages.prepare.images import ImageFacts
from vlmhb_stages.prepare.oddities import WHY


@dataclass
class _Kind:
    """Distinct images (by content) with one property, and the name of the first."""

    first: str = ""
    contents: set[bytes] = field(default_factory=set)

    def add(self, sha256: str, *, name: str) -> None:
        self.first = self.first or name
        self.contents.add(bytes.fromhex(sha256))


class SeenImages:
    """Every image of the dataset is told to it, some of them several times."""

    def __init__(self) -> None:
        self._odd = {word: _Kind() for word in WHY}
        self._holes = _Kind()
        self._bare = 0
        self._first_bare = ""

    def add(self, facts: ImageFacts, *, name: str) -> None:
        for word in facts.oddities:
            self._odd[word].add(facts.sha256, name=name)
        if facts.has_holes:
            self._holes.add(facts.sha256, name=name)

    def add_bare(self, where: str) -> None:
        """A usable sample without any image: a mistake in the name of a key looks like this, too."""
        self._bare += 1
        self._first_bare = self._first_bare or where

    def warnings(self) -> list[str]:
        told = [
            f"converted {_images(kind)}: {WHY[word]}; first: {kind.first}"
            for word, kind in self._odd.items()
            if kind.contents
        ]
        if self._holes.contents:
            told.append(
                f"{_images(self._holes)} with transparent parts, sent as they are: some models see those parts "
                f"black, some white; first: {self._holes.first}"
            )
        if self._bare:
            have = "sample has" if self._bare == 1 else "samples have"
            told.append(f"{self._bare} {have} no image; first: {self._first_bare}")
        return told


def _images(kind: _Kind) -> str:
    count = len(kind.contents)
    return f"{count} image{'' if count == 1 else 's'}"
