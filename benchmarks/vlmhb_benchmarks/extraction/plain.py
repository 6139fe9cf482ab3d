"""Takes the last line, the last boxed expression, or the JSON out of a reply."""

from __future__ import annotations

import json
import re

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.metrics.base import Context
from vlmhb_benchmarks.metrics.json_answer import closing, find_json

# A box that opens, an escaped character, a plain brace.
_BRACE = re.compile(r"\\f?box(?:ed)?\s{0,3}\{|\\.|[{}]", re.DOTALL)
_BRACKET = re.compile(r"[{\[]")
_MAX_STARTS = 64  # brackets that are tried: a reply made of them must not cost quadratic time


def last_line(reply: str, _: Context) -> Extracted:
    lines = reply.strip().splitlines()
    return Extracted(text=lines[-1].strip() if lines else "", found=bool(lines))


def last_boxed(reply: str) -> str | None:
    r"""What the last complete `\boxed{…}` holds, braces inside it matched; `\{` is no brace. One pass."""
    if "box" not in reply:
        return None
    opened: list[int] = []  # where the text of a box begins; 0 for a plain brace
    found = slice(0, 0)
    for brace in _BRACE.finditer(reply):
        sign = brace.group()
        if sign == "{" or len(sign) > 2:
            opened.append(brace.end() if len(sign) > 2 else 0)
        elif sign == "}" and opened:
            start = opened.pop()
            if start > found.start:
                found = slice(start, brace.start())
    return reply[found].strip() if found.start else None


def boxed(reply: str, _: Context) -> Extracted:
    text = last_boxed(reply)
    return Extracted(text=reply if text is None else text, found=text is not None)


def json_text(reply: str, _: Context) -> Extracted:
    """The JSON as it was written, so that `1.50` stays `1.50`."""
    value = find_json(reply)
    if value is None:
        return Extracted(text=reply, found=False)
    position = 0
    for _try in range(_MAX_STARTS):
        bracket = _BRACKET.search(reply, position)
        if bracket is None:
            break
        end = closing(reply, start=bracket.start())
        text = reply[bracket.start() : end]
        if end is not None and find_json(text) == value:
            return Extracted(text=text, found=True)
        position = bracket.end()
    return Extracted(text=json.dumps(value, ensure_ascii=False), found=True)


LAST_LINE = Extraction(
    name="last_line",
    version="1",
    description="the last line that is not blank",
    source="definition",
    on_miss="nothing: the reply is blank",
    rule=last_line,
)
BOXED = Extraction(
    name="boxed",
    version="1",
    description=r"what the last complete \boxed{…} or \fbox{…} holds",
    source="the convention of the MATH data set (Hendrycks et al. 2021, arXiv:2103.03874)",
    on_miss="the whole reply",
    rule=boxed,
)
JSON = Extraction(
    name="json",
    version="1",
    description="the first JSON object or array: the whole reply, a fenced block, or inside prose",
    source="definition: docs/metrics-reference.md, Key fields",
    on_miss="the whole reply",
    rule=json_text,
)
