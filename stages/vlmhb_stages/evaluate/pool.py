"""Scores heavy metrics (table trees) on all cores: forked processes, results in the order of the jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType

from vlmhb_benchmarks.metrics import Metric, SampleScore
from vlmhb_benchmarks.metrics.base import Context, ContextMetric

from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.records import Beat

ENOUGH = 16  # samples; below, starting processes costs more than it gives
_PIECES = 8  # per process and chunk: small enough that none waits long for the slowest table
_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Job:
    text: str
    references: tuple[str, ...]
    context: Context


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


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
        size = max(1, len(jobs) // (self._processes * _PIECES))
        pieces = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        try:
            futures = [self._executor.submit(_score, name, piece) for piece in pieces]
            _wait(futures, beat=beat)
            return [score for future in futures for score in future.result()]
        except BrokenProcessPool as error:
            raise EvaluateError(
                f"a process that computes {name} was killed, most likely for want of memory",
                hint="give the evaluate stage more memory, or fewer CPUs",
            ) from error


def _wait(futures: Sequence[Future[list[SampleScore]]], *, beat: Beat) -> None:
    left = set(futures)
    while left:
        left = wait(left, timeout=_LOOK_S).not_done
        beat()


_metrics: dict[str, Metric] = {}  # of a forked process: what it was started with


def _adopt(metrics: dict[str, Metric]) -> None:
    _metrics.update(metrics)


def _score(name: str, jobs: Sequence[Job]) -> list[SampleScore]:
    metric = _metrics[name]
    return [
        (metric.in_context(job.context) if isinstance(metric, ContextMetric) else metric).score(
            job.text, job.references
        )
        for job in jobs
    ]
