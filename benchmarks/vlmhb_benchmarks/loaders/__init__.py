"""Dataset loaders: from the layouts that people have on disk to one stream of `RawSample`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.annotation import load_annotation
from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageBase64,
    ImageFile,
    Loader,
    LoaderError,
    RawImage,
    RawSample,
)
from vlmhb_benchmarks.loaders.jsonl import load_jsonl
from vlmhb_benchmarks.loaders.sroie import load_sroie
from vlmhb_benchmarks.loaders.tsv import load_tsv

__all__ = [
    "LOADERS",
    "ImageAbsent",
    "ImageBase64",
    "ImageFile",
    "Loader",
    "LoaderError",
    "RawImage",
    "RawSample",
    "load",
]

LOADERS: Mapping[str, Loader] = {
    "annotation": load_annotation,
    "jsonl": load_jsonl,
    "tsv": load_tsv,
    "sroie": load_sroie,
}


def load(loader: str, root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """The samples of the dataset at `root` (folder or single file), streamed in file order.

    Raises `LoaderError`, at the call or while iterating."""
    if loader not in LOADERS:
        raise LoaderError(f"no loader {loader}", file="card", hint=f"there are: {', '.join(LOADERS)}")
    if not root.exists():
        raise LoaderError("the dataset is not there", file=root.name)
    return LOADERS[loader](root, params)
