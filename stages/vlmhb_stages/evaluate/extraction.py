"""Takes the answer out of a reply before it is scored. The rule is part of the benchmark card."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from vlmhb_stages.evaluate.faults import EvaluateError

_MARKER = re.compile(r"ANSWER:\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """`text` is what is scored; not `found`: the rule did not apply and the whole reply is taken."""

    text: str
    found: bool


Extractor = Callable[[str], Extracted]


def whole(reply: str) -> Extracted:
    return Extracted(text=reply, found=True)


def after_marker(reply: str) -> Extracted:
    """The line that begins after the last `ANSWER:`, on the same line or below it (EvalScope's rule for DocVQA).

    Unlike there, bold marks are removed and case does not count."""
    found = _MARKER.findall(reply.replace("**", ""))
    return Extracted(text=found[-1].strip() if found else reply, found=bool(found))


EXTRACTORS: dict[str, Extractor] = {"none": whole, "answer_marker": after_marker}


def extractor(name: str) -> Extractor:
    if name not in EXTRACTORS:
        raise EvaluateError(f"unknown extraction {name!r}", hint=f"one of: {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]
