"""Metadata that a benchmark's averages need and its files lack, worked out from the columns that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.metrics.suites.ocrbench_v2_types import TYPES, official_name

Metadata = Mapping[str, str]


def derive_metadata(name: str, metadata: Metadata) -> dict[str, str]:
    """`metadata` with what the derivation called `name` adds. Raises `LoaderError` for an unknown name.

    A row that the derivation cannot place comes back as it is: its metric flags it, nothing is dropped."""
    if name not in DERIVATIONS:
        raise LoaderError(
            f"derive {name} is unknown", file="card", hint=f"there are: {', '.join(sorted(DERIVATIONS))}"
        )
    return {**metadata, **DERIVATIONS[name](metadata)}


def _ocrbench_v2(metadata: Metadata) -> dict[str, str]:
    """`type`, `language` (en, cn) and `category` of a question. VLMEvalKit's table has the type in `category`."""
    for key in ("type", "category", "question_type"):
        name = official_name(metadata.get(key, ""))
        if name is not None:
            place = TYPES[name]
            return {"type": name, "language": place.language, "category": place.category}
    return {}


DERIVATIONS: Mapping[str, Callable[[Metadata], dict[str, str]]] = {"ocrbench_v2": _ocrbench_v2}
