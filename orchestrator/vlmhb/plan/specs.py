"""From a resolved evaluation to the specs of its stages. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from vlmhb_stages.specs import (
    Backend,
    Budget,
    Dialect,
    EvaluateSpec,
    HttpBackend,
    InferSpec,
    MetricBackend,
    PrepareSpec,
    ReplayBackend,
    ScoreSpec,
    SocketBackend,
    Target,
)

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.dataset_files import is_archive
from vlmhb.modelcard import URL_INTERFACES, ModelCard
from vlmhb.plan.metrics import BACKENDS, BackendPlan, backends_of, own_metrics, user_metric

API_KEY_FILE = "/vlmhb/secrets/api_key"
ANNOTATION = "/vlmhb/in/annotation.csv"
FEW_SHOT = "/vlmhb/in/few_shot"
PREVIOUS = PurePosixPath("/vlmhb/in/previous")
CACHE = PurePosixPath("/vlmhb/in/cache")
MAX_LEGACY_NAME = 160  # bytes, without `_answers_<time>` and what the aggregators append; a name may have 255
_NOT_IN_FILE_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')


def prepare_spec(evaluation: ResolvedEvaluation) -> PrepareSpec:
    benchmark, row = evaluation.benchmark, evaluation.row
    path, params = evaluation.dataset_path, dict(benchmark.params)
    archive = is_archive(path)
    if path.is_file() and not archive:
        params["file"] = path.name  # its folder is what is mounted
    return PrepareSpec(
        loader=benchmark.loader,
        archive=path.name if archive else None,
        unpack=benchmark.unpack,
        params=params,
        task_type=benchmark.task_type,
        prompt=evaluation.prompt,
        template=benchmark.template,
        prompts=evaluation.prompts,
        system_prompt=evaluation.system_prompt,
        prompt_config=evaluation.prompt_config,
        prompt_source=evaluation.prompt_source,
        few_shot=f"{FEW_SHOT}/{evaluation.few_shot.name}" if evaluation.few_shot else None,
        few_shot_n=row.few_shot_n,
        chain_of_thought=evaluation.chain_of_thought,
        response_schema=evaluation.response_schema,
        default_response_schema=evaluation.default_response_schema,
        filter_doc_class=row.filter_doc_class,
        filter_question_type=row.filter_question_type,
        limit=row.limit,
        seed=row.seed or 0,
    )


def infer_spec(
    evaluation: ResolvedEvaluation,
    *,
    model_identity: str,
    previous: tuple[str, ...],
    backend: Backend,
    fallbacks: tuple[Target, ...] = (),
    budgeted: bool = False,
    cache: str | None = None,
) -> InferSpec:
    """`budgeted`: the host grants the money in `Budget.control`. `cache`: where answers of other runs are mounted."""
    retry = evaluation.retry
    if isinstance(backend, SocketBackend):  # it is loaded again when it dies
        retry = retry.model_copy(update={"server_wait_s": evaluation.model.load_timeout_s})
    return InferSpec(
        previous=tuple(str(PREVIOUS / name) for name in previous),
        backend=backend,
        model=name_at_server(evaluation.model),
        model_identity=model_identity,
        decoding=evaluation.decoding,
        structured="structured" in evaluation.model.capabilities,
        fallbacks=fallbacks,
        overflow=evaluation.overflow,
        max_image_side=evaluation.max_image_side,
        shrink_on_oom="images" in evaluation.model.on_oom,
        mode=evaluation.mode,
        warmup=evaluation.warmup,
        slo=evaluation.slo,
        concurrency=1 if evaluation.mode == "benchmark" else evaluation.concurrency,
        adaptive=is_adaptive(evaluation.model),
        rate=evaluation.rate,
        breaker=evaluation.model.breaker,
        retry=retry,
        error_policy=evaluation.error_policy,
        price=evaluation.price,
        cache=cache,
        budget=Budget(currency=evaluation.price.currency if evaluation.price else "") if budgeted else None,
    )


def is_adaptive(model: ModelCard) -> bool:
    return model.interface in URL_INTERFACES if model.adaptive is None else model.adaptive


def answers_target(evaluation: ResolvedEvaluation) -> str | None:
    """Where a stage sees the answers file."""
    return f"/vlmhb/in/answers{evaluation.answers_file.suffix}" if evaluation.answers_file else None


def backend_of(evaluation: ResolvedEvaluation, *, base_url: str | None) -> Backend:
    """Where the driver finds its answers: a file, a URL, or our own server's socket."""
    if answers := answers_target(evaluation):
        return ReplayBackend(answers=answers)
    if base_url is not None:
        key_file = API_KEY_FILE if evaluation.api_key else None
        return HttpBackend(base_url=base_url, api_key_file=key_file, dialect=dialect_of(evaluation.model))
    copies = evaluation.row.replicas or 1
    return SocketBackend(sockets=tuple(f"/vlmhb/sock/{number}/model.sock" for number in range(copies)))


def name_at_server(model: ModelCard) -> str:
    """What requests call it. A server of ours is started under the card's name; its params are its own affair."""
    named = model.params.get("model") if model.interface in URL_INTERFACES else None
    return model.name if named is None else str(named)


def dialect_of(model: ModelCard) -> Dialect:
    """The chat protocol of a model behind a URL."""
    return model.interface if model.interface in ("anthropic", "gemini") else "openai"


def score_spec(
    evaluation: ResolvedEvaluation, backend: BackendPlan, *, versions: Mapping[str, str]
) -> ScoreSpec:
    return ScoreSpec(
        metrics=tuple(metric.name for metric in backend.metrics),
        user_metrics=tuple(user_metric(metric, versions=versions) for metric in backend.metrics),
        extraction=evaluation.extraction,
    )


def evaluate_spec(
    evaluation: ResolvedEvaluation, *, versions: Mapping[str, str], annotation: bool, legacy_stem: str
) -> EvaluateSpec:
    """`versions`: content hashes of user metrics by name. `annotation`: the dataset has such a file."""
    benchmark = evaluation.benchmark
    return EvaluateSpec(
        metrics=evaluation.metrics,
        primary=evaluation.primary,
        profile=evaluation.profile,
        aggregators=evaluation.aggregators,
        slices=benchmark.slices,
        extraction=evaluation.extraction,
        user_metrics=tuple(user_metric(item, versions=versions) for item in own_metrics(evaluation)),
        backends=tuple(
            MetricBackend(
                name=backend.name,
                metrics=tuple(metric.name for metric in backend.metrics),
                folder=f"{BACKENDS}/{backend.name}",
            )
            for backend in backends_of(evaluation)
        ),
        gate=evaluation.gate,
        headline=benchmark.headline,
        averages=benchmark.averages,
        annotation=ANNOTATION if annotation else None,
        # the prototype pairs rows by position, so its numbers depend on the order in the file
        answers=answers_target(evaluation) if evaluation.profile == "upstream-0.1" else None,
        legacy_stem=legacy_stem,
        seed=evaluation.row.seed or 0,
    )


def legacy_stem(evaluation: ResolvedEvaluation, *, created: str) -> str:
    """The prototype's name of an answers file; `created` is ISO 8601, as in the infer manifest.

    A name that no file can have is made one: odd characters become hyphens, long names are cut."""
    stamp = created[:19].replace("-", "").replace(":", "").replace("T", "_")
    framework = evaluation.model.framework.replace(" ", "_")
    named = (evaluation.benchmark.name, framework, evaluation.model.name, evaluation.benchmark.task)
    parts = [_NOT_IN_FILE_NAMES.sub("-", part) for part in named]
    if len("_".join(parts).encode()) > MAX_LEGACY_NAME:
        parts = [part.encode()[: MAX_LEGACY_NAME // len(parts)].decode(errors="ignore") for part in parts]
    return "_".join((*parts, "answers", stamp))
