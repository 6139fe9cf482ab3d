"""Sampling of resources beside an inference, and the summary that its manifest gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from vlmhb_stages.contracts import InferSummary

from vlmhb.engines.base import Handle
from vlmhb.execution.session import Session
from vlmhb.resources.pool import Leased
from vlmhb.resources.sampler import Sampler, sampled
from vlmhb.resources.summary import summarize
from vlmhb.store.artifacts import Artifact
from vlmhb.store.files import parse_json, read_json


class Used:
    """Whoever runs beside a driver: its containers by role, and the GPUs that they have."""

    def handles(self) -> Mapping[str, Handle]:
        return {}

    def leased(self) -> Leased:
        return Leased()


@contextmanager
def usage_noted(
    session: Session, *, artifact: Artifact, driver: Handle, beside: Used, hz: float
) -> Iterator[None]:
    sampler = Sampler(
        handles=lambda: {"infer": driver, **beside.handles()},
        gpus=beside.leased().gpus,
        disk=session.workspace.root,
        shown=session.progress.usage,
    )
    with sampled(sampler, hz=hz, path=artifact.resources, failed=session.progress.message):
        yield


def usage_summary(artifact: Artifact, *, samples: Path | None) -> dict[str, Any]:
    """`samples`: the inputs, to know how many pages one sample has. Measures only, so it fails over nothing."""
    told = read_json(artifact.out / "summary.json")
    try:
        summary = InferSummary.model_validate(told)
    except ValidationError:
        return summarize(artifact.resources)
    planned, asked = summary.counts.planned, summary.counts.planned - summary.imported
    pages = _pages(samples) * asked / planned if samples is not None and planned else 0.0
    return summarize(artifact.resources, pages=pages, active=summary.active)


def _pages(samples: Path) -> int:
    """Images that samples ask about. Not read as `Sample`s: there may be a million of them."""
    if not samples.exists():
        return 0
    with samples.open("rb") as file:
        return sum(_own_images(parse_json(line)) for line in file)


def _own_images(sample: Any) -> int:
    """Without those of worked examples: of the last message that has any, where messages say so."""
    if not isinstance(sample, dict):
        return 0
    messages = sample.get("messages") or ()
    counts = [message.get("images") for message in messages if isinstance(message, dict)]
    own = [count for count in counts if count]
    return int(own[-1]) if own else len(sample.get("images") or ())
