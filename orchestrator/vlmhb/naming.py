"""Names that can be the name of a folder."""

from __future__ import annotations

import re

MAX = 100  # characters


def slug(text: str, *, empty: str = "evaluation") -> str:
    """Lower case; letters of any script, digits, dots and underscores stay, the rest becomes one hyphen."""
    name = re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.")
    return name[:MAX] or empty
