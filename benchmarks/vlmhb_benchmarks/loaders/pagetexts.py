"""Finds the text of a document or of one of its pages among files named after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb_benchmarks.loaders.base import LoaderError

TEXT_ENDS = ("txt", "md")
OBJECT_ENDS = ("json",)  # counted where there is no text: notes and metadata are often JSON, too
PAGE_NAME = re.compile(r"(.+)_(\d+)", re.DOTALL)
NOTES = ("README", "LICENSE")  # about the dataset, not in it
FORM_FEED = "\f"  # what pdftotext and its like write after every page


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """`a2` before `a10`."""
    parts = re.split(r"(\d+)", name)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


@dataclass
class _Found:
    """The texts of one document; `count`: its pages, once it was asked for."""

    whole: Path | None = None
    pages: dict[int, Path] = field(default_factory=dict)
    count: int = 0


class Texts:
    """All texts below a folder. `stems`: the documents there are; None where others may lie beside them.

    `are_objects`: there are none, but JSON files, each the truth of a whole document.

    Raises `LoaderError` for two texts of one page, and later for bytes that are not UTF-8."""

    def __init__(self, folder: Path, *, root: Path, stems: Sequence[str] | None) -> None:
        self._root = root
        self._known = None if stems is None else frozenset(stems)
        self._found: dict[str, _Found] = {}
        found = _files(folder, ends=TEXT_ENDS)
        self.are_objects = not found
        for path in found or _files(folder, ends=OBJECT_ENDS):
            self._add(path, stem=path.relative_to(folder).with_suffix("").as_posix())

    def _add(self, path: Path, *, stem: str) -> None:
        page = None if self.are_objects else PAGE_NAME.fullmatch(stem)
        if page is not None and (self._known is None or stem not in self._known):
            before = self._found.setdefault(page[1], _Found()).pages.setdefault(int(page[2]), path)
        else:
            found = self._found.setdefault(stem, _Found())
            before = found.whole = found.whole or path
        if before != path:
            hint = "keep one of them"
            raise LoaderError(
                f"two texts for one page, {self._name(before)}", file=self._name(path), hint=hint
            )

    def of_document(self, stem: str, *, pages: int) -> str | None:
        """Its own text, else those of its pages in order, an empty line between two; None when there is not all."""
        found = self._of(stem, pages=pages)
        if found.whole is not None:
            return self._read(found.whole).removesuffix(FORM_FEED)
        if not all(number in found.pages for number in range(1, pages + 1)):
            return None
        texts = [self._read(found.pages[number]) for number in range(1, pages + 1)]
        return "\n\n".join(text.rstrip("\n") for text in texts)

    def of_page(self, stem: str, *, number: int, pages: int) -> str | None:
        """Its own text, else its part of the document's where form feeds divide that into as many pages."""
        found = self._of(stem, pages=pages)
        if number in found.pages:
            return self._read(found.pages[number])
        if found.whole is None:
            return None
        parts = self._read(found.whole).removesuffix(FORM_FEED).split(FORM_FEED)
        return parts[number - 1] if len(parts) == pages else None

    def unused(self) -> Iterator[str]:
        """Texts that belong to no document, or to a page that it does not have."""
        if self._known is None:
            return
        for stem, found in sorted(self._found.items()):
            if found.whole is not None and stem not in self._known:
                yield self._name(found.whole)
            yield from (
                self._name(path) for number, path in sorted(found.pages.items()) if number > found.count
            )

    def _of(self, stem: str, *, pages: int) -> _Found:
        found = self._found.setdefault(stem, _Found())
        found.count = pages
        return found

    def _read(self, path: Path) -> str:
        try:
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise LoaderError("not UTF-8", file=self._name(path), hint="save the file as UTF-8") from error
        except OSError as error:
            raise LoaderError(error.strerror or "not readable", file=self._name(path)) from error

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _files(folder: Path, *, ends: Sequence[str]) -> list[Path]:
    found = [path for end in ends for path in folder.rglob(f"*.{end}")]
    return [path for path in found if path.is_file() and path.stem.upper() not in NOTES]
