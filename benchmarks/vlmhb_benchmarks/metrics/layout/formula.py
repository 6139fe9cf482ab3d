"""LaTeX formulas reduced to what OmniDocBench compares: no delimiters, no fonts, no spacing, lower case."""

from __future__ import annotations

import re

MAX_CHARS = 200_000

# In the order in which OmniDocBench (v1.5) removes them; `\left` also shortens `\leftarrow`, on both sides alike.
_REMOVED = (
    *(rf"\math{style}" for style in ("bf", "rm", "normal", "it", "bb", "cal", "scr", "frak", "sf", "tt")),
    *(r"\textbf", r"\text", r"\boldmath", r"\boldsymbol", r"\operatorname", r"\bm", r"\symbfit"),
    *(r"\mathbfcal", r"\symbf", r"\scriptscriptstyle", r"\notag", r"\setlength", r"\coloneqq"),
    *(r"\space", r"\thickspace", r"\thinspace", r"\medspace", r"\nobreakspace", r"\negmedspace"),
    *(r"\quad", r"\qquad", r"\enspace", r"\substackw", " ", "$$", r"\left", r"\right", r"\displaystyle"),
)
# Bounded: thousands of unclosed groups must not cost quadratic time.
_GROUPS = re.compile(r"\\(?:tag|hspace|begin|end)\{[^}\n]{0,200}\}|\\arraycolsep[^}\n]{0,200}\}")
_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)


def normalise_formula(text: str) -> str:
    """Idempotent but for texts built to defeat it. A Markdown fence around the formula is taken off first."""
    text = text[:MAX_CHARS]
    fenced = _FENCE.search(text)
    formula = (fenced.group(1) if fenced else text).strip().strip("$").strip("\n")
    formula = _between(formula, opening=r"\[", closing=r"\]")
    formula = _between(formula, opening=r"\(", closing=r"\)")
    formula = _GROUPS.sub("", formula).strip(".")
    for command in _REMOVED:
        formula = formula.replace(command, "")
    return "".join(formula.split()).lower()


def _between(formula: str, *, opening: str, closing: str) -> str:
    """What stands between the delimiters, on the first line that has both; the whole formula if none has."""
    for line in formula.splitlines():
        start = line.find(opening)
        end = line.find(closing, start + len(opening) + 1) if start >= 0 else -1
        while end > 0 and line[end - 1] == "\\":
            end = line.find(closing, end + 1)
        if end > 0:
            return line[start + len(opening) : end].strip()
    return formula
