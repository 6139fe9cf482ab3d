"""Scores heavy metrics (table trees) on all cores: forked processes, results in the order of the jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from ctypes import CDLL
from dataclasses import dataclass
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from signal import SIGKILL
from types import TracebackType
from typing import TypeVar

from vlmhb_benchmarks.metrics import Metric, SampleScore
from vlmhb_benchmarks.metrics.base import Context, ContextMetric, FieldMetric

from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.records import Beat

ENOUGH = 16  # samples; below, starting processes costs more than it gives
_PIECES = 8  # per process and chunk: small enough that none waits long for the slowest table
_LOOK_S = 1.0
_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # "<quota> <period>" or "max <period>"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


FieldScores = Mapping[str, SampleScore]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Job:
    """`text` None: no answer (asked for fields only)."""

    text: str | None
    references: tuple[str, ...]
    context: Context


def cores() -> int:
    """CPUs that this process may use: those it may run on, and no more than the container's share of time."""
    try:
        quota, period = _CPU_MAX.read_text().split()
    except (OSError, ValueError):
        quota = period = "max"  # no cgroup of version 2
    allowed = len(os.sched_getaffinity(0))
    return allowed if quota == "max" else max(1, min(allowed, ceil(int(quota) / int(period))))


class HeavyPool:
    """One process per core. Metrics travel by fork, so they need not be picklable; jobs and scores are."""

    def __init__(self, metrics: Mapping[str, Metric], *, processes: int) -> None:
        self._processes = processes
        self._executor = ProcessPoolExecutor(
            processes, mp_context=get_context("fork"), initializer=_adopt, initargs=(dict(metrics),)
        )

    def __enter__(self) -> HeavyPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(cancel_futures=True)

    def scores(self, name: str, jobs: Sequence[Job], *, beat: Beat) -> list[SampleScore]:
        """Raises EvaluateError when a process was killed."""
        return self._run(_score, name, jobs, beat=beat)

    def fields(self, name: str, jobs: Sequence[Job], *, beat: Beat) -> list[FieldScores]:
        """As `scores`, by field."""
        return self._run(_by_field, name, jobs, beat=beat)

    def _run(
        self, work: Callable[[str, Sequence[Job]], list[T]], name: str, jobs: Sequence[Job], *, beat: Beat
    ) -> list[T]:
        size = max(1, len(jobs) // (self._processes * _PIECES))
        pieces = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        try:
            futures = [self._executor.submit(work, name, piece) for piece in pieces]
            _wait(futures, beat=beat)
            return [one for future in futures for one in future.result()]
        except BrokenProcessPool as error:
            raise EvaluateError(
                f"a process that computes {name} was killed, most likely for want of memory",
                hint="give the evaluate stage more memory, or fewer CPUs",
            ) from error


def _wait(futures: Sequence[Future[list[T]]], *, beat: Beat) -> None:
    left = set(futures)
    while left:
        left = wait(left, timeout=_LOOK_S).not_done
        beat()


_metrics: dict[str, Metric] = {}  # of a forked process: what it was started with


def _adopt(metrics: dict[str, Metric]) -> None:
    """A forked process waits for work for ever: it must not outlive a stage that was killed."""
    _metrics.update(metrics)
    CDLL(None).prctl(_DIE_WITH_PARENT, SIGKILL)


def _bound(name: str, job: Job) -> Metric:
    metric = _metrics[name]
    return metric.in_context(job.context) if isinstance(metric, ContextMetric) else metric


def _score(name: str, jobs: Sequence[Job]) -> list[SampleScore]:
    return [_bound(name, job).score(job.text or "", job.references) for job in jobs]


def _by_field(name: str, jobs: Sequence[Job]) -> list[FieldScores]:
    return [
        metric.by_field(job.text, job.references)
        for job in jobs
        if isinstance(metric := _bound(name, job), FieldMetric)
    ]
