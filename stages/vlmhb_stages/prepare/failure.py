"""The one way in which prepare refuses a dataset as a whole."""

from __future__ import annotations


class PrepareFailed(Exception):
    """Becomes a `fatal` event with this code, message and hint."""

    def __init__(self, message: str, *, hint: str = "", code: str = "VHB205") -> None:
        self.message, self.hint, self.code = message, hint, code
        super().__init__(message)
