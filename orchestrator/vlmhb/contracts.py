"""Host-side data: cards, rows of a run config, and what a row becomes once resolved. All frozen.

Every field of `EvaluationRow` is marked `semantic` (changes results, so part of a fingerprint) or `runtime`
(changes only how they are produced). A test fails on an unmarked field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.config import JsonDict
from vlmhb_stages.specs import (
    Decoding,
    Overflow,
    Price,
    PromptConfig,
    RateLimit,
    RetryPolicy,
    Slo,
    UnpackLimits,
)

from vlmhb.modelcard import Frozen, ModelCard, TaskType
from vlmhb.pricing.machines import MachinePrices

LoaderName = Literal[
    "annotation",
    "jsonl",
    "tsv",
    "parquet",
    "sroie",
    "funsd",
    "cord",
    "coco_text",
    "kie_folder",
    "rpo",
    "pages",
    "due",
    "kleister",
    "pubtabnet",
    "entity_lines",
    "auto",  # told by what lies there, for an archive: by what is in it
]
EngineName = Literal["auto", "docker", "podman", "apptainer", "process"]

semantic: JsonDict = {"mark": "semantic"}
runtime: JsonDict = {"mark": "runtime"}


class Place(Frozen):
    """Where a value stands, for error messages. `row` is the line of the file a person would look at (1-based)."""

    file: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        parts = [self.file]
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        return ", ".join(parts)


# --- cards -------------------------------------------------------------------------------------


class HubCard(Frozen):
    """Where `vlmhb benchmarks fetch` finds the files on the Hugging Face hub; never used inside a run."""

    repo: str
    revision: (
        str  # a commit; of a branch or tag the first fetch records the commit, and later ones keep to it
    )
    files: tuple[str, ...]  # glob patterns inside the repository


class MetricCard(Frozen):
    """A metric of the user's own, or one whose packages do not fit beside ours.

    `class_path` is `module:attribute`; `path` the file, folder or wheel it is in (relative to the card). Without
    `path` the module is installed: in `image` where there is one, else on this machine."""

    name: str = Field(pattern=r"^[a-z0-9_][a-z0-9_.-]*$")  # it becomes the name of a file
    class_path: str = Field(pattern=r"^[^\s:]+:[^\s:]+$")
    path: str | None = None
    image: str | None = None  # image card or reference; None: the stages image
    version: str | None = Field(default=None, coerce_numbers_to_str=True)  # `version: 2` is no mistake
    direction: Literal["higher", "lower"] = "higher"
    description: str = ""
    origin: str = ""


class BenchmarkCard(Frozen):
    name: str
    task: str = "VQA"  # upstream's word, also the folder name under Datasets/
    task_type: TaskType = "vqa"
    loader: LoaderName
    path: str | None = None  # file or folder; relative to the card, the config or <workspace>/datasets
    params: dict[str, Any] = {}
    unpack: UnpackLimits = UnpackLimits()  # for `path` or a row's dataset_path that is an archive
    prompt: str | None = None
    template: str | None = None  # around each question: `{question}` is replaced
    system_prompt: str | None = None
    metrics: tuple[str, ...] = ()
    primary: str | None = None
    slices: tuple[str, ...] = ("doc_class", "question_type")
    extraction: str = "none"
    gate: str | None = None
    headline: str | None = None
    averages: tuple[str, ...] = ()
    max_tokens: int | None = None
    response_schema: dict[str, Any] | None = None  # of samples that bring none
    hub: HubCard | None = None
    description: str = ""
    languages: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""  # paper and home page
    revision: str = ""  # of the data that the card was written for
    splits: dict[str, int] = {}  # samples by split
    labels: str = ""  # where the reference answers come from, or why a split has none
    obtain: str = ""  # how to get the files onto a machine without a network
    origin: str = ""


class ImageCard(Frozen):
    """`images/<name>/image.yaml`. `dockerfile`, `lock` relative to the card's folder."""

    name: str
    tag: str  # e.g. vlmhb/rapidocr:0.2.0
    dockerfile: str = "Dockerfile"
    lock: str = "requirements.lock"
    system_packages: tuple[
        str, ...
    ] = ()  # Debian packages that the Dockerfile installs (told, not used, by `process`)
    description: str = ""
    origin: str = ""


# --- run config --------------------------------------------------------------------------------


class EvaluationRow(Frozen):
    """One row of the user's file, typed; names not yet looked up. None = the card's default."""

    place: Annotated[Place, Field(json_schema_extra=runtime)]
    # upstream's eleven
    dataset: str = Field(json_schema_extra=semantic)
    task: str | None = Field(default=None, json_schema_extra=semantic)
    framework: str | None = Field(default=None, json_schema_extra=semantic)
    model_name: str = Field(json_schema_extra=semantic)
    system_prompt: str | None = Field(default=None, json_schema_extra=semantic)
    prompt_collection: str | None = Field(default=None, json_schema_extra=semantic)
    metrics: tuple[str, ...] | None = Field(default=None, json_schema_extra=semantic)
    only_evaluate_metrics: bool = Field(default=False, json_schema_extra=semantic)
    metrics_aggregators: tuple[str, ...] | None = Field(default=None, json_schema_extra=semantic)
    filter_doc_class: str | None = Field(default=None, json_schema_extra=semantic)
    filter_question_type: str | None = Field(default=None, json_schema_extra=semantic)
    # ours, on the right
    dataset_path: str | None = Field(default=None, json_schema_extra=runtime)  # its bytes are semantic
    limit: int | None = Field(default=None, ge=1, json_schema_extra=semantic)
    seed: int | None = Field(default=None, json_schema_extra=semantic)
    temperature: float | None = Field(default=None, ge=0, json_schema_extra=semantic)
    max_tokens: int | None = Field(default=None, ge=1, json_schema_extra=semantic)
    concurrency: int | None = Field(default=None, ge=1, json_schema_extra=runtime)
    batch_size: int | None = Field(default=None, ge=1, json_schema_extra=runtime)
    gpus: tuple[str, ...] | None = Field(default=None, json_schema_extra=runtime)
    replicas: int | None = Field(default=None, ge=1, json_schema_extra=runtime)
    base_url: str | None = Field(default=None, json_schema_extra=runtime)
    api_key: str | None = Field(default=None, json_schema_extra=runtime)
    docker_image: str | None = Field(default=None, json_schema_extra=semantic)
    model_params: str | None = Field(default=None, json_schema_extra=semantic)  # a JSON object
    weights: str | None = Field(default=None, json_schema_extra=semantic)
    answers_file: str | None = Field(default=None, json_schema_extra=semantic)
    metrics_profile: str | None = Field(default=None, json_schema_extra=semantic)
    error_policy: str | None = Field(default=None, json_schema_extra=runtime)
    budget: str | None = Field(default=None, json_schema_extra=runtime)
    prompt: str | None = Field(default=None, json_schema_extra=semantic)
    prompt_config: str | None = Field(default=None, json_schema_extra=semantic)
    few_shot: str | None = Field(default=None, json_schema_extra=semantic)  # file of examples
    few_shot_n: int | None = Field(default=None, ge=1, json_schema_extra=semantic)
    chain_of_thought: str | None = Field(default=None, json_schema_extra=semantic)
    response_schema: str | None = Field(default=None, json_schema_extra=semantic)  # file, or JSON itself
    fallbacks: tuple[str, ...] | None = Field(default=None, json_schema_extra=semantic)  # model names
    overflow: tuple[str, ...] | None = Field(default=None, json_schema_extra=semantic)
    max_image_side: int | None = Field(default=None, ge=16, json_schema_extra=semantic)
    mode: str | None = Field(default=None, json_schema_extra=semantic)  # throughput | benchmark
    warmup: int | None = Field(default=None, ge=0, json_schema_extra=runtime)
    slo: str | None = Field(default=None, json_schema_extra=runtime)
    rate_limit: str | None = Field(default=None, json_schema_extra=runtime)
    fresh: bool = Field(default=False, json_schema_extra=runtime)
    extraction: str | None = Field(default=None, json_schema_extra=semantic)
    tags: tuple[str, ...] | None = Field(default=None, json_schema_extra=runtime)


class Budgets(Frozen):
    """Most money to spend, by scope. None = no limit. Amounts in the currency of the price table."""

    run: float | None = Field(default=None, ge=0)
    day: float | None = Field(default=None, ge=0)
    evaluation: float | None = Field(default=None, ge=0)  # for each one without a budget of its own
    currency: str | None = None  # as written with an amount; None: that of the price table


class Alerts(Frozen):
    """Who is told when a budget reaches 50, 80, 95 or 100 %."""

    command: tuple[str, ...] = ()  # argv; the message is a JSON object on its standard input
    webhook: str | None = None  # URL or secret:NAME; the message is POSTed as JSON


class RunConfig(Frozen):
    """A whole run config file. `path` is the user's file; `raw` its bytes as text, kept verbatim in the run."""

    path: Path
    rows: tuple[EvaluationRow, ...]
    engine: EngineName | None = None
    scheduler: Literal["local"] | None = None
    budget: Budgets = Budgets()
    prices: str | None = None
    alerts: Alerts = Alerts()
    warnings: tuple[str, ...] = ()


class FoundMetric(Frozen):
    """A metric that is not ours, found on this machine without importing it.

    `path`: file, folder or wheel to mount at `/vlmhb/in/metrics/<name>/<inside>`; None: the image has it already."""

    name: str
    module: str
    attribute: str
    version: str | None = None  # of its card
    direction: Literal["higher", "lower"] = "higher"
    path: Path | None = None  # absolute
    inside: str = ""  # relative to the metric's own folder; empty: `path` is mounted as that folder
    importable: bool = (
        True  # False: `path` is a file or wheel that is named itself, not a folder to import from
    )
    image: str | None = None  # of a backend
    origin: str = ""  # card, entry point or place in the config that named it


class ResolvedEvaluation(Frozen):
    """A row with every name looked up and every file found: all that the planner needs to know."""

    id: str  # <benchmark>-<model> slug, with -2, -3 ... where two rows would collide
    row: EvaluationRow
    model: ModelCard
    benchmark: BenchmarkCard
    dataset_path: Path  # file or folder on the host, absolute
    prompts: dict[str, str] = {}
    system_prompt: str | None = None
    prompt: str | None = None
    prompt_config: PromptConfig | None = None
    prompt_source: str = ""  # where `prompt_config` stands, for messages
    few_shot: Path | None = None  # file of examples, absolute
    chain_of_thought: str | None = None  # the sentence
    response_schema: dict[str, Any] | None = None  # the row's, in place of the samples' own
    default_response_schema: dict[str, Any] | None = None  # the card's
    decoding: Decoding
    retry: RetryPolicy
    concurrency: int
    metrics: tuple[str, ...]  # () = evaluation skipped
    primary: str | None
    user_metrics: tuple[FoundMetric, ...] = ()  # those of `metrics`, and the gate, that are not built in
    extraction: str = "none"
    gate: str | None = None
    aggregators: tuple[str, ...]
    profile: str
    error_policy: str
    answers_file: Path | None = None
    weights: Path | None = None
    base_url: str | None = None
    api_key: str | None = None  # secret:NAME
    fallbacks: tuple[ModelCard, ...] = ()  # behind URLs; all is their own but for what the row says
    overflow: tuple[Overflow, ...] = ()
    max_image_side: int | None = None
    mode: Literal["throughput", "benchmark"] = "throughput"
    warmup: int = 0
    slo: Slo = Slo()
    rate: RateLimit = RateLimit()
    budget: float | None = None  # of this evaluation, in the currency of the price table
    price: Price | None = (
        None  # of `model`; prices and budgets never change an answer, so they identify nothing
    )
    fallback_prices: tuple[Price | None, ...] = ()  # in the order of `fallbacks`
    machine: MachinePrices | None = None  # of the machines that run a model of ours
    warnings: tuple[str, ...] = ()
