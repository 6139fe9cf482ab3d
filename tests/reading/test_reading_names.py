"""What error messages say of names and values."""

import pytest
from vlmhb.reading.names import name_hint, nearest, shown


def test_nearest_ignores_case_and_puts_the_best_first() -> None:
    known = ["Qwen2-VL-2B-Instruct", "Qwen2.5-VL-3B-Instruct", "RapidOCR"]
    assert nearest("qwen2.5-vl-3b", known)[0] == "Qwen2.5-VL-3B-Instruct"
    assert nearest("rapidocr", known) == ("RapidOCR",)


def test_hint_lists_few_names_when_none_is_near() -> None:
    assert name_hint("xyz", ["beta", "alpha"]) == "known: alpha, beta"
    assert name_hint("xyz", [f"name-{number}" for number in range(50)]) == ""
    assert name_hint("alpa", ["alpha", "beta"]) == "did you mean 'alpha'?"


@pytest.mark.parametrize("secret", ["sk-abc123", "hf_abcdef", "ghp_0123", "Bearer abc", "x sk-12"])
def test_a_value_that_looks_like_a_key_is_never_shown(secret: str) -> None:
    assert shown(secret) == "<hidden>"


def test_shown_is_one_short_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 1000)) < 100
