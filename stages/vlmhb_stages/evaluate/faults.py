"""The one error of this stage: input that cannot be evaluated, said in a line with a hint."""

from __future__ import annotations


class EvaluateError(Exception):
    """Becomes a `fatal` event with code VHB501 and exit code 2."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)


def some(ids: list[str], *, limit: int = 5) -> str:
    """`3 (a, b, c)`: how many, and which they are as far as a line has room."""
    more = ", ..." if len(ids) > limit else ""
    return f"{len(ids)} ({', '.join(ids[:limit])}{more})"
