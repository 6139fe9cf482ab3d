"""One run of the driver: what to do, and the world it happens in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.budget import FreePurse, Purse
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.specs import InferSpec


class NoBackend(Exception):
    """The backend of the spec cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """`resolve`: from a `/vlmhb/...` path to the real one."""

    spec: InferSpec
    events: EventWriter
    resolve: Callable[[str], Path]
    runtime: Runtime
    halt: Halt
    purse: Purse = field(default_factory=FreePurse)

    @property
    def samples(self) -> Path:
        return self.resolve(self.spec.inputs) / "samples.jsonl"
