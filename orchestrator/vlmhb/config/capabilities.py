"""Warns where a benchmark asks what a model's card does not list among its `capabilities`."""

from __future__ import annotations

from collections.abc import Mapping

from vlmhb.contracts import BenchmarkCard
from vlmhb.modelcard import ModelCard

from .problems import Problems

_PAGED_LOADERS = ("due", "kleister")  # whole documents, all their pages in one request


def check_capabilities(problems: Problems, *, model: ModelCard, benchmark: BenchmarkCard) -> None:
    """A card that lists no capability at all says nothing of them. What only the samples tell, nobody knows here."""
    if not model.capabilities:
        return
    for capability, why in (
        ("multi_image", _several_images(benchmark)),
        ("text_only", _no_image(benchmark)),
    ):
        if why is not None and capability not in model.capabilities:
            problems.warn(
                f"benchmark '{benchmark.name}' {why}, and the card of '{model.name}' does not list the capability "
                f"{capability}",
                column="model_name",
            )


def _several_images(benchmark: BenchmarkCard) -> str | None:
    image = _mapping(benchmark.params.get("columns")).get("image")
    if benchmark.task_type == "sorting":
        return "shows all pages of a set in one request"
    if benchmark.loader in _PAGED_LOADERS:
        return "shows all pages of a document in one request"
    if isinstance(image, list | tuple) and len(image) > 1:
        return f"shows up to {len(image)} images in one request"
    return None


def _no_image(benchmark: BenchmarkCard) -> str | None:
    return "may ask without an image" if benchmark.params.get("image_optional") is True else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
