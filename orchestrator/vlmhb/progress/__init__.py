"""Live progress of a run: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

from vlmhb.console import Console
from vlmhb.progress.plain import PlainProgress
from vlmhb.progress.recorded import RecordedProgress
from vlmhb.progress.tail import EventTail
from vlmhb.progress.view import Counted, ProgressView

__all__ = ["Counted", "EventTail", "PlainProgress", "ProgressView", "RecordedProgress", "make_progress"]


def make_progress(*, console: Console) -> ProgressView:
    """Bars where a person looks at stderr, else plain lines."""
    if console.interactive:
        from vlmhb.progress.live import RichProgress

        return RichProgress(console=console)
    return PlainProgress(say=console.say)
