"""Dataset loaders: from the layouts that people have on disk to one stream of `RawSample`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from vlmhb_benchmarks.loaders.annotation import load_annotation
from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageBase64,
    ImageBytes,
    ImageFile,
    Loader,
    LoaderError,
    PdfBytes,
    PdfPage,
    RawImage,
    RawSample,
)
from vlmhb_benchmarks.loaders.coco_text import load_coco_text
from vlmhb_benchmarks.loaders.cord import load_cord
from vlmhb_benchmarks.loaders.due import load_due
from vlmhb_benchmarks.loaders.entity_lines import load_entity_lines
from vlmhb_benchmarks.loaders.funsd import load_funsd
from vlmhb_benchmarks.loaders.jsonl import load_jsonl
from vlmhb_benchmarks.loaders.kie_folder import load_kie_folder
from vlmhb_benchmarks.loaders.kleister import load_kleister
from vlmhb_benchmarks.loaders.pages import load_pages
from vlmhb_benchmarks.loaders.parquet import load_parquet
from vlmhb_benchmarks.loaders.pubtabnet import load_pubtabnet
from vlmhb_benchmarks.loaders.rpo import load_rpo
from vlmhb_benchmarks.loaders.sroie import load_sroie
from vlmhb_benchmarks.loaders.tsv import load_tsv

__all__ = [
    "LOADERS",
    "ImageAbsent",
    "ImageBase64",
    "ImageBytes",
    "ImageFile",
    "Loader",
    "LoaderError",
    "PdfBytes",
    "PdfPage",
    "RawImage",
    "RawSample",
    "load",
]

LOADERS: Mapping[str, Loader] = {
    "annotation": load_annotation,
    "jsonl": load_jsonl,
    "tsv": load_tsv,
    "parquet": load_parquet,
    "sroie": load_sroie,
    "funsd": load_funsd,
    "cord": load_cord,
    "coco_text": load_coco_text,
    "kie_folder": load_kie_folder,
    "rpo": load_rpo,
    "pages": load_pages,
    "pubtabnet": load_pubtabnet,
    "kleister": load_kleister,
    "entity_lines": load_entity_lines,
    "due": load_due,
}

PLACES = ("file", "split", "docs", "truth", "images", "image_path")  # parameters that name files or folders


def load(loader: str, root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """The samples of the dataset at `root` (folder or single file), streamed in file order.

    Raises `LoaderError`, at the call or while iterating."""
    if loader not in LOADERS:
        raise LoaderError(f"no loader {loader}", file="card", hint=f"there are: {', '.join(LOADERS)}")
    if not root.exists():
        raise LoaderError("the dataset is not there", file=root.name)
    _check_places(params)
    return _writable(LOADERS[loader](root, params))


def _check_places(params: Mapping[str, Any]) -> None:
    """A card chooses among the dataset's files, and reads nothing beside it."""
    for name in PLACES:
        value = params.get(name)
        for text in value if isinstance(value, list | tuple) else (value,):
            path = PurePosixPath(text.replace("\\", "/")) if isinstance(text, str) else PurePosixPath()
            if path.is_absolute() or ".." in path.parts or "\0" in path.as_posix():
                raise LoaderError(f"{name} {text!r} leads out of the dataset", file="card")


def _writable(samples: Iterator[RawSample]) -> Iterator[RawSample]:
    """Texts with half of a surrogate pair cannot be written as UTF-8; neither can names of files that are not."""
    for sample in samples:
        try:
            sample.sample_id.encode("utf-8")
        except UnicodeEncodeError as error:
            hint = "ids and names of files must be UTF-8"
            raise LoaderError(
                "an id that is not UTF-8", file=_escaped(sample.file), row=sample.row, hint=hint
            ) from error
        try:
            "".join(_texts(sample)).encode("utf-8")
            yield sample
        except UnicodeEncodeError:
            yield RawSample(
                sample_id=sample.sample_id,
                question="",
                references=(),
                file=_escaped(sample.file),
                row=sample.row,
                problem="a text or a file name that is not UTF-8 (half of a surrogate pair)",
            )


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _texts(sample: RawSample) -> Iterator[str]:
    yield sample.file
    yield sample.question
    yield from sample.references
    yield from (image.path for image in sample.images if isinstance(image, ImageFile | PdfPage))
    yield from sample.choices or ()
    for metadata in (sample.metadata, sample.label_metadata):
        yield from metadata
        yield from metadata.values()
