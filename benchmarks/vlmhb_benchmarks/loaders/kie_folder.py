"""Reads the prototype's document folders: `<class>/images/<subset>/...`, `<class>/jsons/<n>.json`.

A document is `<n>.jpg`, or a folder `<n>/` of pages `<n>_<p>.jpg`. One layout serves three tasks: key fields, the class
of the document (the name of its folder) and the order of its pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageAbsent,
    ImageFile,
    LoaderError,
    RawSample,
    check_params,
    choice,
    texts,
    whole,
)
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.folders import (
    IMAGE_ENDS,
    JSON_ENDS,
    answered,
    by_stem,
    joined,
    read_object,
    subfolders,
)
from vlmhb_benchmarks.loaders.pagetexts import natural_key
from vlmhb_benchmarks.loaders.prototype import boxes_of, field_names, fields_of, order_of, with_classes

TARGETS = ("kie", "class", "order")
PARAMS = ("target", "subsets", "classes", "sample_size", "prompt")
FIELDS = "{fields}"
ID_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class _Params:
    """`classes`: folder -> name that the prompt calls it by; `sample_size`: documents of each class at most."""

    target: str
    classes: Mapping[str, str]
    subsets: tuple[str, ...] | None
    sample_size: int | None
    prompt: str


@dataclass(frozen=True, kw_only=True)
class _Document:
    """`subset` is empty where the images lie in `images/` itself; paths from the dataset folder."""

    doc_class: str
    subset: str
    stem: str
    images: tuple[str, ...]
    truth: str | None

    @property
    def id(self) -> str:
        return "/".join(filter(None, (self.doc_class, self.subset, self.stem)))

    @property
    def opaque_id(self) -> str:
        """One that does not tell the class, and stays when other documents come and go."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:ID_DIGITS]


def load_kie_folder(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `kie` (default; JSON of the fields), `class` or `order` (numbers of the pages from 1);
    `subsets`; `classes` (folders, or folder -> name); `sample_size` (documents per class); `prompt`, where
    `{classes}` becomes `0: name, 1: name` and `{fields}` the names of all fields of the class.

    Id: `<class>/<subset>/<n>`; where the class is asked for, a hash of it (the label metadata `document` has it).
    Images without truth and truth without images are unusable samples."""
    check_params(params, known=PARAMS, loader="kie_folder")
    asked = _read_params(root, params)
    for folder in asked.classes:
        truths = by_stem(root, f"{folder}/jsons", ends=JSON_ENDS)
        question = _question(root, truths=truths, params=asked)
        for document in _documents(root, doc_class=folder, truths=truths, params=asked):
            yield _sample(root, document, question=question, params=asked)


def _read_params(root: Path, params: Mapping[str, Any]) -> _Params:
    folders = [path.name for path in subfolders(root) if (path / "images").is_dir()]
    given = params.get("classes")
    named = {str(k): str(v) for k, v in given.items()} if isinstance(given, Mapping) else None
    classes = named or {name: name for name in texts(params, "classes") or folders}
    missing = [name for name in classes if name not in folders]
    if missing or not classes:
        hint = f"there are: {', '.join(folders) or 'none'}; a class has the folders images/ and jsons/"
        raise LoaderError(f"no class {', '.join(missing)} in the dataset", file=root.name, hint=hint)
    return _Params(
        target=choice(params, "target", of=TARGETS),
        classes=classes,
        subsets=texts(params, "subsets"),
        sample_size=whole(params, "sample_size"),
        prompt=str(params.get("prompt") or ""),
    )


def _question(root: Path, *, truths: Mapping[str, str], params: _Params) -> str:
    text = with_classes(params.prompt, names=list(params.classes.values()))
    if FIELDS in text:
        text = text.replace(FIELDS, ", ".join(field_names(root / path for path in truths.values())))
    return text


def _documents(
    root: Path, *, doc_class: str, truths: Mapping[str, str], params: _Params
) -> Iterator[_Document]:
    """By subset, then in natural order; truths of which no subset has an image come last.

    `sample_size` counts the documents by their numbers, so that every subset shows the same ones."""
    base = f"{doc_class}/images"
    subsets = _subsets(root / base, truths=truths)
    unknown = sorted(set(params.subsets or ()) - set(subsets))
    if unknown:
        hint = f"there are: {', '.join(subsets)}"
        raise LoaderError(f"no subset {', '.join(unknown)}", file=base, hint=hint)
    found = {
        subset: _pages(root, joined(base, subset) if subset else base, subset=subset, truths=truths)
        for subset in params.subsets or subsets
    }
    stems = sorted({*truths, *(stem for pages in found.values() for stem in pages)}, key=natural_key)
    chosen = stems[: params.sample_size]
    for subset, pages in found.items():
        for stem in (stem for stem in chosen if stem in pages):
            yield _Document(
                doc_class=doc_class,
                subset=subset,
                stem=stem,
                images=pages[stem],
                truth=truths.get(stem),
            )
    for stem in chosen:
        if not any(stem in pages for pages in found.values()):
            yield _Document(doc_class=doc_class, subset="", stem=stem, images=(), truth=truths[stem])


def _subsets(images: Path, *, truths: Mapping[str, str]) -> list[str]:
    """Folders of a subset; "" where documents lie in `images/` itself."""
    folders = [path.name for path in subfolders(images) if not _is_document(path, truths=truths)]
    loose = any(path.suffix.lower() in IMAGE_ENDS for path in images.iterdir() if path.is_file())
    direct = loose or any(_is_document(path, truths=truths) for path in subfolders(images))
    return [*([""] if direct else []), *folders]


def _is_document(folder: Path, *, truths: Mapping[str, str]) -> bool:
    """A folder of pages, not of a subset: it is named after a truth and holds pages `<n>_<p>`."""
    return folder.name in truths and any(path.stem.startswith(f"{folder.name}_") for path in folder.iterdir())


def _pages(root: Path, base: str, *, subset: str, truths: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Document -> its pages in natural order. Raises `LoaderError` where a document is both a file and a folder."""
    pages: dict[str, tuple[str, ...]] = {
        stem: (path,) for stem, path in by_stem(root, base, ends=IMAGE_ENDS).items()
    }
    for folder in subfolders(root / base):
        if not subset and not _is_document(folder, truths=truths):
            continue
        if folder.name in pages:
            message = f"two documents {folder.name}: {pages[folder.name][0]} and {base}/{folder.name}/"
            raise LoaderError(message, file=root.name, hint="keep one of them")
        names = by_stem(root, f"{base}/{folder.name}", ends=IMAGE_ENDS)
        pages[folder.name] = tuple(names.values())
    return pages


def _sample(root: Path, document: _Document, *, question: str, params: _Params) -> RawSample:
    """The class is metadata, unless it is what is asked for: then it stays with the labels."""
    place = {"doc_class": document.doc_class}
    is_class = params.target == "class"
    images = tuple(ImageFile(path=path) for path in document.images)
    sample = RawSample(
        sample_id=document.opaque_id if is_class else document.id,
        question=question,
        references=(),
        file=document.truth or next(iter(document.images), document.id),
        row=1,
        images=images or (ImageAbsent(reason="no image of this document in any subset"),),
        metadata={**({} if is_class else place), "subset": document.subset},
        label_metadata={**place, "document": document.id} if is_class else {},
    )
    if is_class:
        names = params.classes
        return replace(
            sample,
            references=(names[document.doc_class],),
            choices=tuple(names.values()),
            list_choices=False,
        )
    if params.target == "kie":
        sample = replace(sample, label_metadata=_boxes(root, document))
    return answered(sample, read=partial(_reference, root, document, target=params.target))


def _boxes(root: Path, document: _Document) -> dict[str, str]:
    """Where the fields stand, if the truth tells."""
    try:
        boxes = boxes_of(_truth(root, document))
    except BadRow:
        return {}  # told by the reference of the same file
    return {"bboxes": dumps_exact(boxes)} if boxes else {}


def _truth(root: Path, document: _Document) -> dict[str, Any]:
    if document.truth is None:
        raise BadRow(f"no jsons/{document.stem}.json for this document")
    return read_object(root / document.truth, exact=True)


def _reference(root: Path, document: _Document, *, target: str) -> str:
    truth = _truth(root, document)
    if target == "kie":
        return dumps_exact(fields_of(truth))
    return dumps_exact(order_of(truth, doc_class=document.doc_class, pages=len(document.images)))
