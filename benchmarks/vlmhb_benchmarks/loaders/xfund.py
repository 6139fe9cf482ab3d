"""Reads XFUND: the forms of a language and split in one `<lang>.<split>.json`, their images in a folder beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, ImageAbsent, ImageFile, LoaderError, RawImage, RawSample
from vlmhb_benchmarks.loaders.detect import XFUND_NAME
from vlmhb_benchmarks.loaders.folders import answered, joined
from vlmhb_benchmarks.loaders.forms import FormTarget, reference_of


def is_xfund(root: Path) -> bool:
    return root.is_file() or any(XFUND_NAME.fullmatch(path.name) for path in root.glob("*.json"))


def load_xfund(root: Path, *, params: Mapping[str, Any], target: FormTarget) -> Iterator[RawSample]:
    """One language after the other, where several lie in the folder."""
    for path in [root] if root.is_file() else _files(root, params=params):
        yield from _of_file(path, params=params, target=target)


def _of_file(path: Path, *, params: Mapping[str, Any], target: FormTarget) -> Iterator[RawSample]:
    """Holds one annotation file (some megabytes), no image. A damaged document is one unusable sample.

    `row` is the number of the document, from 1: the file is one line."""
    root = path.parent
    data = _read(path)
    documents = data.get("documents")
    if not isinstance(documents, list):
        raise LoaderError("no list `documents`", file=path.name, hint="an XFUND file is {lang, documents}")
    metadata = {"doc_class": "form", "language": str(data.get("lang") or path.name.partition(".")[0])}
    folder = _image_folder(root, name=path.name, given=params.get("images"))
    for position, document in enumerate(documents):
        item = document if isinstance(document, dict) else {}
        sample = RawSample(
            sample_id=str(item.get("id") or f"document-{position}"),
            question="",
            references=(),
            file=path.name,
            row=position + 1,
            images=(_image(item, folder=folder),),
            metadata=metadata,
        )
        yield answered(sample, read=partial(_reference, item, target=target))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LoaderError("not UTF-8", file=path.name) from error
    except (OSError, ValueError) as error:
        raise LoaderError(f"cut off or damaged, not JSON ({error})", file=path.name) from error
    return data if isinstance(data, dict) else {}


def _files(root: Path, *, params: Mapping[str, Any]) -> list[Path]:
    """Raises `LoaderError` for none, and for several splits."""
    if "file" in params:
        path = root / str(params["file"])
        if not path.is_file():
            raise LoaderError(f"no {params['file']} in the dataset folder", file=root.name)
        return [path]
    wanted = {key: params[key] for key in ("language", "split") if params.get(key) is not None}
    names = {path.name: XFUND_NAME.fullmatch(path.name) for path in sorted(root.glob("*.json"))}
    found = {
        name: match["split"]
        for name, match in names.items()
        if match and all(match[key] == wanted[key] for key in wanted)
    }
    if len(set(found.values())) != 1:
        problem = "several splits" if found else "no annotation file fits"
        hint = f"choose by params.language and params.split of the card: {', '.join(names)}"
        raise LoaderError(problem, file=root.name, hint=hint)
    return [root / name for name in found]


def _image_folder(root: Path, *, name: str, given: Any) -> str:
    stem = name.removesuffix(".json")
    folders = (stem, stem.replace(".", "_"), "images") if given is None else (str(given),)
    return next((folder for folder in folders if (root / folder).is_dir()), "")


def _image(document: Mapping[str, Any], *, folder: str) -> RawImage:
    image = document.get("img")
    name = image.get("fname") if isinstance(image, dict) else None
    if not isinstance(name, str) or not name:
        return ImageAbsent(reason="the document names no image")
    return ImageFile(path=joined(folder, name))


def _reference(document: Mapping[str, Any], *, target: FormTarget) -> str:
    if not document:
        raise BadRow("not a JSON object")
    return reference_of(document.get("document"), target=target)
