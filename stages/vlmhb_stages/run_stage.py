"""Runs one stage from its spec and turns its end into events: the process boundary of every stage container."""

from __future__ import annotations

import errno
import os
import traceback
from contextlib import suppress
from importlib import import_module

from vlmhb_stages.events import EventWriter
from vlmhb_stages.paths import EVENTS, resolve
from vlmhb_stages.spec import read_spec

MODULES = {"import": "import_"}  # stages whose name cannot be a module's
EXIT_CRASHED = 70
EXIT_DISK_FULL = 5
EXIT_BAD_USE = 2


def run_stage(stage: str) -> int:
    """The stage's exit code. A crash is told as a `fatal` event with its last line; the log has it whole."""
    os.umask(0o022)
    events: EventWriter | None = None
    try:
        events = EventWriter(resolve(EVENTS))
        return _run(stage, events=events)
    except OSError as error:
        traceback.print_exc()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        denied = error.errno in (errno.EACCES, errno.EPERM)
        hint = "containers of root run as nobody: chmod -R o+rX the data, or run vlmhb as an ordinary user"
        _tell(events, code="VHB405" if full else "VHB501", message=str(error), hint=hint if denied else "")
        return EXIT_DISK_FULL if full else EXIT_CRASHED
    except Exception as error:  # noqa: BLE001 - process boundary: any fault must reach the host as one line
        traceback.print_exc()
        _tell(events, code="VHB501", message=f"{type(error).__name__}: {error}")
        return EXIT_CRASHED
    finally:
        if events is not None:
            with suppress(OSError):  # what a full disk has refused is refused again
                events.close()


def _run(stage: str, *, events: EventWriter) -> int:
    spec = read_spec()
    if spec.stage != stage:
        events.emit("fatal", code="VHB501", message=f"the spec is for {spec.stage}, not for {stage}")
        return EXIT_BAD_USE
    events.emit("start", stage=stage)
    code: int = import_module(f"vlmhb_stages.{MODULES.get(stage, stage)}").run(spec, events=events)
    return code


def _tell(events: EventWriter | None, *, code: str, message: str, hint: str = "") -> None:
    """A full disk may refuse the event as well; then the exit code alone has to do."""
    if events is None:
        return
    try:
        events.emit("fatal", code=code, message=message[:2000], hint=hint)
    except OSError:
        traceback.print_exc()
