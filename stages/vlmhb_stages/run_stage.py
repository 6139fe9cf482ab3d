"""Runs one stage from its spec and turns its end into events: the process boundary of every stage container."""

from __future__ import annotations

import errno
import os
import traceback
from importlib import import_module

from vlmhb_stages.events import EventWriter
from vlmhb_stages.paths import EVENTS, resolve
from vlmhb_stages.spec import read_spec

EXIT_CRASHED = 70
EXIT_DISK_FULL = 5


def run_stage(stage: str) -> int:
    """The stage's exit code. A crash is told as a `fatal` event with its last line; the log has it whole."""
    os.umask(0o022)
    events = EventWriter(resolve(EVENTS))
    spec = read_spec()
    if spec.stage != stage:
        events.emit("fatal", code="VHB501", message=f"the spec is for {spec.stage}, not for {stage}")
        return 2
    events.emit("start", stage=stage)
    try:
        module = import_module(f"vlmhb_stages.{stage}")
        code: int = module.run(spec, events=events)
    except OSError as error:
        traceback.print_exc()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _tell(events, code="VHB405" if full else "VHB501", message=str(error))
        return EXIT_DISK_FULL if full else EXIT_CRASHED
    except Exception as error:  # noqa: BLE001 - process boundary: any fault must reach the host as one line
        traceback.print_exc()
        _tell(events, code="VHB501", message=f"{type(error).__name__}: {error}")
        return EXIT_CRASHED
    events.close()
    return code


def _tell(events: EventWriter, *, code: str, message: str) -> None:
    """A full disk may refuse the event as well; then the exit code alone has to do."""
    try:
        events.emit("fatal", code=code, message=message[:2000])
    except OSError:
        traceback.print_exc()
