"""Contracts between the stages, version 1: the records that they write and read.

One JSON object a line, UTF-8, `\n` line ends. What a stage is told to do stands in `specs.py`.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

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
    "out_of_memory",  # the server ran out of (GPU) memory over this request
]


Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """Base of everything that is written or read: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRef(Record):
    """One image of a sample; `path` is relative to the media root."""

    path: str
    sha256: str
    width: int  # pixels
    height: int  # pixels
    root: Literal["media", "inputs"] = "media"  # inputs: made by prepare (a converted image, a rendered page)
    made: str | None = (
        None  # how, where it is not the dataset's own file: `upright`, `rgb`, `first frame`, `pdf page 3`
    )


class SampleError(Record):
    """Why a sample or a request has no answer."""

    kind: ErrorKind
    message: str


class Message(Record):
    """One chat message. `images`: how many of `Sample.images`, taken in order, stand in it before its text.

    Where no message says so, all images go into the first user message."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: int | None = None


class Sample(Record):
    """One line of `inputs/samples.jsonl`. Never carries a reference answer."""

    sample_id: str
    messages: tuple[Message, ...]
    images: tuple[ImageRef, ...] = ()
    metadata: dict[str, str] = {}
    choices: tuple[str, ...] | None = None
    response_schema: dict[str, Any] | None = None
    prompt_sha256: str | None = None  # the version of the prompt: see `inputs/prompts.jsonl`
    error: SampleError | None = None  # the input itself is unusable (bad_image): never sent, counted

    @model_validator(mode="after")
    def _every_image_has_its_message(self) -> Sample:
        counts = [message.images for message in self.messages if message.images is not None]
        if counts and sum(counts) != len(self.images):
            raise ValueError(f"its messages take {sum(counts)} images, the sample has {len(self.images)}")
        return self

    def image_counts(self, images: int) -> tuple[int, ...]:
        """How many of `images` each message holds: all in the first user message where no message says it."""
        if any(message.images is not None for message in self.messages):
            return tuple(message.images or 0 for message in self.messages)
        roles = [message.role for message in self.messages]
        first = roles.index("user") if "user" in roles else None
        return tuple(images if i == first else 0 for i in range(len(roles)))

    @property
    def images_by_message(self) -> tuple[tuple[ImageRef, ...], ...]:
        left = iter(self.images)
        return tuple(tuple(islice(left, count)) for count in self.image_counts(len(self.images)))

    @property
    def own_images(self) -> tuple[ImageRef, ...]:
        """Those that the sample itself asks about, without those of worked examples before it."""
        counts = [message.images or 0 for message in self.messages if message.role == "user"]
        if all(message.images is None for message in self.messages):
            return self.images
        return self.images[len(self.images) - counts[-1] :] if counts else ()


class PromptVersion(Record):
    """One line of `inputs/prompts.jsonl`: what `prompt_sha256` is the hash of, and how many samples it asks.

    `system` and `user` are templates as written; `{question}` stands for the question of the dataset itself.
    `examples` is the sha256 of the worked examples before the question."""

    sha256: str
    samples: int
    system: str | None = None
    user: str
    language: Literal["plain", "jinja"] = "plain"
    examples: str | None = None
    chain_of_thought: str | None = None


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
    image_tokens: int | None = None  # part of input_tokens, where the server tells
    cached_tokens: int | None = None  # part of input_tokens that the server had cached
    tokens_from: Literal["usage", "tokenizer"] | None = None  # who counted; None: nobody
    queue_s: float | None = None  # ready to be sent, but waiting for room, a rate limit or a server
    latency_s: float | None = None  # of the attempt that answered
    ttft_s: float | None = None  # None: the answer was not streamed
    tpot_s: float | None = None
    itl: dict[str, int] | None = None  # gaps between output tokens, as a `sketch.Sketch`
    attempts: int = 1
    cost: float | None = None  # of all attempts, in the price's currency
    adjusted: tuple[str, ...] = ()  # what was sent differently from what was asked: `images at 50 %` ...
    error: SampleError | None = None
    server: str | None = None
    prompt_sha256: str | None = None  # the sample's, so that answers can be grouped by version of the prompt
    fallback: str | None = None  # the place or model that answered instead of the one asked for
    imported_from: str | None = (
        None  # fingerprint of the artifact whose record this is, or the tool that an answers file came from
    )


class AnswerRecord(Record):
    """One line of an answers file that knows more than ids and texts: `import` writes it, a replay reads it.

    `origin` names the tool that asked the model: such a record was never timed here."""

    sample_id: str
    status: Status = "ok"
    text: str | None = None
    error: SampleError | None = None
    finish_reason: str | None = None
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    latency_s: Seconds | None = None
    ttft_s: Seconds | None = None
    tpot_s: Seconds | None = None
    origin: str | None = None


class Score(Record):
    """One line of `scores.jsonl`; deterministic (no times). A metric is null where it is undefined."""

    sample_id: str
    scores: dict[str, float | None]
    matched_reference: str | None
    extracted: str | None
    status: Status
    gated: bool | None = (
        None  # True: the answer's structure is invalid, so content metrics count it as missing
    )


POOLED = "pooled"  # in `MetricValue.averages`: the metric's own average, where a headline took its place


class MetricValue(Record):
    """One aggregate in `metrics.json`.

    `value` is over all planned samples with missing and failed ones scored worst ("missing = wrong");
    `value_answered` is over the answered ones only. `n` counts samples with a defined score in `value`.
    `average` says how samples became `value`: mean, micro, corpus, or `macro:<key>/<key>` (unweighted mean over the
    groups of those metadata keys, nested), or `all:<key>` (share of groups whose samples are all right).
    `averages` holds the others by name; `sample_mean` is the mean of the samples' own values.
    `ungated` is `value` with invalid structures scored as texts, where the benchmark has a gate.
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
    average: str = "mean"
    averages: dict[str, float | None] = {}
    ungated: float | None = None


class ExtractionRate(Record):
    """How often the rule that takes the answer out of a reply found none, among the answered samples."""

    name: str
    version: str
    answered: int
    misses: int


class SliceMetrics(Record):
    """Metrics of the samples whose metadata `key` equals `value`.

    Key `field`: of one field over all samples; key `doc_class/field`: within one document type, `value` being
    `<doc_class>/<field>`."""

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
    extraction: ExtractionRate | None = None


class PartsEntry(Record):
    """`parts/<file>` of one metric: float64, (planned samples, width), a NaN row where the score is undefined."""

    file: str
    version: str
    params: dict[str, Any] = {}
    width: int
    average: str  # how metrics.json averages it; the parts themselves add up to the pooled value
    direction: Literal["higher", "lower"]
    binary: bool = False


class PartsIndex(Record):
    """`parts/index.json`. Two evaluations can be paired sample by sample where `ids_sha256` is equal."""

    contract_version: int = CONTRACT_VERSION
    planned: int
    ids_sha256: str  # over the sample ids in planned order, each followed by a line end
    metrics: dict[str, PartsEntry]


class InferSummary(Record):
    """`infer/out/summary.json`."""

    contract_version: int = CONTRACT_VERSION
    counts: Counts
    imported: int = 0  # answers that were not asked for, those of the response cache included
    cached: int = 0  # of them, from the response cache
    requests: int = 0  # requests sent by this attempt of the stage
    wall_s: float = 0.0  # this attempt only
    errors: dict[str, int] = {}  # error kind -> samples
    server: dict[str, Any] = {}  # what the server said of itself (/v1/models)
    warmup: int = 0  # requests before the measured ones
    active: tuple[
        tuple[float, float], ...
    ] = ()  # spans of time with requests in flight, seconds since the epoch
    engine: dict[str, float] = {}  # from the server's own /metrics: peak KV cache use, preemptions ...
    spent: float | None = None  # money for every attempt of this artifact, its earlier starts included


class SomeIds(Record):
    """How many sample ids, and the first of them."""

    count: int = 0
    first: tuple[str, ...] = ()


class TheirMetric(Record):
    """Mean of the values that another tool stored with its answers, in its own unit and direction."""

    mean: float
    n: int


class ImportSummary(Record):
    """`import/out/summary.json`.

    `surplus`: rows of the file that belong to no sample; `missing`: samples without a row. `differ`: samples whose
    question is not in the prompt that the tool recorded, out of `compared`."""

    contract_version: int = CONTRACT_VERSION
    format: str  # as found
    tool: str = ""  # with its version, where the file says it
    rows: int
    matched: int
    matched_by: Literal["id", "position"]
    statuses: dict[str, int] = {}
    surplus: SomeIds = SomeIds()
    missing: SomeIds = SomeIds()
    compared: int = 0
    differ: SomeIds = SomeIds()
    metrics: dict[str, TheirMetric] = {}
    warnings: tuple[str, ...] = ()


class BackendScore(Record):
    """One line of a backend's `scores.jsonl`: one sample under all its metrics.

    `values`, `parts` and `missing` are by metric name; `missing` are the parts of a sample without an answer. Parts are
    (numerator, denominator): metrics of a backend are means or micro rates."""

    sample_id: str
    values: dict[str, FiniteFloat | None]
    parts: dict[str, tuple[FiniteFloat, FiniteFloat] | None]
    missing: dict[str, tuple[FiniteFloat, FiniteFloat] | None]
