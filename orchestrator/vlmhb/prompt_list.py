"""Finds the prompt files around a config: collections, prompt configs, system prompts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from vlmhb_stages.specs import PromptPair

from vlmhb.config.promptfile import looks_like_prompts
from vlmhb.config.prompts import COLLECTIONS, read_collection
from vlmhb.config.resolve import Roots
from vlmhb.errors import VlmhbError

PROMPTS = "prompts"
SYSTEM = "SystemPrompts"
CONFIG_ENDS = (".json", ".yaml", ".yml")


@dataclass(frozen=True, kw_only=True)
class PromptFile:
    """`name` as a row writes it."""

    kind: str
    name: str
    column: str
    holds: str
    path: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def find_prompt_files(roots: Roots) -> list[PromptFile]:
    """In the folders where a row's prompts are looked for, each file once."""
    found: dict[Path, PromptFile] = {}
    for base in roots.bases:
        for folder in (*COLLECTIONS, PROMPTS, SYSTEM):
            for path in sorted((base / folder).rglob("*")):
                told = _told(path, folder=base / folder) if path.is_file() else None
                if told is not None:
                    found.setdefault(path.resolve(), told)
    return list(found.values())


def _told(path: Path, *, folder: Path) -> PromptFile | None:
    """None for a file that is no prompt."""
    ending, size = path.suffix.lower(), f"{path.stat().st_size} bytes"

    def file(kind: str, *, column: str, holds: str) -> PromptFile:
        name = path.relative_to(folder).as_posix()
        return PromptFile(kind=kind, name=name, column=column, holds=holds, path=str(path))

    if folder.name == SYSTEM:
        return file("system prompt", column="system_prompt", holds=size)
    if ending == ".txt":
        return file("one prompt", column="prompt_collection", holds=size)
    if ending == ".csv":
        return file("collection", column="prompt_collection", holds=_collection(path))
    config = looks_like_prompts(path) if ending in CONFIG_ENDS else None
    if config is None:
        return None
    parts = [f"{len(config.classes)} classes", f"{len(config.questions)} questions"]
    parts += [name for name in ("fixed", "default") if getattr(config, name) != PromptPair()]
    return file("prompt config", column="prompt_config", holds=", ".join(parts))


def _collection(path: Path) -> str:
    try:
        return f"{len(read_collection(path))} keys"
    except VlmhbError as error:
        return error.line().splitlines()[0]
