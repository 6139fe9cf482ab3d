"""What every loader yields and raises, and the small helpers that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image of the dataset; `path` as written there, relative to the dataset root, not yet checked."""

    path: str


@dataclass(frozen=True, kw_only=True)
class ImageBase64:
    """An image that stands inside the dataset file; `text` is not decoded yet."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ImageAbsent:
    """The row names no image where it must; `reason` is for the user."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class ImageBytes:
    """An image that stands inside the dataset file as bytes (parquet, arrow)."""

    data: bytes


@dataclass(frozen=True, kw_only=True)
class PdfPage:
    """A page of a PDF of the dataset, to be rendered; `path` as of `ImageFile`."""

    path: str
    page: int  # 0-based
    dpi: int = 144


@dataclass(frozen=True, kw_only=True)
class PdfBytes:
    """A page of a PDF that stands inside the dataset file."""

    data: bytes
    page: int  # 0-based
    dpi: int = 144


RawImage = ImageFile | ImageBase64 | ImageBytes | PdfPage | PdfBytes | ImageAbsent


@dataclass(frozen=True, kw_only=True)
class RawSample:
    """One row of a dataset, before prompts and image checks. Every text is exactly as in the file.

    `metadata` may be seen by the inference side; `label_metadata` (answer boxes, rationales, unknown columns)
    goes to the labels only. `problem` says why the row itself is unusable: it then costs this sample alone.
    """

    sample_id: str
    question: str
    references: tuple[str, ...]
    file: str  # where the row stands, relative to the dataset root
    row: int  # 1-based line of `file` at which the row begins
    images: tuple[RawImage, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    label_metadata: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] | None = None
    list_choices: bool = True  # False: the question names them itself, so they are not listed below it
    response_schema: Mapping[str, Any] | None = None
    problem: str | None = None


class LoaderError(Exception):
    """The dataset as a whole cannot be read. `row` is a 1-based line of `file`, where one is to blame."""

    def __init__(self, message: str, *, file: str, row: int | None = None, hint: str = "") -> None:
        self.message, self.file, self.row, self.hint = message, file, row, hint
        place = file if row is None else f"{file}, row {row}"
        super().__init__(f"{message}, in {place}")


class BadRow(Exception):
    """Why one row cannot be used: it becomes the `problem` of its sample, and the others go on."""


class Loader(Protocol):
    """A loader streams: it holds one row at a time, whatever the size of the dataset."""

    def __call__(self, root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]: ...


def check_params(params: Mapping[str, Any], *, known: tuple[str, ...], loader: str) -> None:
    """Raises `LoaderError` for a parameter that the loader does not have."""
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise LoaderError(
            f"loader {loader} has no parameter {', '.join(unknown)}",
            file="card",
            hint=f"it knows: {', '.join(known) or 'none'}",
        )


def choice(params: Mapping[str, Any], name: str, *, of: tuple[str, ...]) -> str:
    """A parameter that is one of a few words; the first is the default. Raises `LoaderError`."""
    value = params.get(name, of[0])
    if value not in of:
        hint = f"{', '.join(of[:-1])} or {of[-1]}"
        raise LoaderError(f"{name} {value} is unknown", file="card", hint=hint)
    return str(value)


def texts(params: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """A parameter that is a text or a list of texts; None where it is not given. Raises `LoaderError`."""
    value = params.get(name)
    values = [value] if isinstance(value, str) else value
    if values is None:
        return None
    if not isinstance(values, list | tuple) or not all(isinstance(item, str) for item in values):
        raise LoaderError(f"{name} must be a text or a list of texts", file="card")
    return tuple(values)


def whole(params: Mapping[str, Any], name: str) -> int | None:
    """A parameter that is a whole number from 1; None where it is not given. Raises `LoaderError`."""
    value = params.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise LoaderError(f"{name} must be a whole number from 1", file="card")
    return value


def find_file(root: Path, *, name: str | None, defaults: tuple[str, ...]) -> Path:
    """`root` itself when it is a file, else the named file in it, else the first default that exists."""
    if root.is_file():
        return root
    names = (name,) if name else defaults
    for candidate in names:
        if (root / candidate).is_file():
            return root / candidate
    raise LoaderError(
        f"no {' or '.join(names)} in the dataset folder", file=root.name, hint="see docs/benchmarks.md"
    )


def shown(path: Path, *, root: Path) -> str:
    """`path` as the user should read it: relative to the dataset folder."""
    return path.relative_to(root).as_posix() if root in path.parents else path.name
