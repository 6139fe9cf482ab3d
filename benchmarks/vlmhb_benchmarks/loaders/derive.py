"""Metadata that a benchmark's averages need and its files lack, worked out from the columns that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.metrics.suites.ocrbench_v2_types import TYPES, official_name

Metadata = Mapping[str, str]
INDEX_PARTS = 4
MMMU_ID_PARTS = 3


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


def _hallusionbench(metadata: Metadata) -> dict[str, str]:
    """Groups of VLMEvalKit's index `<category>_<subcategory>_<set>_<figure>_<question>`: all questions of a `figure`,
    and one question about all figures of its set (`pair`)."""
    parts = metadata.get("index", "").rsplit("_", 3)
    if len(parts) != INDEX_PARTS:
        return {}
    kind, set_id, figure, question = parts
    return {"figure": f"{kind}_{set_id}_{figure}", "pair": f"{kind}_{set_id}_q{question}"}


def _mmmu(metadata: Metadata) -> dict[str, str]:
    """The `subject` of an id `<split>_<subject>_<number>`."""
    parts = metadata.get("id", "").split("_")
    return {"subject": "_".join(parts[1:-1])} if len(parts) >= MMMU_ID_PARTS else {}


DERIVATIONS: Mapping[str, Callable[[Metadata], dict[str, str]]] = {
    "ocrbench_v2": _ocrbench_v2,
    "hallusionbench": _hallusionbench,
    "mmmu": _mmmu,
}
