"""The one printer: data to stdout, talk to stderr, colour only where a person looks at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from vlmhb.errors import VlmhbError

Style = Literal["red", "yellow", "dim"]
_CODES: dict[Style, str] = {"red": "\033[1;31m", "yellow": "\033[33m", "dim": "\033[2m"}
_RESET = "\033[0m"
# A terminal must not obey what a model, a log or a dataset says.
_TURNING = (
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)  # what follows is shown in another order than it has
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_TURNING) if chr(code) not in "\t\n"}


def printable(text: str) -> str:
    """`text` without control characters, those that turn the direction of writing among them."""
    return text.translate(_CONTROLS)


class Console:
    """Streams are looked up when they are used, so that a later redirection is honoured."""

    def __init__(
        self, *, out: TextIO | None = None, err: TextIO | None = None, env: Mapping[str, str] = os.environ
    ) -> None:
        self._out, self._err, self._env = out, err, env

    @property
    def out(self) -> TextIO:
        return self._out or sys.stdout

    @property
    def err(self) -> TextIO:
        return self._err or sys.stderr

    @property
    def interactive(self) -> bool:
        """Somebody watches stderr."""
        return self.err.isatty() and self._env.get("TERM") != "dumb"

    @property
    def colour(self) -> bool:
        """https://no-color.org: any non-empty NO_COLOR switches colour off."""
        return self.interactive and not self._env.get("NO_COLOR")

    def data(self, text: str) -> None:
        """One line of what was asked for, byte for byte."""
        _line(self.out, text)

    def say(self, text: str) -> None:
        self._talk(printable(text))

    def warn(self, text: str) -> None:
        self._talk(f"{self._paint('warning:', style='yellow')} {printable(text)}")

    def error(self, error: VlmhbError) -> None:
        """Its line, or one for each error of a list."""
        for line in error.line().splitlines():
            code, colon, rest = printable(line).partition(":")
            self._talk(f"{self._paint(code + colon, style='red')}{rest}")

    def table(self, rows: Sequence[Sequence[str]], *, headers: Sequence[str]) -> None:
        """Data: aligned columns on a terminal, tab-separated values in a pipe."""
        if not self.out.isatty():
            for row in (headers, *rows):
                self.data("\t".join(" ".join(printable(cell).split()) for cell in row))
            return
        self._rich_table(rows, headers=headers)

    def rich(self) -> RichConsole:
        """A rich console on stderr, for live displays."""
        from rich.console import Console as RichConsole

        return RichConsole(file=self._err, stderr=True, no_color=not self.colour, highlight=False)

    def _rich_table(self, rows: Sequence[Sequence[str]], *, headers: Sequence[str]) -> None:
        from rich.console import Console as RichConsole
        from rich.table import Column, Table
        from rich.text import Text

        # A name that must be typed is never cut: the first column stays whole, the others fold.
        columns = [
            Column(header, overflow="fold", no_wrap=not number) for number, header in enumerate(headers)
        ]
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        RichConsole(file=self.out, no_color=bool(self._env.get("NO_COLOR")), highlight=False).print(table)

    def _talk(self, text: str) -> None:
        _line(self.err, text)

    def _paint(self, text: str, *, style: Style) -> str:
        return f"{_CODES[style]}{text}{_RESET}" if self.colour else text


def _line(stream: TextIO, text: str) -> None:
    """One write, so that lines of several threads do not mix."""
    stream.write(text + "\n")
    stream.flush()
