"""What an extraction is: a named, versioned rule that takes the answer out of a reply before it is scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import Context


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """`text` is what is scored; not `found`: the rule did not apply, `text` is what the rule falls back to."""

    text: str
    found: bool


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """`on_miss` says in words what is scored where the rule finds nothing (the whole reply, or nothing)."""

    name: str
    version: str
    description: str
    source: str
    on_miss: str
    rule: Callable[[str, Context], Extracted]
