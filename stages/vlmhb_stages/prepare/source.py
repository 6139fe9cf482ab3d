"""Where the dataset lies: where it is mounted, or unpacked from an archive into scratch space of our own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders import RawSample, load
from vlmhb_benchmarks.loaders.archives import Limits, unpack
from vlmhb_benchmarks.loaders.detect import detect_layout

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.output import fresh_folder
from vlmhb_stages.specs import PrepareSpec, UnpackLimits

SCRATCH = ".unpacked"  # below out/, and gone before anything is sealed: labels are in it
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Source:
    """`path` is what the loader reads, `root` the folder that image paths start from."""

    path: Path
    loader: str
    params: Mapping[str, Any]
    is_ours: bool = False  # unpacked: it goes away, and files may be taken over

    @property
    def root(self) -> Path:
        return self.path.parent if self.path.is_file() else self.path

    @property
    def can_stay(self) -> bool:
        """Whether infer can be shown a folder of it as it is."""
        return self.path.is_dir() and not self.is_ours

    def load(self) -> Iterator[RawSample]:
        return load(self.loader, self.path, self.params)


@contextmanager
def open_source(spec: PrepareSpec, *, dataset: Path, out: Path, beat: Callable[[], None]) -> Iterator[Source]:
    """What an archive was unpacked to is removed at the end, and what a killed attempt has left at the start.

    Raises `LoaderError` for a bad archive, `PrepareFailed` when nobody knows what it holds."""
    scratch = out / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    if spec.archive is None:
        yield _source(spec, path=dataset)
        return
    try:
        archive = dataset if dataset.is_file() else dataset / spec.archive
        unpack(archive, fresh_folder(scratch), limits=_limits(spec.unpack), beat=beat)
        yield _source(spec, path=_top(scratch), is_ours=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _source(spec: PrepareSpec, *, path: Path, is_ours: bool = False) -> Source:
    loader = spec.loader
    if loader == AUTO:
        found = detect_layout(path)
        if found is None:
            names = (
                ", ".join(sorted(entry.name for entry in path.iterdir())[:10]) if path.is_dir() else path.name
            )
            hint = f"there is: {names}; name the loader in a card, see docs/benchmarks.md"
            raise PrepareFailed("no known dataset in it", hint=hint)
        loader = found
    return Source(path=path, loader=loader, params=spec.params, is_ours=is_ours)


def _top(folder: Path) -> Path:
    """The folder itself, or the only folder in it where the dataset is in there."""
    if detect_layout(folder) is None:
        entries = list(folder.iterdir())
        if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
            return entries[0]
    return folder


def _limits(limits: UnpackLimits) -> Limits:
    return Limits(
        max_bytes=int(limits.max_gib * 2**30), max_files=limits.max_files, max_ratio=limits.max_ratio
    )
