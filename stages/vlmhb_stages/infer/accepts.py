"""What a server has been found not to take, and which option a refusal is about. Pure.

Servers of one protocol differ in options: a refused one is left out, step by step, and remembered.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields, replace
from typing import Any

from vlmhb_stages.infer.outcomes import Failure

NOT_ENFORCED = "schema not enforced"

_RUNNING = re.compile(r"continuous_usage_stats", re.IGNORECASE)
_USAGE = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_STREAM = re.compile(r"\bstream", re.IGNORECASE)  # not "upstream", of which proxies speak
_SCHEMA = re.compile(
    r"response_?format|json_?schema|structured[ _]output|guided|grammar|output_config|response_?(mime_?type|schema)",
    re.IGNORECASE,
)
_OPTION = re.compile(r"[`'\"](?:generation_?config\.)?(temperature|top_?p|seed|stop)[`'\"]", re.IGNORECASE)
_REFUSES = re.compile(
    r"support|unknown|unrecognized|unexpected|deprecated|not permitted|not allowed|extra|cannot both|may only",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Accepts:
    """All true at first. `left_out` are decoding options, `schemas` digests of schemas, that were refused."""

    stream: bool = True
    usage: bool = True  # token counts at the end of a stream
    running_usage: bool = True  # token counts with every piece of a stream
    max_tokens: bool = True  # False: the limit is called `max_completion_tokens`
    schema: bool = True
    schemas: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    def takes(self, schema: dict[str, Any]) -> bool:
        return self.schema and digest(schema) not in self.schemas

    def both(self, other: Accepts) -> Accepts:
        """What neither has been found to refuse."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        theirs = {name: getattr(other, name) for name in mine}
        return Accepts(
            **{
                name: value | theirs[name] if isinstance(value, frozenset) else value and theirs[name]
                for name, value in mine.items()
            }
        )


def without_refused(failure: Failure, *, now: Accepts, schema: dict[str, Any] | None) -> Accepts | None:
    """The next thing to leave out when the failure refuses an option; None when it is about something else."""
    if failure.status_code not in (400, 422):
        return None
    text = failure.message
    if _RUNNING.search(text) and now.running_usage:
        return replace(now, running_usage=False)
    if _USAGE.search(text) and now.usage:
        return replace(now, running_usage=False, usage=now.running_usage)
    if schema is not None and now.takes(schema) and _SCHEMA.search(text):
        return _without_schema(text, now=now, schema=schema)
    if "max_completion_tokens" in text and now.max_tokens:
        return replace(now, max_tokens=False)
    named = {name.lower().replace("topp", "top_p") for name in _OPTION.findall(text)} - now.left_out
    if named and _REFUSES.search(text):
        return replace(
            now, left_out=now.left_out | {max(named)}
        )  # top_p before temperature: one of both is taken
    if _STREAM.search(text) and now.stream:
        return replace(now, stream=False)
    return None


def _without_schema(text: str, *, now: Accepts, schema: dict[str, Any]) -> Accepts:
    """A server that knows no schemas is asked for none again; one that refuses this schema may take others."""
    if re.search(r"invalid schema|schema (is )?(invalid|too)", text, re.IGNORECASE):
        return replace(now, schemas=now.schemas | {digest(schema)})
    return replace(now, schema=False)


def digest(schema: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:16]
