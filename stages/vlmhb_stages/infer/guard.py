"""Knows whether the records of an artifact answer the requests of today, without hashing a million of them again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vlmhb_stages.contracts import ImageRef, Message, Record, Sample
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.infer.samples import SamplesFile
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.specs import InferSpec

GUARD = "requests.json"
# A request with everything in it that could be hashed in another way.
_PROBE = Sample(
    sample_id="",
    messages=(Message(role="user", content="?"),),
    images=(ImageRef(path="a", sha256="0" * 64, width=1, height=1),),
    choices=("a",),
    response_schema={"type": "object"},
)


class Guarded(Record):
    """`requests.json`: a hash over `samples.jsonl` and over all that turns a sample into its request."""

    requests: str


class Guard:
    """While it holds, every record in the journal was made for the request that its sample is today."""

    def __init__(self, out: Path, *, spec: InferSpec, samples: SamplesFile) -> None:
        self._path = out / GUARD
        told = f"{request_hash_of(_PROBE, spec=spec)} {samples.sha256}"
        self._now = Guarded(requests=hashlib.sha256(told.encode()).hexdigest())

    @property
    def holds(self) -> bool:
        try:
            return Guarded.model_validate_json(self._path.read_bytes()) == self._now
        except (FileNotFoundError, ValueError):
            return False

    def put_up(self) -> None:
        """Call only while no record of another request is in the journal: when it is empty, or canonical."""
        if not self.holds:
            write_atomic(self._path, [self._now.model_dump_json().encode() + b"\n"])
