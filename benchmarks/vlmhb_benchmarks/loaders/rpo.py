"""Reads the prototype's RPO datasets: documents of several pages, whose classes or whose order is asked for.

`images/<n>/*.jpg` (any image ending), `jsons/<n>.json`, `classes.json`. Pages are shown in natural order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
)
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.folders import IMAGE_ENDS, JSON_ENDS, both, by_stem, read_object, subfolders
from vlmhb_benchmarks.loaders.prototype import page_groups, with_classes

TARGETS = ("classes", "order")
PAGE_COUNT = "Количество поданных страниц документов - {}.\n"


@dataclass(frozen=True, kw_only=True)
class _Params:
    target: str
    prompt: str
    classes: tuple[str, ...]


def load_rpo(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `classes` (default; the class of each page, as numbers of `classes.json`) or `order` (pages
    from 1; one sample for each class with several pages, which alone are shown); `prompt`: what follows the page
    count in the question, where `{classes}` becomes `0: name, 1: name`."""
    check_params(params, known=("target", "prompt"), loader="rpo")
    classes = _classes(root)
    asked = _Params(
        target=choice(params, "target", of=TARGETS),
        prompt=with_classes(str(params.get("prompt") or ""), names=classes),
        classes=classes,
    )
    if not (root / "images").is_dir():
        raise LoaderError("no folder images/ in the dataset", file=root.name)
    images = {folder.name: f"images/{folder.name}" for folder in subfolders(root / "images")}
    truths = by_stem(root, "jsons", ends=JSON_ENDS)
    for name in both(images, truths):
        yield from _document(root, name=name, folder=images.get(name), truth=truths.get(name), params=asked)


def _classes(root: Path) -> tuple[str, ...]:
    """From a list of names, `{name: number}` or `{number: name}`. Raises `LoaderError`."""
    name = "classes.json"
    try:
        data = json.loads((root / name).read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise LoaderError("no classes.json in the dataset folder", file=root.name) from error
    except (OSError, ValueError) as error:
        raise LoaderError(f"not JSON in UTF-8 ({error})", file=name) from error
    if isinstance(data, dict):
        numbers = {str(number): str(key) for key, number in data.items()}
        data = _by_number(numbers) or _by_number({str(key): str(value) for key, value in data.items()})
    if not isinstance(data, list) or not data or not all(isinstance(item, str) for item in data):
        hint = "a list of names, or names with their numbers from 0"
        raise LoaderError("no list of classes", file=name, hint=hint)
    return tuple(data)


def _by_number(names: Mapping[str, str]) -> list[str]:
    """Empty unless the keys are 0, 1, 2 ..."""
    numbers = [str(number) for number in range(len(names))]
    return [names[number] for number in numbers] if set(numbers) == set(names) else []


def _document(
    root: Path, *, name: str, folder: str | None, truth: str | None, params: _Params
) -> Iterator[RawSample]:
    pages = tuple(by_stem(root, folder, ends=IMAGE_ENDS).values()) if folder else ()
    sample = RawSample(
        sample_id=name,
        question=PAGE_COUNT.format(len(pages)) + params.prompt,
        references=(),
        file=truth or str(folder),
        row=1,
        images=tuple(ImageFile(path=page) for page in pages) or (ImageAbsent(reason="no page in images/"),),
    )
    try:
        if truth is None:
            raise BadRow(f"no jsons/{name}.json for this document")
        groups = page_groups(read_object(root / truth))
        if params.target == "classes":
            yield replace(sample, references=(_classes_of(groups, count=len(pages), params=params),))
        else:
            yield from _orders(sample, groups=groups, pages=pages, params=params)
    except BadRow as bad:
        yield replace(sample, problem=str(bad))


def _classes_of(groups: Mapping[str, Sequence[int]], *, count: int, params: _Params) -> str:
    """The number of its class for each page. Raises `BadRow` unless every page has one."""
    found: dict[int, int] = {}
    for name, pages in groups.items():
        if name not in params.classes:
            raise BadRow(f"{name} is not in classes.json")
        for page in pages:
            if page >= count or page in found:
                raise BadRow(f"page {page} of {name} is not there, or has two classes")
            found[page] = params.classes.index(name)
    missing = sorted(set(range(count)) - set(found))
    if missing:
        raise BadRow(f"pages {', '.join(map(str, missing))} have no class")
    return dumps_exact([found[page] for page in range(count)])


def _orders(
    sample: RawSample, *, groups: Mapping[str, Sequence[int]], pages: Sequence[str], params: _Params
) -> Iterator[RawSample]:
    """One sample per class with several pages; its pages are shown in natural order and counted from 1."""
    several = {name: order for name, order in groups.items() if len(order) > 1}
    if not several:
        raise BadRow("no class with several pages to sort")
    for number, (name, order) in enumerate(several.items()):
        shown = sorted(order)
        if len(set(order)) != len(order) or shown[-1] >= len(pages):
            raise BadRow(f"the order {order} of {name} names pages twice, or pages that are not there")
        yield replace(
            sample,
            sample_id=sample.sample_id if len(several) == 1 else f"{sample.sample_id}/{number}",
            question=PAGE_COUNT.format(len(shown)) + params.prompt,
            references=(dumps_exact([shown.index(page) + 1 for page in order]),),
            images=tuple(ImageFile(path=pages[page]) for page in shown),
            metadata={"doc_class": name},
        )
