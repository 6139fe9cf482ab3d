"""What is known before anything is asked: how many samples are planned, and which answers are there already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages import paths
from vlmhb_stages.infer.guard import Guard
from vlmhb_stages.infer.index import OpenSamples
from vlmhb_stages.infer.job import Job
from vlmhb_stages.infer.resume import PREDICTIONS, OtherRecords, OwnRecords
from vlmhb_stages.infer.samples import read_keys, survey
from vlmhb_stages.specs import InferSpec


@dataclass(frozen=True, kw_only=True)
class Lookback:
    """`open_samples`: those whose own record, if there is one, may not be kept unseen."""

    planned: int
    own: OwnRecords
    open_samples: OpenSamples
    others: OtherRecords
    guard: Guard


async def look_back(job: Job) -> Lookback:
    """Reads both files at once; hashing leaves the interpreter to the other. Raises `BadSamples`."""
    out = job.resolve(paths.OUT)
    predictions = out / PREDICTIONS
    predictions.with_name(f"{PREDICTIONS}.tmp").unlink(missing_ok=True)  # of a start that was killed
    samples, own = await asyncio.gather(
        asyncio.to_thread(survey, job.samples), asyncio.to_thread(OwnRecords, predictions)
    )
    guard = Guard(out, spec=job.spec, samples=samples)
    if own.is_empty:
        guard.put_up()
    return Lookback(
        planned=samples.count,
        own=own,
        open_samples=await asyncio.to_thread(own.index.claim, read_keys(job.samples), is_trusted=guard.holds),
        others=OtherRecords(
            _folders(job),
            files=_cached(job),
            not_final=("context_overflow",) if job.spec.overflow else (),
        ),
        guard=guard,
    )


def _folders(job: Job) -> list[Path]:
    """Recorded answers belong to an id: two pages with the same request have different ones, so a replay takes
    nothing from elsewhere; neither does a benchmark, whose timings must be its own."""
    is_alone = job.spec.backend.kind == "replay" or job.spec.mode == "benchmark"
    return [] if is_alone else [job.resolve(folder) for folder in job.spec.previous]


def _cached(job: Job) -> list[Path]:
    if job.spec.cache is None or not may_use_cache(job.spec):
        return []
    return sorted(job.resolve(job.spec.cache).glob("*.jsonl"))


def may_use_cache(spec: InferSpec) -> bool:
    """Only where the same request has the same answer every time."""
    return spec.decoding.temperature == 0.0 and spec.backend.kind != "replay" and spec.mode != "benchmark"
