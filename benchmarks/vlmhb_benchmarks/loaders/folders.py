"""What folder layouts share: files by their stems in natural order, split folders, and truth files read as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, ImageAbsent, ImageFile, LoaderError, RawImage, RawSample
from vlmhb_benchmarks.loaders.exactjson import loads_exact
from vlmhb_benchmarks.loaders.pagetexts import natural_key

IMAGE_ENDS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2")
JSON_ENDS = (".json",)


def by_stem(root: Path, folder: str, *, ends: Sequence[str], hint: str = "") -> dict[str, str]:
    """Stem -> path relative to `root`, in natural order; other files are left out.

    Raises `LoaderError` when the folder is missing, or two files have one stem: which one counts?"""
    if not (root / folder).is_dir():
        raise LoaderError(f"no folder {folder}/ in the dataset", file=root.name, hint=hint)
    found: dict[str, str] = {}
    files = (path for path in (root / folder).iterdir() if path.suffix.lower() in ends and path.is_file())
    for path in sorted(files, key=lambda path: (natural_key(path.stem), path.name)):
        name = f"{folder}/{path.name}" if folder else path.name
        if found.setdefault(path.stem, name) != name:
            raise LoaderError(
                f"two files for {path.stem}: {found[path.stem]} and {name}",
                file=root.name,
                hint="keep one of them",
            )
    return found


def both(images: Mapping[str, str], truths: Mapping[str, str]) -> list[str]:
    """All stems in natural order, also those that only one of the two has."""
    return sorted({*images, *truths}, key=natural_key)


def natural(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (natural_key(path.name), path.name))


def subfolders(folder: Path) -> Iterator[Path]:
    """In natural order, hidden ones left out."""
    yield from natural(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def split_folder(root: Path, *, split: str | None, needs: tuple[str, str], names: Mapping[str, str]) -> str:
    """Path from `root` to the folder that holds the folders `needs`: of the split, or the only one that there is.

    `names`: split -> path of its folder. Raises `LoaderError` when nothing or several fit."""

    def fits(path: str) -> bool:
        return all((root / path / need).is_dir() for need in needs)

    hint = f"it needs the folders {needs[0]}/ and {needs[1]}/"
    if split is not None:
        wanted = [path for path in dict.fromkeys((names.get(split, split), split)) if fits(path)]
        if not wanted:
            raise LoaderError(f"no split {split} in the dataset", file=root.name, hint=hint)
        return wanted[0]
    found = [path for path in dict.fromkeys(("", *names.values())) if fits(path)]
    if len(found) > 1 and "" not in found:
        choice = f"name one in params.split of the card: {', '.join(found)}"
        raise LoaderError("several splits in the dataset", file=root.name, hint=choice)
    if not found:
        raise LoaderError(f"no folders {needs[0]}/ and {needs[1]}/ in the dataset", file=root.name, hint=hint)
    return found[0]


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def read_text(path: Path) -> str:
    """The text of one truth file. Raises `BadRow`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8") from error
    except OSError as error:
        raise BadRow(error.strerror or "not readable") from error


def parse_object(text: str, *, exact: bool = False) -> dict[str, Any]:
    """A JSON object; `exact`: as of `loads_exact`. Raises `BadRow`."""
    try:
        data = loads_exact(text) if exact else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise BadRow("not a JSON object")
    return data


def read_object(path: Path, *, exact: bool = False) -> dict[str, Any]:
    """The JSON object in one truth file. Raises `BadRow`."""
    return parse_object(read_text(path), exact=exact)


def image_or_none(path: str | None, *, otherwise: str) -> RawImage:
    return ImageAbsent(reason=otherwise) if path is None else ImageFile(path=path)


def answered(sample: RawSample, *, read: Callable[[], str]) -> RawSample:
    """`sample` with the reference that `read` gives, or with the problem that it raises (`BadRow`)."""
    try:
        return replace(sample, references=(read(),))
    except BadRow as bad:
        return replace(sample, problem=str(bad))
