"""Writes the example of `vlmhb init benchmark` from the files in `templates/benchmark/`; never over a user's own."""

from __future__ import annotations

import re
from pathlib import Path

from vlmhb.errors import BadValue
from vlmhb.naming import slug

TEMPLATE = Path(__file__).parent / "templates" / "benchmark"
NAME = "my_benchmark"  # in the template; becomes the name of the folder
TEXTS = (".yaml", ".csv", ".jsonl", ".md")


def write_benchmark(folder: Path) -> list[Path]:
    """The files written, in order. Raises `BadValue` for a folder that holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "give a folder that is new or empty"
        raise BadValue("there is something already", where=str(folder), hint=hint)
    name = re.sub(r"[^\w]+", "_", slug(folder.absolute().name)).strip("_") or NAME
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        target = folder / str(source.relative_to(TEMPLATE)).replace(NAME, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        if source.suffix in TEXTS:
            data = data.replace(NAME.encode(), name.encode())
        target.write_bytes(data)
        written.append(target)
    return written
