"""What a run is asked for: options, and the config with every name in it looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from vlmhb.cards import Registry, load_registry
from vlmhb.config import read_run_config
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import EngineName, ResolvedEvaluation, RunConfig
from vlmhb.errors import ErrorList, NoRows, SecretInConfig, VlmhbError
from vlmhb.facts import STAGES_IMAGE, server_image
from vlmhb.plan.metrics import backends_of
from vlmhb.pricing.asked import MoneyOptions, price_run
from vlmhb.pricing.table import PriceTable


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `run` and `plan`."""

    config: Path
    workspace: Path
    engine: EngineName | None = None
    keep_going: bool = False
    limit: int | None = None
    jobs: int | None = None
    sample_hz: float = 2.0
    cards: tuple[Path, ...] = ()
    vlm_base: Path | None = None
    starts: bool = True  # False: only a plan is wanted
    money: MoneyOptions = field(default_factory=MoneyOptions)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`errors` are those of rows that `--keep-going` left out. `cards`: the folders that names came from.

    `warnings` are about prices and budgets."""

    config: RunConfig
    evaluations: tuple[ResolvedEvaluation, ...]
    registry: Registry
    errors: tuple[VlmhbError, ...]
    cards: tuple[Path, ...]
    prices: PriceTable | None = None
    warnings: tuple[str, ...] = ()


def resolve_request(request: Request) -> Asked:
    """Raises every error at once; with `keep_going` only when nothing is left to do."""
    read = read_run_config(request.config)
    errors = list(read.errors)
    leaked = any(
        isinstance(error, SecretInConfig) for error in errors
    )  # its file must not be copied anywhere
    if read.config is None or leaked or (errors and not request.keep_going):
        # names are looked up all the same, so that one look shows every mistake
        raise_all(errors + _name_errors(read.config, request=request))
    config = read.config
    if request.limit is not None:
        config = config.model_copy(
            update={"rows": tuple(row.model_copy(update={"limit": request.limit}) for row in config.rows)}
        )
    roots = Roots.around(request.config)
    folders = card_folders(request.config, given=request.cards)
    registry = load_registry(user_dirs=folders, vlm_base=request.vlm_base or roots.vlm_base)
    resolved = resolve(config, registry=registry, roots=roots, workspace=request.workspace)
    errors += resolved.errors
    if errors and (not request.keep_going or not resolved.evaluations):
        raise_all(errors)
    if not resolved.evaluations:
        raise NoRows("there is nothing to evaluate", where=str(request.config))
    priced = price_run(config, resolved.evaluations, options=request.money, workspace=request.workspace)
    return Asked(
        config=priced.config,
        evaluations=priced.evaluations,
        registry=registry,
        errors=tuple(errors),
        cards=folders,
        prices=priced.table,
        warnings=priced.warnings,
    )


def needed_images(request: Request) -> set[str]:
    """Names of the images that a run of this config needs. Raises every config error at once."""
    evaluations = resolve_request(request).evaluations
    servers = {image for item in evaluations if (image := server_image(item)) is not None}
    backends = {backend.image for item in evaluations for backend in backends_of(item)}
    return {STAGES_IMAGE, *servers, *backends}


def card_folders(config: Path, *, given: Sequence[Path]) -> tuple[Path, ...]:
    """Folders of cards, each once: those given, and `cards/` beside the config."""
    beside = config.parent / "cards"
    return tuple(
        {path.resolve(): path for path in (*given, *((beside,) if beside.is_dir() else ()))}.values()
    )


def raise_all(errors: Sequence[VlmhbError]) -> NoReturn:
    """One error as it is, several as a list with the worst exit code."""
    if len(errors) == 1:
        raise errors[0]
    everything = ErrorList(errors)
    everything.exit_code = max((error.exit_code for error in errors), key=lambda code: code)
    raise everything


def _name_errors(config: RunConfig | None, *, request: Request) -> list[VlmhbError]:
    if config is None or not config.rows:
        return []
    roots = Roots.around(request.config)
    folders = card_folders(request.config, given=request.cards)
    registry = load_registry(user_dirs=folders, vlm_base=request.vlm_base or roots.vlm_base)
    return list(resolve(config, registry=registry, roots=roots, workspace=request.workspace).errors)
