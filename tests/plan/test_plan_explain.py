"""Reasons are one line that a person can read, whatever the fields hold."""

from __future__ import annotations

from vlmhb.plan.explain import changed_fields


def test_objects_in_lists_are_compared_field_by_field() -> None:
    old = {"metrics": [{"name": "words", "sha256": "a" * 64}], "none": []}
    new = {"metrics": [{"sha256": "b" * 64, "name": "words"}], "none": []}
    assert changed_fields(old, new) == ["metrics.0.sha256 aaaaaa→bbbbbb"]


def test_a_text_of_several_lines_is_told_on_one() -> None:
    assert changed_fields({"prompt": None}, {"prompt": "Read it.\nBe brief."}) == [
        "prompt not set→Read it. Be brief."
    ]
