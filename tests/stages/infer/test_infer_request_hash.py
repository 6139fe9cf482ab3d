"""The request hash changes with what could change the answer, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from vlmhb_stages.contracts import ImageRef, Message, Sample, SampleError
from vlmhb_stages.infer.request_hash import request_hash
from vlmhb_stages.specs import Decoding

IMAGE = ImageRef(path="a.png", sha256="aa", width=1, height=1)
OTHER = ImageRef(path="b.png", sha256="bb", width=1, height=1)
SAMPLE = Sample(
    sample_id="s0",
    messages=(Message(role="system", content="s"), Message(role="user", content="Ё?")),
    images=(IMAGE, OTHER),
)


def digest(sample: Sample = SAMPLE, *, model_identity: str = "m", **decoding: Any) -> str:
    return request_hash(sample, decoding=Decoding(**decoding), model_identity=model_identity)


def test_its_value_is_stable() -> None:
    """A new value means that every record made before is asked again: raise the version on purpose only."""
    assert digest() == "1dde6e505ecea49111d1088369b07a345d9e9a7ccc09eaafa631191cfa1777d4"


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message(role="user", content="Ё?"),)},
        {"messages": (Message(role="system", content="s"), Message(role="user", content="Е?"))},
        {"messages": (Message(role="user", content="s"), Message(role="user", content="Ё?"))},
        {"images": (OTHER, IMAGE)},
        {"images": (IMAGE,)},
        {"choices": ("a", "b")},
        {"choices": ("b", "a")},
        {"response_schema": {"type": "object"}},
    ],
)
def test_what_the_model_sees_changes_it(change: dict[str, Any]) -> None:
    assert digest(SAMPLE.model_copy(update=change)) != digest()


@pytest.mark.parametrize(
    "decoding", [{"temperature": 0.1}, {"max_tokens": 9}, {"seed": 0}, {"top_p": 0.5}, {"stop": ("x",)}]
)
def test_decoding_changes_it(decoding: dict[str, Any]) -> None:
    assert digest(**decoding) != digest()


def test_the_model_changes_it() -> None:
    assert digest(model_identity="n") != digest()


@pytest.mark.parametrize(
    "change",
    [
        {"sample_id": "s1"},
        {"metadata": {"doc_class": "invoice"}},
        {"images": (IMAGE.model_copy(update={"path": "moved/a.png"}), OTHER)},
        {"error": SampleError(kind="bad_image", message="m")},
    ],
)
def test_what_the_model_does_not_see_does_not_change_it(change: dict[str, Any]) -> None:
    assert digest(SAMPLE.model_copy(update=change)) == digest()


def test_equal_numbers_are_equal() -> None:
    assert digest(temperature=0) == digest(temperature=0.0)
