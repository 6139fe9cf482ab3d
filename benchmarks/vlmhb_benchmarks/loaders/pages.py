"""Documents as files (PDF, images) with the truth beside them: a text per document or page, JSON, or one truth.jsonl.

`docs/a.pdf` with `docs/a.txt` (form feeds between its pages), `docs/a_1.txt`, `docs/a_2.md` ..., the texts beside the
documents or in `truth/`; `docs/a.json` with its fields, where there are no texts; or `truth.jsonl`, our JSONL, whose
`image` may be a PDF and `page` one page of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageFile,
    LoaderError,
    PdfPage,
    RawImage,
    RawSample,
    check_params,
    choice,
    whole,
)
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.folders import IMAGE_ENDS, parse_object
from vlmhb_benchmarks.loaders.jsonl import load_jsonl
from vlmhb_benchmarks.loaders.pagetexts import OBJECT_ENDS, TEXT_ENDS, Texts, natural_key
from vlmhb_benchmarks.loaders.pdfpages import DPI, page_count

DOCUMENT_ENDS = (".pdf", *IMAGE_ENDS)
TRUTH = "truth.jsonl"
FOLDERS = ("docs", "images", "img")  # the first that is there; else the dataset folder itself
TEXT_FOLDERS = ("truth", "txt", "labels")
PARAMS = ("per", "dpi", "max_pages", "docs", "truth", "file")


@dataclass(frozen=True, kw_only=True)
class PageParams:
    per: str
    dpi: int
    max_pages: int | None


def load_pages(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `per` (page or document: one sample each), `dpi` (144), `max_pages` (of a document),
    `docs` and `truth` (folders; `truth` may be a .jsonl), `file` (this one document).

    A document without truth and a truth without document are samples with a problem: nothing gets lost."""
    check_params(params, known=PARAMS, loader="pages")
    asked = PageParams(
        per=choice(params, "per", of=("page", "document")),
        dpi=whole(params, "dpi") or DPI,
        max_pages=whole(params, "max_pages"),
    )
    only = root.name if root.is_file() else params.get("file")
    root = root.parent if root.is_file() else root
    name = str(params.get("truth") or TRUTH)
    if name.endswith(".jsonl") and (root / name).is_file():
        yield from _from_jsonl(root, name=name, only=only, params=asked)
        return
    folder = _folder(root, name=params.get("docs"), defaults=FOLDERS) if only is None else root
    truth = _folder(root, name=params.get("truth"), defaults=TEXT_FOLDERS, otherwise=folder)
    yield from _from_texts(root, folder=folder, truth=truth, only=only, params=asked)


def files_of(document: Path) -> list[str]:
    """Names of the files beside a single document that belong to it, itself included."""
    pattern = re.compile(
        re.escape(document.stem) + r"(_\d+)?\.(" + "|".join((*TEXT_ENDS, *OBJECT_ENDS)) + ")", re.IGNORECASE
    )
    beside = sorted(path.name for path in document.parent.iterdir() if path.is_file())
    return [name for name in beside if name in (document.name, TRUTH) or pattern.fullmatch(name)]


def _folder(root: Path, *, name: Any, defaults: Sequence[str], otherwise: Path | None = None) -> Path:
    if name is not None:
        if not (root / str(name)).is_dir():
            raise LoaderError(f"no folder {name} in the dataset", file="card")
        return root / str(name)
    found = next((root / default for default in defaults if (root / default).is_dir()), None)
    return found or otherwise or root


# --- truth.jsonl --------------------------------------------------------------------------------


def _from_jsonl(root: Path, *, name: str, only: str | None, params: PageParams) -> Iterator[RawSample]:
    for sample in load_jsonl(root, {"file": name}):
        named = [image.path for image in sample.images if isinstance(image, ImageFile)]
        if only is None or only in named:
            yield _with_pages(sample, root=root, params=params)


def _with_pages(sample: RawSample, *, root: Path, params: PageParams) -> RawSample:
    page = sample.metadata.get("page", "")
    if page and not (page.isascii() and page.isdigit() and int(page) > 0):
        return replace(sample, images=(), problem=f"page {page}: pages are numbers from 1")
    images: list[RawImage] = []
    for image in sample.images:
        if not isinstance(image, ImageFile) or not image.path.lower().endswith(".pdf"):
            images.append(image)
        elif page:
            images.append(PdfPage(path=image.path, page=int(page) - 1, dpi=params.dpi))
        else:
            images += _pdf_pages(root / image.path, path=image.path, params=params)
    return replace(sample, images=tuple(images))


def _pdf_pages(file: Path, *, path: str, params: PageParams) -> list[PdfPage]:
    count = _shown(_page_count(file), params=params)
    return [PdfPage(path=path, page=number, dpi=params.dpi) for number in range(count)]


def _shown(count: int, *, params: PageParams) -> int:
    return count if params.max_pages is None else min(count, params.max_pages)


@cache
def _page_count(file: Path) -> int:
    """1 for a PDF that cannot be opened: `prepare` says what is wrong with it when it renders the first page."""
    try:
        return max(1, page_count(file))
    except BadRow:
        return 1


# --- a text per document or page ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Document:
    path: str  # relative to the dataset
    stem: str  # relative to the folder of documents, without its end
    images: tuple[RawImage, ...]
    pages: int  # all of them, also those beyond `max_pages`


def _from_texts(
    root: Path, *, folder: Path, truth: Path, only: str | None, params: PageParams
) -> Iterator[RawSample]:
    files = _documents(folder, only=only)
    if not files:
        hint = f"it needs {', '.join(FOLDERS)} or the folder itself with .pdf or image files, or {TRUTH}"
        raise LoaderError("no documents", file=folder.name, hint=hint)
    stems = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    twice = next((stem for stem, after in pairwise(stems) if stem == after), None)
    if twice is not None:
        raise LoaderError(f"two documents are called {twice}", file=folder.name, hint="rename one of them")
    texts = Texts(truth, root=root, stems=stems if only is None else None)
    for file, stem in zip(files, stems, strict=True):
        path = file.relative_to(root).as_posix()
        is_pdf = file.suffix.lower() == ".pdf"
        images: Sequence[RawImage] = (
            _pdf_pages(file, path=path, params=params) if is_pdf else (ImageFile(path=path),)
        )
        pages = _page_count(file) if is_pdf else 1
        document = _Document(path=path, stem=stem, images=tuple(images), pages=pages)
        yield from _samples(document, texts=texts, per=params.per)
    for name in texts.unused():
        yield RawSample(
            sample_id=name, question="", references=(), file=name, row=1, problem="a truth without a document"
        )


def _documents(folder: Path, *, only: str | None) -> list[Path]:
    """In natural order: page 2 before page 10."""
    if only is not None:
        return [folder / only] if (folder / only).is_file() else []
    found = (path for path in folder.rglob("*") if path.suffix.lower() in DOCUMENT_ENDS and path.is_file())
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).with_suffix("").as_posix()))


def _samples(document: _Document, *, texts: Texts, per: str) -> Iterator[RawSample]:
    metadata = {"document": document.stem, "pages": str(document.pages)}
    base = RawSample(
        sample_id=document.stem, question="", references=(), file=document.path, row=1, metadata=metadata
    )
    if per == "document" or document.pages == 1 or texts.are_objects:
        text = texts.of_document(document.stem, pages=document.pages)
        read = _with_object if texts.are_objects else _answered
        yield read(replace(base, images=document.images), text=text, wanted=f"{document.stem}.txt")
        return
    for number, image in enumerate(document.images, start=1):
        sample = replace(
            base,
            sample_id=f"{document.stem}_{number}",
            images=(image,),
            metadata={**metadata, "page": str(number)},
        )
        text = texts.of_page(document.stem, number=number, pages=document.pages)
        yield _answered(sample, text=text, wanted=f"{document.stem}_{number}.txt")


def _answered(sample: RawSample, *, text: str | None, wanted: str) -> RawSample:
    if text is None:
        return replace(sample, problem=f"no truth for it ({wanted} or .md)")
    return replace(sample, references=(text,))


def _with_object(sample: RawSample, *, text: str | None, wanted: str) -> RawSample:
    if text is None:
        return replace(sample, problem=f"no truth for it ({wanted}, .md or .json)")
    try:
        return replace(sample, references=(dumps_exact(parse_object(text, exact=True)),))
    except BadRow as bad:
        return replace(sample, problem=f"{Path(wanted).stem}.json: {bad}")
