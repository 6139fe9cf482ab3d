"""Contracts between the host and the stages, version 1: specs in, records out.

The host writes `spec.json`; a stage reads nothing else to know what to do. All paths in a spec are
`/vlmhb/...` paths (see `paths.py`). Records are one JSON object a line, UTF-8, `\n` line ends.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

CONTRACT_VERSION = 1

Status = Literal["ok", "error", "truncated", "refused", "context_overflow", "skipped_budget"]
ErrorKind = Literal[
    "timeout",
    "rate_limited",
    "server_error",
    "connection",
    "context_overflow",
    "content_filter",
    "bad_image",
    "bad_sample",  # the dataset row itself is unusable
    "invalid_response",
    "budget",
    "missing_answer",
]


class Record(BaseModel):
    """Base of everything that is written or read: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- records -----------------------------------------------------------------------------------


class ImageRef(Record):
    """One image of a sample; `path` is relative to the media root."""

    path: str
    sha256: str
    width: int  # pixels
    height: int  # pixels


class SampleError(Record):
    """Why a sample or a request has no answer."""

    kind: ErrorKind
    message: str


class Message(Record):
    """One chat message. Images go into the first user message, in `Sample.images` order, before the text."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sample(Record):
    """One line of `inputs/samples.jsonl`. Never carries a reference answer."""

    sample_id: str
    messages: tuple[Message, ...]
    images: tuple[ImageRef, ...] = ()
    metadata: dict[str, str] = {}
    choices: tuple[str, ...] | None = None
    response_schema: dict[str, Any] | None = None
    error: SampleError | None = None  # the input itself is unusable (bad_image): never sent, counted


class Label(Record):
    """One line of `labels/labels.jsonl`. Several references = any of them is right."""

    sample_id: str
    references: tuple[str, ...]
    metadata: dict[str, str] = {}


class Prediction(Record):
    """One line of `predictions.jsonl`; the last valid line per sample wins. Times in seconds."""

    sample_id: str
    request_hash: str
    status: Status
    text: str | None = None  # None unless the model answered (ok or truncated)
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    attempts: int = 1
    cost: float | None = None
    error: SampleError | None = None
    server: str | None = None
    imported_from: str | None = None  # fingerprint of the artifact whose record this is


class Score(Record):
    """One line of `scores.jsonl`; deterministic (no times). A metric is null where it is undefined."""

    sample_id: str
    scores: dict[str, float | None]
    matched_reference: str | None
    extracted: str | None
    status: Status


class MetricValue(Record):
    """One aggregate in `metrics.json`.

    `value` is over all planned samples with missing and failed ones scored worst ("missing = wrong");
    `value_answered` is over the answered ones only. `n` counts samples with a defined score in `value`.
    """

    name: str
    version: str
    params: dict[str, Any] = {}
    value: float | None
    value_answered: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int
    n_error: int
    direction: Literal["higher", "lower"]


class SliceMetrics(Record):
    """Metrics of the samples whose metadata `key` equals `value`."""

    key: str
    value: str
    metrics: tuple[MetricValue, ...]


class Counts(Record):
    planned: int
    ok: int
    error: int
    skipped: int = 0


class MetricsFile(Record):
    """`metrics.json`."""

    contract_version: int = CONTRACT_VERSION
    primary: str | None
    profile: str
    counts: Counts
    coverage: float  # answered / planned, 0..1
    warnings: tuple[str, ...] = ()
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceMetrics, ...] = ()


class InferSummary(Record):
    """`infer/out/summary.json`."""

    contract_version: int = CONTRACT_VERSION
    counts: Counts
    imported: int = 0
    requests: int = 0  # requests sent by this attempt of the stage
    wall_s: float = 0.0  # this attempt only
    errors: dict[str, int] = {}  # error kind -> samples
    server: dict[str, Any] = {}  # what the server said of itself (/v1/models)


# --- specs -------------------------------------------------------------------------------------


class PrepareSpec(Record):
    """Reads `/vlmhb/in/dataset` (ro); writes `out/inputs/{samples.jsonl,media.json,media/}` and
    `out/labels/labels.jsonl`.

    `media.json` is `{"mode": "mount", "root": "<folder relative to the dataset>"}` when that folder holds image
    files only (so it can be mounted into `infer` as it is), else `{"mode": "copy"}` with the files in `media/`.
    """

    stage: Literal["prepare"] = "prepare"
    loader: str  # annotation | jsonl | tsv | sroie
    dataset: str = "/vlmhb/in/dataset"
    params: dict[str, Any] = {}  # loader parameters from the card: file, columns, delimiter ...
    task_type: str = "ocr"
    prompt: str | None = None  # replaces every question (card's or row's prompt)
    prompts: dict[str, str] = {}  # prompt collection: "<doc_class> <question_type>" -> prompt
    system_prompt: str | None = None
    filter_doc_class: str | None = None
    filter_question_type: str | None = None
    limit: int | None = None
    seed: int = 0
    max_image_pixels: int = 200_000_000


class SocketBackend(Record):
    kind: Literal["socket"] = "socket"
    socket: str = "/vlmhb/sock/model.sock"


class HttpBackend(Record):
    kind: Literal["http"] = "http"
    base_url: str  # with or without /v1
    api_key_file: str | None = None  # /vlmhb/secrets/<name>


class ReplayBackend(Record):
    """Answers come from a file (`id;model_answer` CSV or JSONL with sample_id and text)."""

    kind: Literal["replay"] = "replay"
    answers: str = "/vlmhb/in/answers"


Backend = Annotated[SocketBackend | HttpBackend | ReplayBackend, Field(discriminator="kind")]


class Decoding(Record):
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()


class RetryPolicy(Record):
    attempts: int = 3  # requests per sample in all, exactly
    base_s: float = 0.5
    max_s: float = 30.0
    timeout_connect_s: float = 10.0
    timeout_first_token_s: float = 300.0
    timeout_total_s: float = 600.0
    server_wait_s: float = 300.0  # how long a vanished own server is waited for


class InferSpec(Record):
    """Reads `/vlmhb/in/inputs`, `/vlmhb/in/media` and `/vlmhb/in/previous/<fingerprint>/predictions.jsonl`; writes
    `out/`."""

    stage: Literal["infer"] = "infer"
    inputs: str = "/vlmhb/in/inputs"
    media: str = "/vlmhb/in/media"
    previous: tuple[str, ...] = ()  # folders of sealed infer artifacts of the same model identity
    backend: Backend
    model: str  # name sent as `model`
    model_identity: str  # sha256 over everything that could change an answer; part of request_hash
    decoding: Decoding = Decoding()
    concurrency: int = 1
    retry: RetryPolicy = RetryPolicy()
    error_policy: str = "continue"  # stop | continue | tolerate:<percent>
    heartbeat_s: float = 5.0
    drain_s: float = 10.0  # how long requests in flight may take to end after SIGTERM or SIGINT


class EvaluateSpec(Record):
    """Reads `/vlmhb/in/predictions` (infer out), `/vlmhb/in/labels`; writes scores.jsonl, metrics.json, legacy/."""

    stage: Literal["evaluate"] = "evaluate"
    predictions: str = "/vlmhb/in/predictions"
    labels: str = "/vlmhb/in/labels"
    inputs: str = "/vlmhb/in/inputs"  # for planned ids and their order
    annotation: str | None = None  # upstream annotation.csv, for legacy by_id columns
    answers: str | None = None  # the user's answers file; profile upstream-0.1 pairs by its row order
    metrics: tuple[str, ...]
    primary: str | None = None
    profile: str = "default"  # default | upstream-0.1
    aggregators: tuple[str, ...] = ("by_id", "by_doc_question", "by_doc_type", "general")
    legacy_stem: str = "answers"  # <dataset>_<framework>_<model>_<TASK>_answers_<ts>
    slices: tuple[str, ...] = ("doc_class", "question_type")
    extraction: str = "none"
    bootstrap_draws: int = 1000
    seed: int = 0


class ReportEvaluation(Record):
    """One evaluation in the report. Folders are None when that stage did not finish."""

    id: str
    inputs: str | None = None
    infer: str | None = None
    evaluate: str | None = None
    info: dict[
        str, Any
    ] = {}  # model, benchmark, task_type, engine, scheduler, isolation, network, provenance, failure


class ReportSpec(Record):
    """Reads sealed artifacts; writes report.html, report.md, report.json, summary.csv."""

    stage: Literal["report"] = "report"
    run_id: str
    title: str
    evaluations: tuple[ReportEvaluation, ...]


StageSpec = Annotated[PrepareSpec | InferSpec | EvaluateSpec | ReportSpec, Field(discriminator="stage")]
