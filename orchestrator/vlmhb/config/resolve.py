"""Rows to resolved evaluations: every name looked up, every file found, every mistake told at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vlmhb.cards import Registry
from vlmhb.contracts import ResolvedEvaluation, RunConfig
from vlmhb.errors import VlmhbError

from .answers import find_answers
from .asking import Asked, check_form, find_asked
from .capabilities import check_capabilities
from .datasets import FoundDataset, find_dataset
from .identifiers import evaluation_ids
from .models import FoundModel, check_honest, decoding_of, find_model
from .placement import check_placement
from .problems import Problems, Sources
from .prompts import prompt_for
from .roots import Roots
from .scoring import Scoring, find_scoring
from .serving import Serving, find_serving

__all__ = ["ResolveResult", "Roots", "resolve"]


@dataclass(frozen=True, kw_only=True)
class ResolveResult:
    """Evaluations in the order of the rows; rows with errors are not among them."""

    evaluations: tuple[ResolvedEvaluation, ...]
    errors: tuple[VlmhbError, ...]


def resolve(config: RunConfig, *, registry: Registry, roots: Roots, workspace: Path) -> ResolveResult:
    """Reads cards, small text files and folder listings; starts and writes nothing. Raises no user error."""
    sources = Sources(registry=registry, roots=roots, workspace=workspace.absolute())
    evaluations: list[ResolvedEvaluation] = []
    errors: dict[str, VlmhbError] = {}  # by line: the rows of a matrix share their mistakes
    for row, id_ in zip(config.rows, evaluation_ids(config.rows), strict=True):
        problems = Problems(row=row)
        evaluation = _resolve_row(problems, id_=id_, sources=sources)
        if evaluation is not None:
            evaluations.append(evaluation)
        for error in problems.errors:
            errors.setdefault(error.line(), error)
    return ResolveResult(evaluations=tuple(evaluations), errors=tuple(errors.values()))


def _resolve_row(problems: Problems, *, id_: str, sources: Sources) -> ResolvedEvaluation | None:
    model = problems.attempt(lambda: find_model(problems, sources=sources))
    dataset = problems.attempt(lambda: find_dataset(problems, sources=sources))
    scoring = problems.attempt(
        lambda: find_scoring(problems, benchmark=dataset.benchmark if dataset else None, sources=sources)
    )
    answers = None
    if model is not None:
        answers = problems.attempt(lambda: find_answers(problems, model=model.card, roots=sources.roots))
        problems.attempt(partial(check_placement, problems, model=model.card))
    serving = _serving(problems, model=model, dataset=dataset, sources=sources) if model is not None else None
    if model is not None and dataset is not None:
        for card in (model.card, *(serving.fallbacks if serving is not None else ())):
            problems.attempt(partial(check_honest, problems, model=card, benchmark=dataset.benchmark))
            if answers is None:
                check_capabilities(problems, model=card, benchmark=dataset.benchmark)
    asked = find_asked(problems, dataset=dataset, roots=sources.roots) if dataset is not None else None
    if scoring is not None and asked is not None:
        asks = model.card if model is not None and answers is None else None
        problems.attempt(partial(check_form, problems, asked, model=asks, extraction=scoring.extraction))
    if problems.errors or model is None or dataset is None or scoring is None or asked is None:
        return None
    evaluation = _evaluation(
        problems, id_=id_, model=model, dataset=dataset, scoring=scoring, asked=asked, answers=answers
    )
    return evaluation if serving is None else evaluation.model_copy(update=vars(serving))


def _serving(
    problems: Problems, *, model: FoundModel, dataset: FoundDataset | None, sources: Sources
) -> Serving | None:
    benchmark = dataset.benchmark if dataset is not None else None
    return problems.attempt(
        lambda: find_serving(problems, model=model.card, benchmark=benchmark, sources=sources)
    )


def _evaluation(
    problems: Problems,
    *,
    id_: str,
    model: FoundModel,
    dataset: FoundDataset,
    scoring: Scoring,
    asked: Asked,
    answers: Path | None,
) -> ResolvedEvaluation:
    row = problems.row
    return ResolvedEvaluation(
        id=id_,
        row=row,
        model=model.card,
        benchmark=dataset.benchmark,
        dataset_path=dataset.path,
        prompts=dict(asked.prompts.prompts),
        prompt=prompt_for(row, asked.prompts, model=model.card, task=dataset.benchmark.task_type),
        system_prompt=asked.system_prompt,
        prompt_config=asked.prompt_config,
        prompt_source=asked.prompt_source,
        few_shot=asked.few_shot,
        chain_of_thought=asked.chain_of_thought,
        response_schema=asked.response_schema,
        default_response_schema=asked.default_response_schema,
        decoding=decoding_of(row, model=model.card, benchmark=dataset.benchmark),
        retry=model.card.retry,
        concurrency=row.concurrency or model.card.concurrency,
        metrics=scoring.metrics,
        primary=scoring.primary,
        user_metrics=scoring.user_metrics,
        extraction=scoring.extraction,
        gate=scoring.gate,
        aggregators=scoring.aggregators,
        profile=scoring.profile,
        error_policy=row.error_policy or "continue",
        answers_file=answers,
        weights=model.weights,
        base_url=model.base_url,
        api_key=model.api_key,
        warnings=tuple(problems.warnings),
    )
