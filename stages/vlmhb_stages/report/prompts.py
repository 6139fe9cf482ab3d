"""Which versions of the prompt the samples were asked with, for the provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import PromptVersion
from vlmhb_stages.report.read import Reader

SHOWN = 20
LENGTH = 300  # characters of a text; `vlmhb prompts show` shows all


def prompt_versions(inputs: Path | None, *, reader: Reader) -> list[dict[str, Any]]:
    """The most used first; empty for artifacts of a version that kept none."""
    path = inputs / "prompts.jsonl" if inputs is not None else None
    if path is None or not path.exists():
        return []
    versions: list[PromptVersion] = []
    reader.each(path, PromptVersion, keep=versions.append)
    versions.sort(key=lambda version: (-version.samples, version.sha256))
    return [_told(version) for version in versions[:SHOWN]]


def _told(version: PromptVersion) -> dict[str, Any]:
    told = version.model_dump(exclude_none=True)
    return {name: _short(value) if name in ("system", "user") else value for name, value in told.items()}


def _short(text: str) -> str:
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 3]}..."
