"""Latency, TTFT, TPOT and throughput of the requests that this evaluation really sent.

TTFT and latency are seconds from the request; TPOT = (latency - TTFT) / (output tokens - 1), measured by the driver.
Throughput counts answered requests between the first start and the last end, failures and pauses included.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vlmhb_stages.contracts import InferSummary, Prediction
from vlmhb_stages.report.model import ANSWERED, EvaluationInfo, Percentiles, Performance
from vlmhb_stages.report.read import Reader

BINS = 32


class AttemptLine(BaseModel):
    """What throughput needs of a line of `attempts.jsonl`. `started` in seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sample_id: str
    started: float
    latency_s: float
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Equal bins from 0 to `upper` (the 99th percentile); `over` values beyond it are in the last bin."""

    counts: tuple[int, ...]
    upper: float
    over: int


@dataclass(frozen=True, kw_only=True)
class Throughput:
    requests_per_s: float | None = None
    output_tokens_per_s: float | None = None


def _doubles() -> array[float]:
    return array("d")


@dataclass(kw_only=True)
class Timings:
    """Times of answered records. Imported ones were measured in another run: they are only counted."""

    latency: array[float] = field(default_factory=_doubles)
    ttft: array[float] = field(default_factory=_doubles)
    tpot: array[float] = field(default_factory=_doubles)
    tokens: dict[str, int | None] = field(default_factory=dict)  # sample -> output tokens
    measured: int = 0
    imported: int = 0

    def add(self, record: Prediction) -> None:
        if record.status not in ANSWERED:
            return
        if record.imported_from is not None:
            self.imported += 1
            return
        self.measured += 1
        self.tokens[record.sample_id] = record.output_tokens
        for values, value in (
            (self.latency, record.latency_s),
            (self.ttft, record.ttft_s),
            (self.tpot, record.tpot_s),
        ):
            if value is not None:
                values.append(value)


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """The value at rank ceil(n p / 100) of `ordered` (ascending, not empty): always one that occurred."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def percentiles(values: Sequence[float]) -> Percentiles | None:
    if not values:
        return None
    ordered = sorted(values)
    p50, p90, p95, p99 = (round(nearest_rank(ordered, percent), 6) for percent in (50, 90, 95, 99))
    return Percentiles(p50=p50, p90=p90, p95=p95, p99=p99, n=len(ordered))


def histogram(values: Sequence[float]) -> Histogram | None:
    """None when there is no spread to show."""
    found = percentiles(values)
    if found is None or found.p99 <= 0 or found.n < 2:
        return None
    counts = [0] * BINS
    for value in values:
        counts[min(int(value / found.p99 * BINS), BINS - 1)] += 1
    over = sum(1 for value in values if value > found.p99)
    return Histogram(counts=tuple(counts), upper=found.p99, over=over)


def throughput(
    path: Path | None, *, reader: Reader, summary: InferSummary | None, timings: Timings
) -> Throughput:
    """Of the last start of the stage: the last `summary.requests` lines of `attempts.jsonl`.

    So the hours between an interruption and its resume count for nothing."""
    if summary is None or summary.requests == 0 or path is None or not path.exists():
        return Throughput()
    lines: deque[AttemptLine] = deque(maxlen=summary.requests)
    reader.each(path, AttemptLine, keep=lines.append)
    if not lines:
        return Throughput()
    wall = max(line.started + line.latency_s for line in lines) - min(line.started for line in lines)
    answered = [line for line in lines if line.outcome in ANSWERED]
    if wall <= 0 or not answered:
        return Throughput()
    tokens = [timings.tokens.get(line.sample_id) for line in answered]
    known = [count for count in tokens if count is not None]
    return Throughput(
        requests_per_s=round(len(answered) / wall, 6),
        output_tokens_per_s=round(sum(known) / wall, 6) if len(known) == len(tokens) else None,
    )


def performance(timings: Timings, *, speed: Throughput, info: EvaluationInfo) -> Performance:
    return Performance(
        ttft_s=percentiles(timings.ttft),
        tpot_s=percentiles(timings.tpot),
        latency_s=percentiles(timings.latency),
        requests_per_s=speed.requests_per_s,
        output_tokens_per_s=speed.output_tokens_per_s,
        peak_vram_mib=info.peak_vram_mib,
        peak_rss_mib=info.peak_rss_mib,
        gpu_util=info.gpu_util,
        energy_wh=info.energy_wh,
        measured=timings.measured,
        imported=timings.imported,
    )
