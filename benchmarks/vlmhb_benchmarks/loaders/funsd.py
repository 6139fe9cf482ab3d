"""Reads forms in the FUNSD layout: `annotations/*.json` beside `images/`; XFUND's single files go to `xfund`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, RawSample, check_params, choice, texts
from vlmhb_benchmarks.loaders.folders import (
    IMAGE_ENDS,
    JSON_ENDS,
    answered,
    both,
    by_stem,
    image_or_none,
    joined,
    read_object,
    split_folder,
)
from vlmhb_benchmarks.loaders.forms import ENTITY_LABELS, TARGETS, FormTarget, reference_of
from vlmhb_benchmarks.loaders.xfund import is_xfund, load_xfund

SPLITS = {"train": "training_data", "test": "testing_data"}
PARAMS = ("target", "labels", "split", "file", "language", "images")


def load_funsd(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `text` (default; the page's words in reading order), `entities` (list of label and text;
    `labels` chooses them) or `kie` (question -> linked answers); `split`; for XFUND `file` or `language`, and
    `images` (folder).

    A form with only its image or only its annotation is one unusable sample."""
    check_params(params, known=PARAMS, loader="funsd")
    target = FormTarget(
        name=choice(params, "target", of=TARGETS), labels=texts(params, "labels") or ENTITY_LABELS
    )
    if "file" in params or is_xfund(root):
        yield from load_xfund(root, params=params, target=target)
    else:
        yield from _of_folders(root, split=params.get("split"), target=target)


def _of_folders(root: Path, *, split: str | None, target: FormTarget) -> Iterator[RawSample]:
    prefix = "dataset" if (root / "dataset").is_dir() else ""  # as the archive of FUNSD has it
    names = {ours: joined(prefix, theirs) for ours, theirs in SPLITS.items()}
    base = split_folder(root, split=split, needs=("annotations", "images"), names=names)
    images = by_stem(root, joined(base, "images"), ends=IMAGE_ENDS)
    truths = by_stem(root, joined(base, "annotations"), ends=JSON_ENDS)
    for stem in both(images, truths):
        truth, image = truths.get(stem), images.get(stem)
        sample = RawSample(
            sample_id=stem,
            question="",
            references=(),
            file=truth or str(image),
            row=1,
            images=(image_or_none(image, otherwise="no file for this form in images/"),),
            metadata={"doc_class": "form"},
        )
        yield answered(sample, read=partial(_reference, root, truth, target=target))


def _reference(root: Path, truth: str | None, *, target: FormTarget) -> str:
    if truth is None:
        raise BadRow("no file for this form in annotations/")
    return reference_of(read_object(root / truth).get("form"), target=target)
