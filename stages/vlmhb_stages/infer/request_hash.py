"""The identity of one request: sha256 over everything that could change its answer, and over nothing else.

URL, keys, concurrency, timeouts and the sample's id do not enter, so a record stays valid when they change.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from vlmhb_stages.contracts import Sample
from vlmhb_stages.specs import Decoding, HttpBackend, InferSpec

REQUEST_HASH_VERSION = 1  # raise it when the same inputs would be sent in another way


def request_hash_of(sample: Sample, *, spec: InferSpec) -> str:
    """Of the request that this stage would send; what a spec does not ask for does not enter."""
    sending: dict[str, Any] = {}
    if spec.max_image_side is not None and sample.images:
        sending["max_image_side"] = spec.max_image_side
    if spec.structured and sample.response_schema is not None:
        sending["structured"] = True
    if isinstance(spec.backend, HttpBackend) and spec.backend.dialect != "openai":
        sending["dialect"] = spec.backend.dialect
    return request_hash(sample, decoding=spec.decoding, model_identity=spec.model_identity, sending=sending)


def request_hash(
    sample: Sample, *, decoding: Decoding, model_identity: str, sending: dict[str, Any] | None = None
) -> str:
    """64 hex digits. Options that are not set do not enter, so that new ones invalidate nothing."""
    content = {
        "version": REQUEST_HASH_VERSION,
        "messages": [message.model_dump(exclude_none=True) for message in sample.messages],
        "images": [image.sha256 for image in sample.images],
        "choices": sample.choices,
        "response_schema": sample.response_schema,
        "decoding": decoding.model_dump(mode="json", exclude_none=True),
        "model_identity": model_identity,
        **({"sending": sending} if sending else {}),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
