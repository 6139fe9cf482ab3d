"""Every exception as an error that can be shown: a bug of ours costs one evaluation and leaves its traceback."""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path

from vlmhb.errors import InternalError, VlmhbError, disk_error


def shown(error: BaseException, *, crash_log: Path) -> VlmhbError:
    """The error itself, a fault of the disk, or an `InternalError` whose traceback is in `crash_log`."""
    if isinstance(error, VlmhbError):
        return error
    told = disk_error(error) if isinstance(error, OSError) else None
    if told is not None:
        return told
    with suppress(OSError), crash_log.open("a", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return InternalError(
        f"a fault of vlmhb itself: {type(error).__name__}: {error}",
        where=str(crash_log),
        hint="please report it with that file; the same command continues",
    )
