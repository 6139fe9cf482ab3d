"""Placeholders in the command of a vendor's server: filled in by our launcher, or by the host without one."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_BATCH = 16  # requests that the server may work on at the same time, where nobody says how many


def filled(word: str, values: Mapping[str, str]) -> str:
    """Only our own names are replaced: commands carry JSON, braces included."""
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word
