"""The parts of every sample under every metric, as files: what paired tests between evaluations are made of."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vlmhb_stages.contracts import PartsEntry, PartsIndex
from vlmhb_stages.journal import write_atomic

FOLDER, INDEX = "parts", "index.json"
Floats = npt.NDArray[np.float64]


def write_part(folder: Path, *, file: str, parts: Floats) -> None:
    """`folder` is the stage's out. The bytes depend on the numbers only."""
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    with (place / file).open("wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(parts, dtype="<f8"), version=(1, 0))


def write_index(folder: Path, index: PartsIndex) -> None:
    (folder / FOLDER).mkdir(exist_ok=True)
    write_atomic(folder / FOLDER / INDEX, [index.model_dump_json(indent=2).encode() + b"\n"])


def read_index(folder: Path) -> PartsIndex | None:
    """None where an evaluation has no parts: it is of an older version."""
    path = folder / FOLDER / INDEX
    return PartsIndex.model_validate_json(path.read_bytes()) if path.is_file() else None


def read_parts(folder: Path, entry: PartsEntry) -> Floats:
    """(planned samples, width), a NaN row where the score is undefined."""
    found: Floats = np.load(folder / FOLDER / entry.file, allow_pickle=False)
    return found


def ids_digest(ids: Iterable[str]) -> str:
    """Equal where two evaluations have the same samples in the same order."""
    digest = sha256()
    for sample_id in ids:
        digest.update(f"{sample_id}\n".encode())
    return digest.hexdigest()
