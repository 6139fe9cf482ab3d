"""A `/vlmhb` folder for the driver in a test: inputs, media, out, and a way to run it and read what it
left."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import ImageRef, InferSummary, Message, Prediction, Sample, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer import run
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.specs import Backend, Decoding, HttpBackend, InferSpec, RetryPolicy, SocketBackend

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class SpedUp:
    """Sleeps that take no time but are noted, for backoff and waiting; `now` follows them."""

    naps: list[float] = field(default_factory=list)
    now: float = 0.0
    on_nap: Callable[[int], None] = lambda count: None

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.on_nap(len(self.naps))
        await asyncio.sleep(0.001)

    def runtime(self) -> Runtime:
        return Runtime(sleep=self.sleep, monotonic=lambda: self.now, rng=random.Random(1))


@dataclass
class Bench:
    root: Path

    def __post_init__(self) -> None:
        for folder in ("in/inputs", "in/media", "out", "sock/0", "secrets", "control"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    def resolve(self, path: str) -> Path:
        return self.root / path.removeprefix("/vlmhb/") if path.startswith("/vlmhb/") else Path(path)

    @property
    def socket(self) -> Path:
        return self.root / "sock" / "0" / "model.sock"

    @property
    def predictions_path(self) -> Path:
        return self.root / "out" / "predictions.jsonl"

    def write_samples(self, samples: Sequence[Sample]) -> None:
        lines = [sample.model_dump_json() + "\n" for sample in samples]
        (self.root / "in/inputs/samples.jsonl").write_text("".join(lines), encoding="utf-8")

    def image(self, name: str, content: bytes = b"") -> ImageRef:
        """A file that begins as a PNG does, and its reference."""
        data = PNG + (content or name.encode())
        (self.root / "in/media" / name).write_bytes(data)
        return ImageRef(path=name, sha256=hashlib.sha256(data).hexdigest(), width=1, height=1)

    def spec(self, backend: Backend, **changes: Any) -> InferSpec:
        base: dict[str, Any] = {"backend": backend, "model": "m", "model_identity": "id-1", "retry": QUICK}
        return InferSpec(**{**base, **changes})

    def http(self, url: str, **changes: Any) -> InferSpec:
        return self.spec(HttpBackend(base_url=url), **changes)

    def own(self, **changes: Any) -> InferSpec:
        return self.spec(SocketBackend(), **changes)

    def run(self, spec: InferSpec, *, runtime: Runtime | None = None) -> int:
        events = EventWriter(self.root / "out/events.jsonl")
        try:
            return run(spec, events=events, resolve=self.resolve, runtime=runtime)
        finally:
            events.close()

    @property
    def predictions(self) -> list[Prediction]:
        return [Prediction.model_validate_json(line) for line in _lines(self.predictions_path)]

    @property
    def by_id(self) -> dict[str, Prediction]:
        return {record.sample_id: record for record in self.predictions}

    @property
    def attempts(self) -> list[Attempt]:
        return [Attempt.model_validate_json(line) for line in _lines(self.root / "out/attempts.jsonl")]

    @property
    def summary(self) -> InferSummary:
        return InferSummary.model_validate_json((self.root / "out/summary.json").read_bytes())

    def events(self, type_: str) -> list[dict[str, Any]]:
        found = (json.loads(line) for line in _lines(self.root / "out/events.jsonl"))
        return [event for event in found if event["type"] == type_]


QUICK = RetryPolicy(
    attempts=3, base_s=0.001, max_s=0.002, timeout_first_token_s=5, timeout_total_s=10, server_wait_s=20
)
GREEDY = Decoding(temperature=0.0, max_tokens=64)


def sample(
    sample_id: str, *images: ImageRef, error: SampleError | None = None, prompt: str = "ask"
) -> Sample:
    messages = (Message(role="user", content=f"{prompt} {sample_id}"),)
    return Sample(sample_id=sample_id, messages=messages, images=images, error=error)


def samples(count: int) -> list[Sample]:
    return [sample(f"s{number}") for number in range(count)]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []
