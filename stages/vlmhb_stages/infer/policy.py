"""When errors end the run: `stop`, `continue` or `tolerate:<percent>`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlmhb_stages.infer.tally import Tally


class BadPolicy(Exception):
    """The error policy of the spec means nothing."""


@dataclass(frozen=True, kw_only=True)
class ErrorPolicy:
    """Errors beyond `percent` of the planned samples end the run; None = never."""

    percent: float | None

    def is_exceeded(self, tally: Tally) -> bool:
        if self.percent is None or tally.errors == 0:
            return False
        return tally.errors * 100 > self.percent * tally.planned


def error_policy(text: str) -> ErrorPolicy:
    """Raises `BadPolicy` for anything but the three forms; the percent may carry its sign (`tolerate:1%`)."""
    found = re.fullmatch(r"stop|continue|tolerate:\s*(\d+(?:\.\d+)?)\s*%?", text.strip())
    if found is None or float(found[1] or 0) > 100:
        raise BadPolicy(f"error_policy {text!r}: expected stop, continue or tolerate:<percent>")
    if found[0] == "continue":
        return ErrorPolicy(percent=None)
    return ErrorPolicy(percent=float(found[1] or 0))
