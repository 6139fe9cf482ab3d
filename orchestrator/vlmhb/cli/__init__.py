"""The command line. Nothing heavy is imported before a command needs it: `vlmhb --help` stays fast."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from vlmhb.errors import VlmhbError


def main() -> None:
    """Entry point `vlmhb`: every user error is one line on stderr and its exit code, never a traceback."""
    from vlmhb.cli.app import app
    from vlmhb.errors import VlmhbError, disk_error

    try:
        app()
    except VlmhbError as error:
        _end(error)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone (`vlmhb models list | head`)
        sys.exit(0)
    except OSError as error:
        told = disk_error(error)
        if told is None:
            raise
        _end(told)


def _end(error: VlmhbError) -> NoReturn:
    sys.stderr.write(error.line() + "\n")
    sys.exit(int(error.exit_code))
