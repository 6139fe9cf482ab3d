"""Latency, TTFT, TPOT, ITL, throughput and goodput of the requests that this evaluation really sent.

Definitions: docs/performance.md. Rates are over the time with requests in flight, of all starts of the stage: pauses
of retries count, the hours between an interruption and its resume do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vlmhb_stages.contracts import InferSummary
from vlmhb_stages.report.model import EvaluationInfo, Goodput, Percentiles, Performance
from vlmhb_stages.report.performance_notes import notes
from vlmhb_stages.report.read import Reader
from vlmhb_stages.report.timings import Timings
from vlmhb_stages.sketch import Sketch
from vlmhb_stages.spans import Spans
from vlmhb_stages.specs import Slo

BINS = 32
PERCENTS = (50, 90, 95, 99)


class AttemptLine(BaseModel):
    """What throughput needs of a line of `attempts.jsonl`. `started` in seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    started: float
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Equal bins from 0 to `upper` (the 99th percentile); `over` values beyond it are in the last bin."""

    counts: tuple[int, ...]
    upper: float
    over: int


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """The value at rank ceil(n p / 100) of `ordered` (ascending, not empty): always one that occurred."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def percentiles(values: Sequence[float]) -> Percentiles | None:
    if not values:
        return None
    ordered = sorted(values)
    p50, p90, p95, p99 = (round(nearest_rank(ordered, percent), 6) for percent in PERCENTS)
    return Percentiles(p50=p50, p90=p90, p95=p95, p99=p99, n=len(ordered))


def sketched(sketch: Sketch) -> Percentiles | None:
    """Nearest-rank percentiles within the relative error of a sketch."""
    found = [sketch.quantile(percent / 100) for percent in PERCENTS]
    p50, p90, p95, p99 = (round(value or 0.0, 6) for value in found)
    return Percentiles(p50=p50, p90=p90, p95=p95, p99=p99, n=sketch.count) if sketch.count else None


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


def active_seconds(attempts: Path | None, *, reader: Reader, summary: InferSummary | None) -> float | None:
    """How long requests were in flight, of all starts of the stage; None when nothing was sent."""
    spans = Spans()
    if attempts is not None and attempts.exists():
        reader.each(
            attempts, AttemptLine, keep=lambda line: spans.add(line.started, line.started + line.latency_s)
        )
    elif summary is not None:
        spans = Spans(summary.active)
    return spans.seconds or None


def performance(
    timings: Timings, *, active_s: float | None, summary: InferSummary | None, info: EvaluationInfo
) -> Performance:
    found = Performance(
        mode=info.mode,
        queue_s=percentiles(timings.queue),
        ttft_s=percentiles(timings.ttft),
        tpot_s=percentiles(timings.tpot),
        itl_s=sketched(timings.itl),
        latency_s=percentiles(timings.latency),
        requests_per_s=_rate(timings.measured, active_s),
        output_tokens_per_s=None if timings.uncounted else _rate(timings.output_tokens, active_s),
        peak_vram_mib=info.peak_vram_mib,
        peak_rss_mib=info.peak_rss_mib,
        gpu_util=info.gpu_util,
        energy_wh=info.energy_wh,
        measured=timings.measured,
        imported=timings.imported,
        active_s=None if active_s is None else round(active_s, 3),
        warmup=summary.warmup if summary else 0,
        goodput=_goodput(timings, active_s=active_s),
        tokens_from=dict(sorted(timings.tokens_from.items())),
        engine=summary.engine if summary else {},
    )
    return found.model_copy(update={"notes": notes(found, timings=timings)})


def _rate(count: int, seconds: float | None) -> float | None:
    return round(count / seconds, 6) if seconds and count else None


def _goodput(timings: Timings, *, active_s: float | None) -> Goodput | None:
    """None without limits, and where a limited time is not known of some answers."""
    asked = timings.measured + timings.failed
    if timings.slo == Slo() or not asked or timings.undecided:
        return None
    rate = round(timings.kept / active_s, 6) if active_s else None
    return Goodput(slo=timings.slo, share=round(timings.kept / asked, 6), requests_per_s=rate)
