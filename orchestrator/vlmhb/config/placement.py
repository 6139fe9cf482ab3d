"""Where a row's model runs: its GPUs and replicas, checked as far as the row and the card alone can tell."""

from __future__ import annotations

from vlmhb.errors import BadValue, NotInForce
from vlmhb.modelcard import URL_INTERFACES, ModelCard

from .problems import Problems

_OF_OUR_SERVERS = ("gpus", "replicas", "batch_size", "docker_image", "weights")
_OF_URLS = ("base_url", "api_key")
_OF_REQUESTS = ("warmup", "slo", "rate_limit", "overflow", "max_image_side")
_OCR = ("rapidocr", "tesseract")


def check_placement(problems: Problems, *, model: ModelCard) -> None:
    """Warns of wishes without an effect. Raises `BadValue`, `NotInForce` for those that cannot be fulfilled."""
    row = problems.row
    if model.interface == "replay" or row.answers_file is not None:
        _warn_of_requests(_OF_REQUESTS, "the answers come from a file, so nobody is asked", problems=problems)
    elif model.interface in _OCR:
        why = f"an OCR engine ({model.interface}) takes images of any number of tokens"
        _warn_of_requests(("overflow",), why, problems=problems)
    if model.interface in (*URL_INTERFACES, "replay") or row.answers_file is not None:
        _warn_of(_OF_OUR_SERVERS, "no model server is started for this row", problems=problems)
        return
    if model.network != "none":
        what = f"'{model.name}' is started here, where no model has a network: {model.network} is not given"
        raise NotInForce(what, where=model.origin, hint="empty network in the card")
    _warn_of(_OF_URLS, f"the model is started here, by its interface {model.interface}", problems=problems)
    if row.gpus is not None and row.replicas is not None and len(row.gpus) % row.replicas:
        what = f"{len(row.gpus)} GPUs cannot be shared out evenly to {row.replicas} replicas"
        raise BadValue(what, where=problems.where("gpus"), hint="give each replica the same number of GPUs")


def _warn_of(columns: tuple[str, ...], why: str, *, problems: Problems) -> None:
    for column in columns:
        if getattr(problems.row, column) is not None:
            problems.warn(f"no effect: {why}", column=column)


def _warn_of_requests(columns: tuple[str, ...], why: str, *, problems: Problems) -> None:
    """One line for all of them; an empty list asks for nothing."""
    given = [column for column in columns if getattr(problems.row, column) not in (None, ())]
    if given:
        problems.warn(f"{', '.join(given)}: no effect: {why}", column=given[0])
