"""Which images of a sample stand in which message, and that older samples and records mean what they did."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from vlmhb_stages.contracts import ImageRef, Message, Prediction, Sample
from vlmhb_stages.infer.request_hash import request_hash
from vlmhb_stages.specs import Decoding

IMAGES = tuple(ImageRef(path=f"{name}.png", sha256=name * 64, width=1, height=1) for name in "abc")


def sample(*counts: int | None, images: tuple[ImageRef, ...] = IMAGES) -> Sample:
    """System, then user and assistant in turn."""
    roles = ["system", *(["user", "assistant"] * len(counts))]
    messages = [
        Message.model_validate({"role": role, "content": str(number), "images": count})
        for number, (role, count) in enumerate(zip(roles, (None, *counts), strict=False))
    ]
    return Sample(sample_id="s", messages=tuple(messages), images=images)


def names(groups: tuple[tuple[ImageRef, ...], ...]) -> list[str]:
    return ["".join(image.path[0] for image in group) for group in groups]


def test_where_nobody_says_it_the_first_question_has_them_all() -> None:
    found = sample(None, None, None)
    assert names(found.images_by_message) == ["", "abc", "", ""]
    assert found.own_images == IMAGES


def test_each_message_has_its_own() -> None:
    found = sample(2, None, 1)
    assert names(found.images_by_message) == ["", "ab", "", "c"]
    assert names((found.own_images,)) == ["c"]


def test_a_question_without_images_behind_one_with_some() -> None:
    found = sample(3, None, 0)
    assert found.own_images == ()


def test_no_image_is_lost_or_made_up() -> None:
    for counts in ((1, None, 1), (2, None, 2)):
        with pytest.raises(ValidationError, match="the sample has 3"):
            sample(*counts)


def test_the_identity_of_a_request_is_as_ever() -> None:
    """Recorded answers of earlier versions stay valid: what no message says does not enter, nor does the version."""

    def identity(one: Sample) -> str:
        return request_hash(one, decoding=Decoding(), model_identity="m")

    plain = sample(None)
    assert identity(plain) == identity(plain.model_copy(update={"prompt_sha256": "v"}))
    assert identity(plain) == "bab30114f620362765064246a6ef861f8908ea684cfe3332756eeb0c9229cdee"
    assert identity(sample(3)) != identity(plain)


def test_a_record_of_an_earlier_version_has_no_version_of_its_prompt() -> None:
    record = Prediction.model_validate_json('{"sample_id":"s","request_hash":"h","status":"ok","text":"t"}')
    assert record.prompt_sha256 is None
