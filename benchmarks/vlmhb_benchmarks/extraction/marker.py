"""Takes the line after an `ANSWER:` marker."""

from __future__ import annotations

import re

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.metrics.base import Context

_MARKER = re.compile(r"ANSWER:\s*(.*)", re.IGNORECASE)


def after_marker(reply: str, _: Context) -> Extracted:
    """The line that begins after the last `ANSWER:`, on the same line or below it."""
    found = _MARKER.findall(reply.replace("**", ""))
    return Extracted(text=found[-1].strip() if found else reply, found=bool(found))


ANSWER_MARKER = Extraction(
    name="answer_marker",
    version="1",
    description="the line after the last `ANSWER:`, bold marks removed, in any case",
    source="EvalScope 1.14.1, DocVQA adapter",
    on_miss="the whole reply",
    rule=after_marker,
)


def after_marker_or_nothing(reply: str, context: Context) -> Extracted:
    found = after_marker(reply, context)
    return found if found.found else Extracted(text="", found=False)


ANSWER_MARKER_REQUIRED = Extraction(
    name="answer_marker_required",
    version="1",
    description="as answer_marker, but a reply without the marker has no answer",
    source="EvalScope 1.14.1, ChartQA adapter",
    on_miss="nothing, so the sample is wrong",
    rule=after_marker_or_nothing,
)
