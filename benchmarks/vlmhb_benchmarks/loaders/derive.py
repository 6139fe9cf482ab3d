"""Metadata that a benchmark's averages need and its files lack, worked out from the columns that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.ocrbench_v2_types import TYPES, official_name

Metadata = Mapping[str, str]
INDEX_PARTS = 6
MMMU_ID_PARTS = 3
MMBENCH_SHIFT = 1_000_000  # added to the index for every turn of the choices


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
    """Groups of VLMEvalKit's index `<category>_<subcategory>_<visual input>_<set>_<figure>_<question>`: all questions
    of a `figure`, and one question about all figures of its set (`pair`).

    The visual input (1: the figure as found, 2: edited) is no part of a group: a pair has one of each."""
    parts = metadata.get("index", "").split("_")
    if len(parts) != INDEX_PARTS:
        return {}
    category, subcategory, _, set_id, figure, question = parts
    kind = f"{category}_{subcategory}_{set_id}"
    return {"figure": f"{kind}_{figure}", "pair": f"{kind}_q{question}"}


def _mmmu(metadata: Metadata) -> dict[str, str]:
    """The `subject` of an id `<split>_<subject>_<number>`."""
    parts = metadata.get("id", "").split("_")
    return {"subject": "_".join(parts[1:-1])} if len(parts) >= MMMU_ID_PARTS else {}


def _mmbench(metadata: Metadata) -> dict[str, str]:
    """The `circle` of rows that are one question with its choices turned: index 241, 1000241, 2000241, ..."""
    index = metadata.get("index", "")
    return {"circle": str(int(index) % MMBENCH_SHIFT)} if index.isdecimal() else {}


def _olmocr_bench(metadata: Metadata) -> dict[str, str]:
    """The `category` is the folder of the page's PDF."""
    folder, slash, _ = metadata.get("pdf", "").partition("/")
    return {"category": folder} if slash else {}


DERIVATIONS: Mapping[str, Callable[[Metadata], dict[str, str]]] = {
    "ocrbench_v2": _ocrbench_v2,
    "hallusionbench": _hallusionbench,
    "mmmu": _mmmu,
    "mmbench": _mmbench,
    "olmocr_bench": _olmocr_bench,
}
