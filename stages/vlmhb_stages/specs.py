"""What a stage is told to do: the host writes `spec.json`, and a stage reads nothing else to know.

All paths in a spec are `/vlmhb/...` paths (see `paths.py`). Part of the contract, version 1.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from vlmhb_stages.contracts import Record


class UnpackLimits(Record):
    """How far an archive is trusted; beyond them it is refused, and the message names the member."""

    max_gib: float = 50.0  # of everything in it, unpacked
    max_files: int = 1_000_000  # members of every kind
    max_ratio: float = 200.0  # unpacked over packed; the first 256 MiB are free


class PromptPair(Record):
    """Templates of the system and the user message; None: the next in line decides. An empty system prompt is none."""

    system: str | None = None
    user: str | None = None


class PromptConfig(Record):
    """Jinja templates by kind of sample. For each message alone the first that is given counts: `fixed`, then
    `questions["<doc_class> <question_type>"]`, `questions["<question_type>"]`, `classes["<doc_class>"]`, `default`;
    after them what the benchmark itself says."""

    fixed: PromptPair = PromptPair()
    questions: dict[str, PromptPair] = {}
    classes: dict[str, PromptPair] = {}
    default: PromptPair = PromptPair()


# What a prompt template knows of every sample; the keys of the sample's metadata come on top.
TEMPLATE_NAMES = ("question", "choices", "images", "metadata", "doc_class", "doc_type", "question_type")
TEMPLATE_FUNCTIONS = ("range", "dict", "namespace")
# Loaders whose samples the host reads before a run: it has said already what `prepare` would say of their kinds.
READ_BEFORE = ("annotation", "jsonl")


class PrepareSpec(Record):
    """Reads `/vlmhb/in/dataset` (ro); writes `out/inputs/{samples.jsonl,media.json,media/}` and
    `out/labels/labels.jsonl`.

    Also `out/inputs/prompts.jsonl` (PromptVersion). `media.json` is `{"mode": "mount", "root": "<folder relative to
    the dataset>"}` when that folder holds image files only (so it can be mounted into `infer` as it is), else
    `{"mode": "copy"}` with the files in `media/`.
    """

    stage: Literal["prepare"] = "prepare"
    loader: str  # a name in vlmhb_benchmarks.loaders.LOADERS; `auto`: told by what lies there
    dataset: str = "/vlmhb/in/dataset"
    archive: str | None = None  # name of a .zip or .tar[.gz|.bz2|.xz] in `dataset`: unpacked first
    unpack: UnpackLimits = UnpackLimits()
    params: dict[str, Any] = {}  # loader parameters from the card: file, columns, delimiter ...
    task_type: str = "ocr"
    prompt: str | None = None  # replaces every question (card's or row's prompt)
    template: str | None = None  # around the question: `{question}` is replaced, nothing else
    prompts: dict[str, str] = {}  # prompt collection: "<doc_class> <question_type>" -> prompt
    system_prompt: str | None = None
    prompt_config: PromptConfig | None = None
    prompt_source: str = ""  # the file of `prompt_config`, for messages
    few_shot: str | None = None  # /vlmhb/in/few_shot/<name>: worked examples, one JSON object a line
    few_shot_n: int | None = None  # None: all of them; with a seed other than 0 they are drawn
    chain_of_thought: str | None = None  # sentence that ends each question
    response_schema: dict[str, Any] | None = None  # in place of the samples' own
    default_response_schema: dict[str, Any] | None = None  # for samples without one of their own
    filter_doc_class: str | None = None
    filter_question_type: str | None = None
    limit: int | None = None
    seed: int = 0
    max_image_pixels: int = 200_000_000


class SocketBackend(Record):
    """Our own server, or several replicas of it: one socket each. The host restarts the one that dies."""

    kind: Literal["socket"] = "socket"
    sockets: tuple[str, ...] = ("/vlmhb/sock/0/model.sock",)


Dialect = Literal["openai", "anthropic", "gemini"]


class HttpBackend(Record):
    """A server that is not ours. `dialect`: which chat protocol it speaks."""

    kind: Literal["http"] = "http"
    base_url: str  # with or without /v1
    api_key_file: str | None = None  # /vlmhb/secrets/<name>
    dialect: Dialect = "openai"


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
    attempts: int = Field(default=3, ge=1)  # requests per sample and place (a fallback has its own), exactly
    base_s: float = 0.5
    max_s: float = 30.0
    timeout_connect_s: float = 10.0
    timeout_first_token_s: float = 300.0
    timeout_token_s: float = 60.0  # between two pieces of a streamed answer
    timeout_total_s: float = 600.0
    server_wait_s: float = 300.0  # how long a vanished own server is waited for


class RateLimit(Record):
    """Most that one place is asked, over any 60 s. None = no limit."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)  # input and output


class BreakerPolicy(Record):
    """Circuit breaker of one place: closed → open after `failures` in a row → half-open after `cooldown_s`
    (doubled each time it opens again, up to `max_cooldown_s`), when `probes` requests may try."""

    failures: int = Field(default=8, ge=1)
    cooldown_s: float = 10.0
    max_cooldown_s: float = 300.0
    probes: int = Field(default=1, ge=1)


class Price(Record):
    """What one model costs, in `currency`. Per million tokens; images per image; requests per request."""

    currency: str = "USD"
    input: float = 0.0
    output: float = 0.0
    cached_input: float | None = None  # of input tokens that the server had cached; None: as `input`
    image_input: float | None = None  # of image tokens, where usage tells them apart; None: as `input`
    per_request: float = 0.0
    per_image: float = 0.0
    source: str = ""  # file, date and place of the price list, for the report


class Budget(Record):
    """Money that this inference may spend: as much as `<control>/budget.json` grants, which the host keeps.

    The file is `{"granted": <sum so far>, "final": <no more will come>}` and only ever grows. The driver reserves
    the most a request can cost before it sends it, and asks for more by an event
    `{"type": "budget", "spent": .., "reserved": .., "need": <sum that it could use>}`. All these sums are over every
    start of the artifact, as `out/spending.json` keeps them; what was reserved by a start that was killed counts as
    spent."""

    control: str = "/vlmhb/control"
    currency: str = "USD"


class Host(Record):
    """The host writes something else into `<folder>/alive` every few seconds. A driver whose host is silent for
    `silent_s` ends as after SIGTERM."""

    folder: str = "/vlmhb/host"
    silent_s: float = 60.0


class Slo(Record):
    """A request counts for goodput when it keeps every limit given, in seconds."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    latency_s: float | None = None


Overflow = Literal["shrink_images", "drop_oldest_turns"]


class Manner(Record):
    """How a place is asked."""

    decoding: Decoding = Decoding()
    structured: bool = False  # the server can hold an answer to `Sample.response_schema`
    overflow: tuple[Overflow, ...] = ()  # what may be done when a request does not fit, in order
    shrink_on_oom: bool = (
        False  # a request that runs the server out of memory may go again with smaller images
    )
    max_image_side: int | None = None  # pixels; larger images are sent smaller
    concurrency: int = 1  # requests in flight, for each socket
    adaptive: bool = False  # grow from 1 towards `concurrency` and shrink on 429 and rising latency
    breaker: BreakerPolicy = BreakerPolicy()
    retry: RetryPolicy = RetryPolicy()


class Target(Record):
    """A further place to ask when the first is out of order: another URL of the same model, or another model.

    `manner` None: as the first place is asked."""

    name: str
    backend: HttpBackend
    model: str
    model_identity: str
    price: Price | None = None
    rate: RateLimit = RateLimit()
    manner: Manner | None = None


class InferSpec(Manner):
    """Reads `/vlmhb/in/inputs`, `/vlmhb/in/media`, `/vlmhb/in/previous/<fingerprint>/predictions.jsonl` and
    `/vlmhb/in/cache/*.jsonl`; writes `out/`."""

    stage: Literal["infer"] = "infer"
    inputs: str = "/vlmhb/in/inputs"
    media: str = "/vlmhb/in/media"
    previous: tuple[str, ...] = ()  # folders of sealed infer artifacts of the same model identity
    backend: Backend
    model: str  # name sent as `model`
    model_identity: str  # sha256 over everything that could change an answer; part of request_hash
    fallbacks: tuple[Target, ...] = ()  # in the order to try
    mode: Literal["throughput", "benchmark"] = (
        "throughput"  # benchmark: one request at a time, clean latencies
    )
    warmup: int = 0  # requests sent before the measured ones; their answers are thrown away
    slo: Slo = Slo()
    rate: RateLimit = RateLimit()
    price: Price | None = None
    budget: Budget | None = None
    cache: str | None = None  # folder with answers of other runs: /vlmhb/in/cache
    error_policy: str = "continue"  # stop | continue | tolerate:<percent>
    heartbeat_s: float = 5.0
    host: Host | None = None  # None: nobody follows it
    drain_s: float = 10.0  # how long requests in flight may take to end after SIGTERM or SIGINT


class UserMetric(Record):
    """A metric that is not ours: `module:attribute` found in the folder, file or wheel at `path`.

    The attribute is a `Metric`, or a function `(prediction: str, references: list[str]) -> float`."""

    name: str
    module: str
    attribute: str
    version: str  # of its card, else the first 12 hex digits of its content's sha256
    path: str | None = None  # /vlmhb/in/metrics/<name>/...; None: installed in the image
    direction: Literal["higher", "lower"] = "higher"  # of a function; a `Metric` says it itself


class MetricBackend(Record):
    """Scores that a container of their own has made: `<folder>/scores.jsonl` of a `score` stage."""

    name: str
    metrics: tuple[str, ...]
    folder: str  # /vlmhb/in/backends/<name>


class ScoreSpec(Record):
    """A metric backend: reads what `evaluate` reads, writes `out/scores.jsonl` (BackendScore) and `out/infos.json`."""

    stage: Literal["score"] = "score"
    predictions: str = "/vlmhb/in/predictions"
    labels: str = "/vlmhb/in/labels"
    inputs: str = "/vlmhb/in/inputs"
    metrics: tuple[str, ...]
    user_metrics: tuple[UserMetric, ...] = ()
    extraction: str = "none"


class EvaluateSpec(Record):
    """Reads `/vlmhb/in/predictions` (infer out), `/vlmhb/in/labels`; writes scores.jsonl, metrics.json,
    parts/<metric>.npy (for paired tests) and legacy/."""

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
    user_metrics: tuple[UserMetric, ...] = ()
    backends: tuple[MetricBackend, ...] = ()
    gate: str | None = None  # a metric of structure; content metrics count an answer below 1 there as missing
    headline: str | None = None  # the average that becomes `value`: `macro:language/category`, `all:figure`
    averages: tuple[str, ...] = ()  # further ones
    bootstrap_draws: int = 1000
    seed: int = 0


class ImportSpec(Record):
    """Turns another tool's prediction file into `out/answers.jsonl` (AnswerRecord), for a replayed inference.

    Also writes `out/summary.json` (ImportSummary). The benchmark's own ids and their order are in `inputs`."""

    stage: Literal["import"] = "import"
    format: str  # auto | vlmevalkit | lmms-eval | evalscope | lighteval | inspect | upstream | jsonl
    source: str = "/vlmhb/in/source"
    inputs: str = "/vlmhb/in/inputs"
    ids: Literal["auto", "id", "position"] = "auto"  # how rows of the source find their samples
    id_key: str | None = (
        None  # field of the source that holds our sample ids, where the format's own does not
    )


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
    currency: str | None = None  # of all costs
    budgets: dict[str, dict[str, float]] = {}  # run, day: {limit, spent}


StageSpec = Annotated[
    PrepareSpec | InferSpec | ScoreSpec | EvaluateSpec | ReportSpec | ImportSpec, Field(discriminator="stage")
]
