"""Which files of a folder are the dataset: splits and shards of parquet and arrow files, none of them missing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vlmhb_benchmarks.loaders.base import LoaderError

ENDS = (".parquet", ".arrow")
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?:-[0-9a-f]{8,})?")
STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"


@dataclass(frozen=True, kw_only=True, order=True)
class Shard:
    """`group`: what the name says besides the shard's number: the folder and the split."""

    group: str
    path: str  # relative to the dataset
    split: str
    number: int | None = None
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`by_split`: the files were chosen by the name of the split, so their rows need not tell it."""

    paths: tuple[Path, ...]
    by_split: bool = False


def find_shards(root: Path, *, pattern: Sequence[str] | None, split: str | None) -> Chosen:
    """The files in their order. `pattern`: globs that choose among them; `split`: a split by name.

    Raises `LoaderError` where the choice is not clear, nothing is there, or a shard is missing."""
    if root.is_file():
        return Chosen(paths=(root,), by_split=split is not None and _shard(root.name).split == split)
    if (root / SPLITS).is_file():
        return Chosen(paths=_of_saved_dict(root, split=split), by_split=True)
    if (root / STATE).is_file():
        return Chosen(paths=_of_saved(root), by_split=_json(root / STATE, name=STATE).get("_split") == split)
    shards = [_shard(path.relative_to(root).as_posix()) for path in _files(root, pattern)]
    of_split = [shard for shard in shards if _is_of(shard, split)]
    known = sorted({shard.split for shard in shards})
    if split is not None and not of_split and len(known) > 1:
        raise LoaderError(f"no split {split}", file=root.name, hint=f"there are: {', '.join(known)}")
    shards = of_split or shards
    groups = sorted({shard.group for shard in shards})
    if len(groups) > 1 and pattern is None:
        hint = "name the split in params.split of the card, or the files in params.file"
        raise LoaderError(f"several splits: {', '.join(groups)}", file=root.name, hint=hint)
    for group in groups:
        _check_complete([shard for shard in shards if shard.group == group], root=root)
    return Chosen(paths=tuple(root / shard.path for shard in sorted(shards)), by_split=bool(of_split))


def _is_of(shard: Shard, split: str | None) -> bool:
    return split is not None and (shard.split == split or split in PurePosixPath(shard.path).parts)


def _files(root: Path, pattern: Sequence[str] | None) -> list[Path]:
    """Sorted. Hidden folders (`.cache`) and the caches of `datasets` are no part of a dataset."""
    globs = pattern or [f"**/*{end}" for end in ENDS]
    found = {
        path
        for glob in globs
        for path in root.glob(glob)
        if path.is_file() and not _is_hidden(path.relative_to(root))
    }
    missing = [glob for glob in globs if pattern and not any(root.glob(glob))]
    if missing or not found:
        wanted = ", ".join(missing) or "*.parquet or *.arrow"
        raise LoaderError(f"no {wanted} in the dataset folder", file=root.name)
    return sorted(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.name.startswith("cache-")


def _shard(path: str) -> Shard:
    pure = PurePosixPath(path)
    found = SHARD.fullmatch(pure.stem)
    if found:
        group, number, count = found["stem"], int(found["number"]), int(found["count"])
        split = re.split(r"[-_.]", group)[-1] if "-" in group else group
        return Shard(
            group=(pure.parent / group).as_posix(), path=path, split=split, number=number, count=count
        )
    if pure.stem.isdigit():  # as the Hub converts: <config>/<split>/0000.parquet
        return Shard(group=pure.parent.as_posix(), path=path, split=pure.parent.name)
    return Shard(group=pure.with_suffix("").as_posix(), path=path, split=pure.stem)


def _check_complete(shards: Sequence[Shard], *, root: Path) -> None:
    """Raises `LoaderError` for a missing shard: its rows would be missing in silence."""
    counts = {shard.count for shard in shards if shard.count is not None}
    if not counts:
        return
    if len(counts) > 1:
        raise LoaderError(
            f"{shards[0].group}: shards of {' and of '.join(map(str, sorted(counts)))} files lie side by side",
            file=root.name,
        )
    missing = sorted(set(range(counts.pop())) - {shard.number for shard in shards})
    if missing:
        numbers = ", ".join(f"{number:05d}" for number in missing[:10])
        raise LoaderError(
            f"{shards[0].group}: shard {numbers} of {shards[0].count} is missing", file=root.name
        )


def _of_saved_dict(root: Path, *, split: str | None) -> tuple[Path, ...]:
    names = _json(root / SPLITS, name=SPLITS).get("splits", [])
    if split is None and len(names) == 1:
        split = names[0]
    if split not in names or not (root / str(split)).is_dir():
        hint = f"params.split of the card is one of: {', '.join(map(str, names))}"
        raise LoaderError(f"no split {split}" if split else "several splits", file=root.name, hint=hint)
    return _of_saved(root / str(split))


def _of_saved(folder: Path) -> tuple[Path, ...]:
    """The files of a folder written by `save_to_disk`."""
    state = _json(folder / STATE, name=STATE)
    if state.get("_indices_files") or state.get("_indices_data_files"):
        hint = "call flatten_indices() before save_to_disk"
        raise LoaderError("a selection of rows over other files", file=STATE, hint=hint)
    names = [str(entry.get("filename")) for entry in state.get("_data_files", [])]
    missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
    if missing or not names:
        raise LoaderError(f"no {', '.join(missing) or 'data file'} beside it", file=f"{folder.name}/{STATE}")
    return tuple(folder / name for name in names)


def _json(path: Path, *, name: str) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LoaderError(f"not JSON ({error})", file=name) from error
    if not isinstance(data, dict):
        raise LoaderError("not a JSON object", file=name)
    return data
