"""Renders templates in a process that can do nothing else: no files, little memory, little time, then killed.

The sandbox keeps a template from reaching out; it does not keep it from `'a' * 10**9` or a loop without end."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Sequence
from ctypes import CDLL
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import Any

from vlmhb_stages.prepare.templates import Ask, TemplateFault, check, render, variables_of

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_STATM = Path("/proc/self/statm")  # in pages; the first number is all that is mapped


@dataclass(frozen=True, kw_only=True)
class RenderLimits:
    """Of one question to the process: all the texts of one sample."""

    seconds: float = 10.0
    memory_mib: int = 256  # beside what the process begins with


class Renderer:
    """Starts its process with the first template. Use as a context."""

    def __init__(self, limits: RenderLimits | None = None) -> None:
        self._limits = limits or RenderLimits()
        self._process: BaseProcess | None = None
        self._line: Connection | None = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def check(self, template: str) -> tuple[str, ...]:
        """The variables that it takes. Raises `TemplateFault`."""
        answer = self._ask({"check": template})
        return tuple(str(name) for name in answer["variables"])

    def render(self, asks: Sequence[Ask]) -> list[str]:
        """One text each. Raises `TemplateFault`."""
        answer = self._ask({"render": [asdict(ask) for ask in asks]})
        return [str(text) for text in answer["texts"]]

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """JSON both ways: nothing that comes back is trusted to be more than data."""
        line = self._line or self._start()
        try:
            line.send_bytes(json.dumps(question).encode())
            answered = line.poll(self._limits.seconds)
            answer: dict[str, Any] = json.loads(line.recv_bytes()) if answered else {}
        except (EOFError, OSError):
            self._end()
            raise TemplateFault("rendering it was killed, most likely for want of memory") from None
        if not answered:
            self._end()
            raise TemplateFault(f"rendering it takes longer than {self._limits.seconds:g} s")
        if "fault" in answer:
            raise TemplateFault(answer["fault"], line=answer["line"])
        return answer

    def _start(self) -> Connection:
        context = get_context("fork")
        ours, theirs = context.Pipe()
        self._line = ours
        self._process = context.Process(target=_serve, args=(theirs, self._limits), daemon=True)
        self._process.start()
        theirs.close()
        return ours

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._line = self._process = None


def _serve(line: Connection, limits: RenderLimits) -> None:
    """The process: answers until its parent is gone."""
    CDLL(None).prctl(_DIE_WITH_PARENT, SIGKILL)
    _lock_in(limits)
    while True:
        try:
            question = json.loads(line.recv_bytes())
        except EOFError:
            return
        line.send_bytes(json.dumps(_answer(question)).encode())


def _lock_in(limits: RenderLimits) -> None:
    """No further file, socket or process; memory up to a limit."""
    mapped = int(_STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = mapped + limits.memory_mib * 2**20
    for kind, value in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        if "check" in question:
            check(question["check"])
            return {"variables": variables_of(question["check"])}
        return {"texts": [render(Ask(**ask)) for ask in question["render"]]}
    except TemplateFault as fault:
        return {"fault": fault.what, "line": fault.line}
    except MemoryError:
        return {"fault": "it needs too much memory", "line": None}
