"""Which option a refusal is about, in the words of real servers."""

from __future__ import annotations

from typing import Any

import pytest
from vlmhb_stages.infer.accepts import Accepts, without_refused
from vlmhb_stages.infer.outcomes import Failure

SCHEMA: dict[str, Any] = {"type": "object"}


def refusal(message: str, status: int = 400) -> Failure:
    return Failure(
        kind="server_error", message=f"HTTP {status}: {message}", retryable=False, status_code=status
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Unknown parameter: 'stream_options.continuous_usage_stats'.", Accepts(running_usage=False)),
        (
            "stream_options: continuous_usage_stats: Extra inputs are not permitted",
            Accepts(running_usage=False),
        ),
        ("stream_options is not supported", Accepts(running_usage=False)),
        ("Streaming is off", Accepts(stream=False)),
        ("response_format is not supported by this model", Accepts(schema=False)),
        ("This model does not support structured outputs", Accepts(schema=False)),
        ("output_config.format: Extra inputs are not permitted", Accepts(schema=False)),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            Accepts(max_tokens=False),
        ),
        (
            "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value",
            Accepts(left_out=frozenset({"temperature"})),
        ),
        ("`temperature` is deprecated for this model.", Accepts(left_out=frozenset({"temperature"}))),
        (
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            Accepts(left_out=frozenset({"top_p"})),
        ),
    ],
)
def test_what_a_refusal_is_about(message: str, expected: Accepts) -> None:
    assert without_refused(refusal(message), now=Accepts(), schema=SCHEMA) == expected


@pytest.mark.parametrize(
    "message",
    [
        "bad upstream request",
        "'temperature' must be at most 2",
        "messages: at least one message is required",
        "Could not process image",
        "",
    ],
)
def test_other_refusals_change_nothing(message: str) -> None:
    assert without_refused(refusal(message), now=Accepts(), schema=SCHEMA) is None


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_other_statuses_change_nothing(status: int) -> None:
    assert (
        without_refused(refusal("stream_options is not supported", status), now=Accepts(), schema=None)
        is None
    )


def test_steps_end() -> None:
    """A server that always says the same is not asked for ever."""
    for message in ("stream_options", "response_format stream", "'temperature' 'seed' unsupported"):
        now: Accepts | None = Accepts()
        for _ in range(10):
            assert now is not None
            now = without_refused(refusal(message), now=now, schema=SCHEMA)
            if now is None:
                break
        assert now is None


def test_a_schema_that_is_refused_costs_the_others_nothing() -> None:
    message = "Invalid schema for response_format 'answer': 'additionalProperties' is required"
    found = without_refused(refusal(message), now=Accepts(), schema=SCHEMA)
    assert found is not None
    assert not found.takes(SCHEMA)
    assert found.takes({"type": "array"})


def test_two_requests_learn_from_one_server() -> None:
    one, other = Accepts(stream=False, left_out=frozenset({"seed"})), Accepts(schema=False)
    assert one.both(other) == Accepts(stream=False, schema=False, left_out=frozenset({"seed"}))
