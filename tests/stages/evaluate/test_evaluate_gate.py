"""A gate of structure: invalid answers are missing under all other metrics, and both values are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluate_case import Item, Result, answered, evaluate, failed
from vlmhb_stages.parts import read_index, read_parts

GOLD = '{"name": "Ann"}'


def run(root: Path, **spec: object) -> Result:
    """Valid and right; no JSON, though near to the text; no answer."""
    items = [
        Item(sample_id="a", references=(GOLD,), prediction=answered("a", GOLD)),
        Item(sample_id="b", references=(GOLD,), prediction=answered("b", '{"name": "Ann"')),
        Item(sample_id="c", references=(GOLD,), prediction=failed("c")),
    ]
    return evaluate(root, items, **{"metrics": ("edit_similarity",), "gate": "json_valid", **spec})


def test_invalid_structure_is_missing_and_both_values_are_shown(tmp_path: Path) -> None:
    result = run(tmp_path)
    plain = run(tmp_path / "plain", gate=None).metric("edit_similarity")
    found = result.metric("edit_similarity")
    assert found.value == pytest.approx(1 / 3)
    assert found.value_answered == pytest.approx(1 / 2)
    assert found.ungated == plain.value and plain.value is not None and plain.value > 0.6
    assert plain.ungated is None
    assert found.averages["sample_mean"] == pytest.approx(1 / 3)


def test_the_gate_is_evaluated_though_nobody_listed_it(tmp_path: Path) -> None:
    gate = run(tmp_path).metric("json_valid")
    assert (gate.value, gate.value_answered, gate.ungated) == (pytest.approx(1 / 3), 0.5, None)


def test_samples_and_warning_tell_it(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert [score.gated for score in result.scores] == [False, True, None]
    assert result.sample("json_valid") == [1.0, 0.0, None]
    assert (result.sample("edit_similarity")[1] or 0) > 0.9  # the text's, kept beside `gated`
    [line] = [line for line in result.metrics.warnings if "below 1 under json_valid" in line]
    assert line.endswith(": 1 (b)")


def test_without_a_gate_nothing_says_gated(tmp_path: Path) -> None:
    assert {score.gated for score in run(tmp_path, gate=None).scores} == {None}


def test_parts_count_as_the_value_does(tmp_path: Path) -> None:
    result = run(tmp_path)
    index = read_index(result.out)
    assert index is not None
    assert read_parts(result.out, index.metrics["edit_similarity"])[:, 0].tolist() == [1.0, 0.0, 0.0]


def test_legacy_files_know_no_gate(tmp_path: Path) -> None:
    gated, plain = run(tmp_path / "a", metrics=("cer",)), run(tmp_path / "b", metrics=("cer",), gate=None)
    for name in ("by_id", "general"):
        assert gated.legacy(name) == plain.legacy(name)


def test_fields_of_a_gated_answer_are_missing(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["total"]}
    item = Item(sample_id="a", references=(GOLD,), prediction=answered("a", GOLD), response_schema=schema)
    result = evaluate(tmp_path, [item], metrics=("kie_f1",), gate="structural_fidelity")
    assert result.slice("field", "name")["kie_f1"].value == 0.0
    assert (result.value("kie_f1"), result.metric("kie_f1").ungated) == (0.0, 1.0)


def test_where_the_gate_is_undefined_it_is_open(tmp_path: Path) -> None:
    item = Item(sample_id="a", references=(GOLD,), prediction=answered("a", GOLD))
    result = evaluate(tmp_path, [item], metrics=("kie_f1",), gate="structural_fidelity")
    if result.value("structural_fidelity") is None:
        assert result.scores[0].gated is False
    assert result.value("kie_f1") == 1.0


def test_an_unknown_gate_is_one_line(tmp_path: Path) -> None:
    assert "unknown metric 'jsn_valid'" in run(tmp_path, gate="jsn_valid").fatal["message"]
