"""The shape of `report.json`, version 1, and of the facts that the host hands in with each evaluation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vlmhb_stages.contracts import Counts, ExtractionRate, MetricValue, Record, SliceMetrics
from vlmhb_stages.specs import Price, Slo

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
    mode: Literal["throughput", "benchmark"] | None = None
    slo: Slo = Slo()
    price: Price | None = None
    machine_cost: dict[str, float] = {}  # of the inference: gpu_hour, kwh, cpu_hour
    machine_source: str | None = None
    paid: float | None = None  # by this run, all its restarts together
    budget: float | None = None  # of this evaluation
    over_budget: str | None = None  # the line that says which budget has stopped it
    resources: dict[str, Any] = {}


class Percentiles(Record):
    """Nearest rank over `n` values, in seconds."""

    p50: float
    p90: float
    p95: float
    p99: float
    n: int


class Goodput(Record):
    """Of the requests that this evaluation sent: how many kept every limit of `slo`, and how many that is a second."""

    slo: Slo
    share: float  # 0..1, of all that were asked: a failed request is not good
    requests_per_s: float | None = None


class Performance(Record):
    """None = not measured. `measured` and `imported` count answered records; imported ones are not timed.

    Rates are over `active_s`, the time with requests in flight. `tokens_from` counts measured answers by who counted
    their tokens: usage, tokenizer, nobody. `engine` is what the server's own counters say."""

    mode: Literal["throughput", "benchmark"] | None = None
    queue_s: Percentiles | None = None
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
    active_s: float | None = None
    warmup: int = 0
    goodput: Goodput | None = None
    tokens_from: dict[str, int] = {}
    engine: dict[str, float] = {}
    notes: tuple[str, ...] = ()


class DocTypeCost(Record):
    """Of the samples of one `doc_class` (an empty name: of those without one)."""

    samples: int
    total: float


class Cost(Record):
    """None = unknown, which is not the same as free.

    `total` is of the answers that this evaluation has, whoever paid for them; `paid` is what this run has paid, failed
    requests included. `imported` is the part of `total` whose answers come from other runs. `per_sample` and `per_page`
    are means over the `priced` samples, whose cost is known; a page is an image. `machine` is money by resource where a
    model runs on machines of one's own; `other` samples have no known cost."""

    currency: str | None = None
    total: float | None = None
    by_operation: dict[str, float] = {}  # inference, judge, tool
    paid: float | None = None
    imported: float | None = None
    priced: int = 0
    other: int = 0
    per_sample: float | None = None
    per_page: float | None = None
    by_doc_type: dict[str, DocTypeCost] = {}
    machine: dict[str, float] = {}
    source: str | None = None  # of the prices
    budget: float | None = None
    over_budget: str | None = None


class Reliability(Record):
    """How the answers were got. `errors`: failed requests by kind, those that a later one made good among them.

    `fallbacks`: answers by the place or model that stood in; `adjusted`: answers by what was sent differently."""

    requests: int = 0
    retried: int = 0  # samples that took more than one request
    errors: dict[str, int] = {}
    fallbacks: dict[str, int] = {}
    adjusted: dict[str, int] = {}


class BudgetState(Record):
    """`scope`: run or day."""

    scope: str
    limit: float
    spent: float


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
    reliability: Reliability = Reliability()
    resources: dict[str, Any] = {}  # as the host sampled them
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


class Advice(Record):
    """`instead` costs or takes `ratio` (below 1) of what `of` does, and the metric does not tell them apart.

    `by`: `test` (the paired test finds no difference) or, where there is no test, `interval` (the value of `instead`
    lies in the 95 % interval of `of`)."""

    benchmark: str
    metric: str
    instead: str
    of: str
    saves: Literal["cost", "latency"]
    ratio: float
    difference: float | None
    by: Literal["test", "interval"]


class NoAdvice(Record):
    """Something is cheaper or faster on this benchmark, but `n` samples are fewer than the `needed` to say as good."""

    benchmark: str
    n: int
    needed: int


class ReportFile(Record):
    """`report.json`. `created` is ISO 8601, UTC."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    title: str
    created: str
    evaluations: tuple[EvaluationReport, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    currency: str | None = None
    budgets: tuple[BudgetState, ...] = ()
    advice: tuple[Advice, ...] = ()
    no_advice: tuple[NoAdvice, ...] = ()
