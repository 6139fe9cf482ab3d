"""The identity of one request: sha256 over everything that could change its answer, and over nothing else.

URL, keys, concurrency, timeouts and the sample's id do not enter, so a record stays valid when they change.
"""

from __future__ import annotations

import hashlib
import json

from vlmhb_stages.contracts import Sample
from vlmhb_stages.specs import Decoding

REQUEST_HASH_VERSION = 1  # raise it when the same inputs would be sent in another way


def request_hash(sample: Sample, *, decoding: Decoding, model_identity: str) -> str:
    """64 hex digits. Decoding options that are not set do not enter, so that new ones invalidate nothing."""
    content = {
        "version": REQUEST_HASH_VERSION,
        "messages": [message.model_dump() for message in sample.messages],
        "images": [image.sha256 for image in sample.images],
        "choices": sample.choices,
        "response_schema": sample.response_schema,
        "decoding": decoding.model_dump(mode="json", exclude_none=True),
        "model_identity": model_identity,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
