"""Finds the model of a row: its card, weights, URL and decoding, and whether it can take the task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vlmhb_stages.specs import Decoding

from vlmhb.cards import canonical_framework
from vlmhb.contracts import BenchmarkCard, EvaluationRow
from vlmhb.errors import BadCard, BadValue, MissingValue, NotHonest, UnknownName
from vlmhb.modelcard import URL_INTERFACES, ModelCard, TaskType

from .cardsecrets import check_card_secrets
from .datasets import EXAMPLES
from .modelparams import with_params
from .problems import Problems, Sources
from .roots import first_existing

_NO_SERVER = {
    "interface": "replay",
    "tasks": get_args(TaskType),
    "image": None,
    "upstream": None,
    "class_path": None,
    "path": None,
    "base_url": None,
    "api_key": None,
    "network": "none",
    "weights": None,
    "gpus": 0,
    "options": (),
}


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """`api_key` is a reference, `weights` absolute."""

    card: ModelCard
    weights: Path | None = None
    base_url: str | None = None
    api_key: str | None = None


def find_model(problems: Problems, *, sources: Sources) -> FoundModel:
    """Raises `UnknownName`, `BadValue`, `MissingValue`, `NotInForce`."""
    row = problems.row
    if row.only_evaluate_metrics:
        return FoundModel(card=_card_without_server(row, sources=sources))
    where = problems.where("model_name")
    card = sources.registry.find_model(row.model_name, row.framework, where=where)
    if card.code_path is not None and not card.code_path.exists():
        raise BadCard(f"model '{card.name}': no code at {card.code_path}", where=card.origin)
    if row.docker_image is not None:
        card = card.model_copy(update={"image": row.docker_image})
    card = with_params(problems, card=card)
    check_card_secrets(problems, card=card)
    base_url = row.base_url or card.base_url
    if card.interface in URL_INTERFACES and base_url is None:
        what = f"model '{card.name}' needs the URL of its server"
        raise MissingValue(what, where=problems.where("base_url"), hint="write http://host:port/v1")
    return FoundModel(
        card=card,
        weights=_weights(problems, card=card, sources=sources),
        base_url=base_url,
        api_key=row.api_key or card.api_key,
    )


def check_honest(problems: Problems, *, model: ModelCard, benchmark: BenchmarkCard) -> None:
    """Raises `NotHonest` when the model cannot take the benchmark's kind of task."""
    if benchmark.task_type in model.tasks:
        return
    tasks = " and ".join(model.tasks) or "no tasks"
    what = f"model '{model.name}' takes {tasks}, benchmark '{benchmark.name}' asks {benchmark.task_type}"
    hint = f"choose a model that takes {benchmark.task_type}: vlmhb models list"
    raise NotHonest(what, where=problems.where("model_name"), hint=hint)


def decoding_of(row: EvaluationRow, *, model: ModelCard, benchmark: BenchmarkCard) -> Decoding:
    """The card's, the benchmark's longest answer over it, the row's values over both."""
    wanted = {
        "max_tokens": row.max_tokens or benchmark.max_tokens,
        "temperature": row.temperature,
        "seed": row.seed,
    }
    return model.decoding.model_copy(
        update={name: value for name, value in wanted.items() if value is not None}
    )


def _card_without_server(row: EvaluationRow, *, sources: Sources) -> ModelCard:
    """Names for the report; nothing that could be started, so no image, GPU or key is needed."""
    try:
        card = sources.registry.find_model(row.model_name, row.framework)
    except UnknownName:
        framework = canonical_framework(row.framework or "")
        return ModelCard(
            name=row.model_name, framework=framework, interface="replay", tasks=get_args(TaskType)
        )
    return card.model_copy(update=_NO_SERVER)


def _weights(problems: Problems, *, card: ModelCard, sources: Sources) -> Path | None:
    row, workspace = problems.row, sources.workspace
    name = row.weights or card.weights
    if name is None:
        return None
    places = [*sources.roots.beside(name), workspace / "models" / name]
    if row.weights is None and Path(card.origin).is_absolute():
        places.insert(0, Path(card.origin).parent / name)
    if row.weights is None:
        places.append(EXAMPLES / name)
    path = first_existing(places)
    if path is None:
        column = "weights" if row.weights is not None else "model_name"
        what = f"the weights '{name}' of model '{card.name}' are not here"
        hint = f"put them at {workspace / 'models' / name} or give the column weights"
        raise BadValue(what, where=problems.where(column), hint=hint)
    return path
