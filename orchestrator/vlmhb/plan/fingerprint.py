"""Identity is content: what a stage's result depends on, and its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmhb_stages.contracts import CONTRACT_VERSION
from vlmhb_stages.specs import ImportSpec

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.modelcard import URL_INTERFACES, ModelCard
from vlmhb.plan.metrics import BackendPlan
from vlmhb.plan.model import Facts
from vlmhb.plan.specs import evaluate_spec, prepare_spec, score_spec
from vlmhb.store.hashing import sha256_json

FINGERPRINT_VERSION = 1

# Fields of a spec that cannot change its result (paths, names of files); all others are part of the identity.
RUNTIME_SPEC_FIELDS = frozenset(
    {
        "dataset", "predictions", "labels", "inputs", "annotation", "answers", "legacy_stem", "backends",
        "prompt_source", "few_shot",
    }
)  # fmt: skip
SERVER_ADDRESS = frozenset(
    {"port", "health", "metrics"}
)  # where a vendor's server is reached, not what it answers


def fingerprint(identity: dict[str, Any]) -> str:
    return sha256_json(identity)


def prepare_identity(evaluation: ResolvedEvaluation, facts: Facts) -> dict[str, Any]:
    spec = prepare_spec(evaluation)
    return {
        **_common("prepare", facts),
        "params": _semantic(spec.model_dump(mode="json")),
        "dataset": facts.dataset.sha256,
        "few_shot": facts.few_shot_sha256,
    }


def model_identity(evaluation: ResolvedEvaluation, facts: Facts) -> dict[str, Any]:
    """Everything that could change an answer, except the request itself.

    A server that is not ours is known by its model name only: its URL may change freely (B4)."""
    model = evaluation.model
    identity: dict[str, Any] = {"name": model.name, "interface": model.interface, "params": model.params}
    if model.interface == "replay" or evaluation.answers_file is not None:
        return {**identity, "answers": facts.answers_sha256}
    if model.interface in URL_INTERFACES:
        return identity
    if model.server is not None:
        identity["server"] = model.server.model_dump(mode="json", exclude=set(SERVER_ADDRESS))
    if model.command:
        identity["command"] = list(model.command)
    if model.trust_remote_code:  # then the code that comes with the weights answers, not the library's own
        identity["trust_remote_code"] = True
    return {
        **identity,
        "image": facts.model_image.identity if facts.model_image else None,
        "code": facts.interface_code,
        "class": model.class_path
        or (model.upstream.model_dump(exclude={"path"}) if model.upstream else None),
        "package": facts.package_sha256,
        "weights": facts.weights_sha256,
        "system": facts.system_sha256,
    }


def infer_identity(evaluation: ResolvedEvaluation, facts: Facts, *, inputs: str) -> dict[str, Any]:
    """`inputs` is the hash of prepare's `inputs` group: labels are no part of it."""
    return {
        **_common("infer", facts),
        "model": model_identity(evaluation, facts),
        "decoding": evaluation.decoding.model_dump(mode="json"),
        "inputs": inputs,
        **_changed_ways(evaluation),
    }


def _changed_ways(evaluation: ResolvedEvaluation) -> dict[str, Any]:
    """Ways to ask that can change an answer or its timing; those left at their defaults invalidate nothing."""
    ways: dict[str, Any] = {
        "fallbacks": [_fallback_identity(card, evaluation) for card in evaluation.fallbacks],
        "overflow": list(evaluation.overflow),
        "max_image_side": evaluation.max_image_side,
        "mode": evaluation.mode if evaluation.mode != "throughput" else None,
        "shrink_on_oom": "images" in evaluation.model.on_oom,  # a smaller batch is no other way to ask
        "structured": "structured" in evaluation.model.capabilities,
    }
    return {name: value for name, value in ways.items() if value}


def _fallback_identity(card: ModelCard, evaluation: ResolvedEvaluation) -> dict[str, Any]:
    """The model, and in what it is asked otherwise than the one it stands in for."""
    own, first = _manner_identity(card), _manner_identity(evaluation.model)
    first |= {
        "decoding": evaluation.decoding.model_dump(mode="json"),
        "overflow": list(evaluation.overflow),
        "max_image_side": evaluation.max_image_side,
    }
    return {**url_model_identity(card), **{name: own[name] for name in own if own[name] != first[name]}}


def _manner_identity(card: ModelCard) -> dict[str, Any]:
    return {
        "decoding": card.decoding.model_dump(mode="json"),
        "overflow": list(card.overflow),
        "max_image_side": card.max_image_side,
        "shrink_on_oom": "images" in card.on_oom,
        "structured": "structured" in card.capabilities,
    }


def url_model_identity(card: ModelCard) -> dict[str, Any]:
    """What a model behind a URL is known by."""
    return {"name": card.name, "interface": card.interface, "params": card.params}


def score_identity(
    evaluation: ResolvedEvaluation, backend: BackendPlan, facts: Facts, *, read: dict[str, str]
) -> dict[str, Any]:
    """Of a metric backend. `read`: hashes of `inputs`, `labels` and `predictions`."""
    spec = score_spec(evaluation, backend, versions=facts.metric_versions)
    names = [metric.name for metric in backend.metrics]
    return {
        **_common("score", facts),
        "image": facts.backend_images[backend.image].identity,
        "params": _semantic(spec.model_dump(mode="json")),
        "metric_versions": {name: facts.metric_versions.get(name) for name in names},
        **read,
    }


def evaluate_identity(
    evaluation: ResolvedEvaluation, facts: Facts, *, read: dict[str, str], backends: Mapping[str, str]
) -> dict[str, Any]:
    """`read` as for `score_identity`; `backends`: hashes of the scores that metric backends have made."""
    annotation = annotation_sha(evaluation, facts)
    elsewhere = {metric.name for metric in evaluation.user_metrics if metric.image is not None}
    spec = evaluate_spec(
        evaluation, versions=facts.metric_versions, annotation=annotation is not None, legacy_stem=""
    )
    return {
        **_common("evaluate", facts),
        "params": _semantic(spec.model_dump(mode="json")),
        "metric_versions": {k: v for k, v in facts.metric_versions.items() if k not in elsewhere},
        "backends": dict(backends),
        **read,
        "annotation": annotation,
        "answers": facts.answers_sha256 if spec.answers else None,
    }


def import_identity(spec: ImportSpec, facts: Facts, *, source: str, samples: str) -> dict[str, Any]:
    """`source`: hash of the foreign file; `samples`: of the list of samples whose ids it is matched with."""
    params = _semantic(spec.model_dump(mode="json"))
    return {**_common("import", facts), "params": params, "source": source, "samples": samples}


def report_identity(context: dict[str, Any], facts: Facts) -> dict[str, Any]:
    return {**_common("report", facts), "context": context}


def annotation_sha(evaluation: ResolvedEvaluation, facts: Facts) -> str | None:
    """Hash of the upstream annotation file, whose columns go into `legacy/`."""
    name = annotation_name(evaluation, facts)
    return facts.dataset.files[name] if name else None


def annotation_name(evaluation: ResolvedEvaluation, facts: Facts) -> str | None:
    if evaluation.benchmark.loader != "annotation":
        return None
    own = (evaluation.dataset_path.name, evaluation.benchmark.params.get("file"))
    wanted = (*own, "annotation.csv", "annotations.csv")
    return next((name for name in wanted if name in facts.dataset.files), None)


def _common(stage: str, facts: Facts) -> dict[str, Any]:
    return {
        "fingerprint_version": FINGERPRINT_VERSION,
        "stage": stage,
        "contract": CONTRACT_VERSION,
        "image": facts.stages_image.identity,
        "code": facts.stage_code[stage],
    }


def _semantic(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in RUNTIME_SPEC_FIELDS}
