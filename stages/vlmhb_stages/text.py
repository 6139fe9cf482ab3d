"""What every text of a model goes through before it is recorded."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Joins surrogate halves that came in two chunks and replaces lone ones, which UTF-8 cannot carry."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
