"""The few run options that a card may ask for: a card must not be able to weaken the isolation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vlmhb.errors import OptionNotAllowed

ALLOWED = {
    "--shm-size": re.compile(r"[0-9]{1,6}[bkmg]?", re.IGNORECASE),
    "--ulimit": re.compile(r"(memlock|stack)=-?[0-9]{1,12}(:-?[0-9]{1,12})?"),
    "--ipc": re.compile(r"private"),
}


def run_options(options: Iterable[str]) -> tuple[str, ...]:
    """`("--shm-size=8g",)` as argv words, `("--shm-size", "8g")`. Raises `OptionNotAllowed`."""
    words: list[str] = []
    for option in options:
        name, _, value = option.strip().replace(" ", "=", 1).partition("=")
        pattern = ALLOWED.get(name)
        if pattern is None or not pattern.fullmatch(value.strip()):
            raise OptionNotAllowed(
                f"run option {option!r} may not come from a card",
                hint="allowed are --shm-size=SIZE, --ulimit=memlock=N, --ulimit=stack=N and --ipc=private",
            )
        words += [name, value.strip()]
    return tuple(words)
