"""Extractions by name: rules that take the answer out of a reply. Importing this package imports no scorer."""

from __future__ import annotations

from difflib import get_close_matches

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.extraction.choices import CHOICE_LETTER
from vlmhb_benchmarks.extraction.marker import ANSWER_MARKER, ANSWER_MARKER_REQUIRED
from vlmhb_benchmarks.extraction.mathvista import MATHVISTA
from vlmhb_benchmarks.extraction.mmmu import MMMU
from vlmhb_benchmarks.extraction.plain import BOXED, JSON, LAST_LINE
from vlmhb_benchmarks.extraction.prototype import CLASS_INDEX, PAGE_ORDER
from vlmhb_benchmarks.extraction.verdicts import YES_NO
from vlmhb_benchmarks.metrics.base import Context

__all__ = ["EXTRACTIONS", "Extracted", "Extraction", "UnknownExtraction", "get_extraction"]


def _whole(reply: str, _: Context) -> Extracted:
    return Extracted(text=reply, found=True)


NONE = Extraction(
    name="none",
    version="1",
    description="the whole reply",
    source="definition",
    on_miss="cannot miss",
    rule=_whole,
)
EXTRACTIONS: tuple[Extraction, ...] = (
    NONE,
    ANSWER_MARKER,
    ANSWER_MARKER_REQUIRED,
    LAST_LINE,
    JSON,
    BOXED,
    CHOICE_LETTER,
    MMMU,
    MATHVISTA,
    YES_NO,
    CLASS_INDEX,
    PAGE_ORDER,
)


class UnknownExtraction(KeyError):
    """No extraction has this name. `nearest` are the names most like it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = tuple(rule.name for rule in EXTRACTIONS)
        self.nearest = tuple(get_close_matches(name.lower(), self.names, n=3, cutoff=0.5))
        super().__init__(name)

    def __str__(self) -> str:
        known = ", ".join(self.nearest or self.names)
        return f"unknown extraction {self.name!r}; {'nearest' if self.nearest else 'known'}: {known}"


def get_extraction(name: str) -> Extraction:
    """The extraction called `name`; `name@version` insists on a version. Raises `UnknownExtraction`."""
    base, _, version = name.strip().lower().partition("@")
    for rule in EXTRACTIONS:
        if rule.name == base and version in ("", rule.version):
            return rule
    raise UnknownExtraction(name)
