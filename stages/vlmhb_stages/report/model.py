"""The shape of `report.json`, version 1, and of the facts that the host hands in with each evaluation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vlmhb_stages.contracts import Counts, ExtractionRate, MetricValue, Record, SliceMetrics

SCHEMA_VERSION = 1
ANSWERED = ("ok", "truncated")  # the statuses of a prediction that has a text
EvaluationStatus = Literal["done", "partial", "failed", "interrupted", "skipped"]


class Failure(Record):
    """Why an evaluation did not finish."""

    stage: str
    code: str
    message: str


class EvaluationInfo(BaseModel):
    """`ReportEvaluation.info`. A newer host may say more than this version shows: unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = ""
    framework: str | None = None
    benchmark: str = ""
    task_type: str = ""
    engine: str = ""
    scheduler: str = ""
    isolation: str = ""
    network: str = ""
    not_enforced: tuple[str, ...] = ()
    status: EvaluationStatus | None = None
    failure: Failure | None = None
    provenance: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    peak_vram_mib: float | None = None
    peak_rss_mib: float | None = None
    gpu_util: float | None = None  # 0..1, mean
    energy_wh: float | None = None
    currency: str | None = None
    warnings: tuple[str, ...] = ()
    primary: str | None = None


class Percentiles(Record):
    """Nearest rank over `n` values, in seconds."""

    p50: float
    p90: float
    p95: float
    p99: float
    n: int


class Performance(Record):
    """None = not measured. `measured` and `imported` count answered records; imported ones are not timed."""

    ttft_s: Percentiles | None = None
    tpot_s: Percentiles | None = None
    itl_s: Percentiles | None = None
    latency_s: Percentiles | None = None
    requests_per_s: float | None = None
    output_tokens_per_s: float | None = None
    peak_vram_mib: float | None = None
    peak_rss_mib: float | None = None
    gpu_util: float | None = None
    energy_wh: float | None = None
    measured: int = 0
    imported: int = 0


class Cost(Record):
    """None = unknown, which is not the same as free."""

    currency: str | None = None
    total: float | None = None
    by_operation: dict[str, float] = {}


class FailureExample(Record):
    sample_id: str
    message: str


class FailureGroup(Record):
    """Samples that ended the same way: an error kind, or a status that has none."""

    kind: str
    count: int
    examples: tuple[FailureExample, ...] = ()


class WorstSample(Record):
    sample_id: str
    score: float


class EvaluationReport(Record):
    id: str
    model: str
    framework: str | None = None
    benchmark: str
    task_type: str
    engine: str
    scheduler: str
    isolation: str
    network: str
    not_enforced: tuple[str, ...] = ()
    status: EvaluationStatus
    failure: Failure | None = None
    counts: Counts
    coverage: float | None
    primary: str | None
    profile: str | None = None
    metrics: tuple[MetricValue, ...] = ()
    slices: tuple[SliceMetrics, ...] = ()
    extraction: ExtractionRate | None = None
    performance: Performance = Performance()
    cost: Cost = Cost()
    provenance: dict[str, Any] = {}
    failures: tuple[FailureGroup, ...] = ()
    worst: tuple[WorstSample, ...] = ()
    warnings: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def metric(self, name: str | None) -> MetricValue | None:
        return next((metric for metric in self.metrics if metric.name == name), None)

    @property
    def headline(self) -> MetricValue | None:
        """The primary metric."""
        return self.metric(self.primary)


class Comparison(Record):
    """A paired test of two evaluations on the samples that both have, missing answers counted as wrong.

    `difference` is a minus b in the metric's own unit, with its 95 % interval. `p` is of the paired bootstrap,
    `p_exact` of McNemar's exact test (None unless every sample is 0 or 1); `p_adjusted` is Holm's over the pairs of
    the benchmark, of `p_exact` where there is one.
    """

    benchmark: str
    metric: str
    version: str
    a: str
    b: str
    n: int
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_exact: float | None
    p_adjusted: float | None
    better: str | None  # the id of the better one where the test tells them apart at 5 %


class ReportFile(Record):
    """`report.json`. `created` is ISO 8601, UTC."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    title: str
    created: str
    evaluations: tuple[EvaluationReport, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
