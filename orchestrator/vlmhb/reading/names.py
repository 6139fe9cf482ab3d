"""Names in error messages: what the user may have meant, and values safe to print."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LISTED = 8  # so many known names are listed when none is near
_SHOWN = 80  # characters of a user's value repeated in a message
_KEY = re.compile(
    r"(?:sk|pk|rk)-[\w-]{16}|hf_\w{16}|gh[pousr]_\w{16}|github_pat_|glpat-|xox[abp]-|AKIA\w{12}|Bearer "
)
_TOKEN = re.compile(r"(?:sk|pk|rk)-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA|eyJ|Bearer ")


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Known names that look like `name`, best first; case does not count."""
    by_key: dict[str, str] = {}
    for item in known:
        by_key.setdefault(item.casefold(), item)
    near = difflib.get_close_matches(name.casefold(), by_key, n=limit, cutoff=0.6)
    return tuple(by_key[key] for key in near)


def name_hint(name: str, known: Iterable[str]) -> str:
    """`did you mean ...`, or the known names when they are few, or nothing."""
    names = sorted(set(known))
    near = nearest(name, names)
    if near:
        return "did you mean " + " or ".join(f"'{item}'" for item in near) + "?"
    if names and len(names) <= _LISTED:
        return "known: " + ", ".join(names)
    return ""


def looks_like_key(value: str) -> bool:
    """By what keys of well-known services begin with."""
    return _KEY.match(value) is not None


def shown(value: str) -> str:
    """A value for an error message: quoted, on one line, cut; never one that looks like a key."""
    if _TOKEN.search(value):
        return "<hidden>"
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
