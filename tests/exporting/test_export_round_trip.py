"""V5: what is exported and imported again is the same, byte for byte, and a failure stays a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_case import AWKWARD, evaluated, imported, one_file
from vlmhb.exporting import export

# What each format can say of the states of `export_case.STATES`.
EVERYTHING = {
    "truncated": "truncated",
    "error": "error",
    "refused": "refused",
    "context_overflow": "context_overflow",
    "skipped_budget": "skipped_budget",
}
ERRORS = dict.fromkeys(EVERYTHING, "error")
FORMATS = [
    ("jsonl", ".jsonl", EVERYTHING),
    ("csv", ".csv", EVERYTHING),
    ("inspect", ".eval", {**EVERYTHING, "skipped_budget": "error"}),
    ("lmms-eval", ".jsonl", {**ERRORS, "truncated": "ok", "skipped_budget": "skipped_budget"}),
    ("vlmevalkit", ".tsv", {**ERRORS, "truncated": "ok"}),
    ("upstream", "101112.csv", {"truncated": "ok"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "suffix", "states"), FORMATS)
def test_texts_and_states(tmp_path: Path, name: str, suffix: str, states: dict[str, str]) -> None:
    one = evaluated(references=True)
    made = export(name, [one], references=True)
    found = imported(one_file(made, suffix=suffix), tmp_path, like=one)
    assert [found[f"s{number}"].text for number in range(len(AWKWARD))] == list(AWKWARD)
    assert {name: found[name].status for name in EVERYTHING if name in found} == states
    assert found["truncated"].text == "so fa"


@pytest.mark.parametrize("name", ["jsonl", "csv", "inspect", "lmms-eval"])
def test_tokens(tmp_path: Path, name: str) -> None:
    one = evaluated(references=False)
    made = export(name, [one], references=False)
    found = imported(
        one_file(made, suffix={"inspect": ".eval", "csv": ".csv"}.get(name, ".jsonl")), tmp_path, like=one
    )
    assert (found["s0"].input_tokens, found["s0"].output_tokens) == (7, 3)


def test_why_a_sample_failed(tmp_path: Path) -> None:
    one = evaluated(references=False)
    for name, suffix in (("jsonl", ".jsonl"), ("csv", ".csv"), ("inspect", ".eval"), ("lmms-eval", ".jsonl")):
        made = export(name, [one], references=False)
        error = imported(one_file(made, suffix=suffix), tmp_path / name, like=one)["error"].error
        assert error is not None and "why error" in error.message
