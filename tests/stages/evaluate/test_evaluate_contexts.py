"""What metrics and extraction rules are told of a sample, and the metrics that see all references or single fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluate_case import Item, answered, evaluate, failed, run_stage
from vlmhb_stages.contracts import Label

GOLD = {"name": "Ann", "total": "7"}


def test_a_metric_sees_the_context_of_its_sample(tmp_path: Path) -> None:
    items = [
        Item(
            sample_id="a",
            references=("Which? [red,green] type doc_class=form",),
            prediction=answered("a", "x"),
            metadata={"doc_class": "form"},
            choices=("red", "green"),
            response_schema={"type": "object"},
            question="Which?",
        ),
        Item(sample_id="b", references=("Read. []",), prediction=answered("b", "x")),
    ]
    assert evaluate(tmp_path, items, metrics=("evaluate_metrics:ASKED",)).sample("asked") == [1.0, 1.0]


def test_label_metadata_are_in_the_context_and_win(tmp_path: Path) -> None:
    """A derived `category` is not that of the file, which the model's side may see."""
    item = Item(
        sample_id="a",
        references=("Read. []  a=label,b=label,c=sample",),
        prediction=answered("a", "x"),
        metadata={"a": "sample", "c": "sample"},
    )
    evaluate(tmp_path, [item], metrics=())
    label = Label(sample_id="a", references=item.references, metadata={"a": "label", "b": "label"})
    (tmp_path / "in/labels/labels.jsonl").write_text(label.model_dump_json() + "\n")
    assert run_stage(tmp_path, metrics=("evaluate_metrics:ASKED",)).sample("asked") == [1.0]


def test_an_extraction_rule_sees_the_choices(tmp_path: Path) -> None:
    item = Item(
        sample_id="a",
        references=("B",),
        prediction=answered("a", "It is clearly green."),
        choices=("red", "green"),
    )
    result = evaluate(tmp_path, [item], metrics=("exact_match",), extraction="choice_letter")
    assert result.scores[0].extracted == "B"


def test_a_fitted_metric_has_seen_all_references(tmp_path: Path) -> None:
    """Those of samples without an answer, too."""
    items = [
        Item(sample_id="a", references=("x",), prediction=answered("a", "x")),
        Item(sample_id="b", references=("y",), prediction=answered("b", "y")),
        Item(sample_id="c", references=("y",), prediction=failed("c")),
    ]
    assert evaluate(tmp_path, items, metrics=("evaluate_metrics:RARE",)).sample("rare") == [1.0, 0.0, None]


def kie(name: str, answer: object, *, doc_class: str = "bill", gold: dict[str, str] = GOLD) -> Item:
    return Item(
        sample_id=name,
        references=(json.dumps(gold),),
        prediction=failed(name) if answer is None else answered(name, json.dumps(answer)),
        metadata={"doc_class": doc_class},
    )


def test_fields_are_slices_of_their_own(tmp_path: Path) -> None:
    items = [
        kie("a", GOLD),
        kie("b", {"name": "Bob", "total": "7"}),
        kie("c", None),
        kie("d", {"name": "Ann"}, doc_class="form", gold={"name": "Ann"}),
    ]
    result = evaluate(tmp_path, items, metrics=("kie_f1", "cer"), slices=("doc_class",))
    found = [(one.key, one.value) for one in result.metrics.slices]
    assert found == [
        ("doc_class", "bill"),
        ("doc_class", "form"),
        ("field", "name"),
        ("field", "total"),
        ("doc_class/field", "bill/name"),
        ("doc_class/field", "bill/total"),
        ("doc_class/field", "form/name"),
    ]
    name, total = result.slice("field", "name"), result.slice("field", "total")
    assert list(name) == ["kie_f1"]
    # 2 right, 1 wrong (counts as wrong and missed), 1 missed: 2·2 / (2·2 + 1 + 2)
    assert name["kie_f1"].value == pytest.approx(4 / 7)
    assert name["kie_f1"].value_answered == pytest.approx(4 / 6)
    assert (name["kie_f1"].n, name["kie_f1"].n_error) == (4, 1)
    assert total["kie_f1"].value == pytest.approx(4 / 5)
    assert (total["kie_f1"].n, total["kie_f1"].n_error) == (3, 1)
    assert result.slice("doc_class/field", "form/name")["kie_f1"].value == 1.0


def test_fields_have_intervals(tmp_path: Path) -> None:
    items = [kie(str(n), {"name": "Ann" if n % 3 else "Bob", "total": "7"}) for n in range(60)]
    found = evaluate(tmp_path, items, metrics=("kie_f1",)).slice("field", "name")["kie_f1"]
    assert found.value is not None and found.ci_low is not None and found.ci_high is not None
    assert found.ci_low < found.value < found.ci_high


def test_one_document_type_has_no_slices_by_type_and_field(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [kie("a", GOLD)], metrics=("kie_f1",))
    assert "doc_class/field" not in {one.key for one in result.metrics.slices}


def test_invented_fields_are_told_and_stay_in_the_whole(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [kie("a", {**GOLD, "colour": "red"})], metrics=("kie_f1",))
    assert [one.value for one in result.metrics.slices if one.key == "field"] == ["name", "total"]
    assert result.value("kie_f1") == pytest.approx(4 / 5)
    assert result.metrics.warnings == ("fields that no label has, in the whole's value only: 1 (colour)",)


def test_only_so_many_fields_are_told(tmp_path: Path) -> None:
    wide = {f"f{n:03d}": "x" for n in range(250)}
    items = [kie("a", wide, gold=wide), kie("b", {"f249": "x"}, gold={"f249": "x"})]
    result = evaluate(tmp_path, items, metrics=("kie_f1",))
    fields = [one.value for one in result.metrics.slices if one.key == "field"]
    assert len(fields) == 200 and fields == sorted(fields) and "f249" in fields
    assert result.metrics.warnings == ("250 fields, only the 200 most frequent are told one by one",)


def test_only_so_many_fields_of_document_types_are_told(tmp_path: Path) -> None:
    wide = {f"f{n:03d}": "x" for n in range(150)}
    items = [kie(kind, wide, gold=wide, doc_class=kind) for kind in ("bill", "form")]
    result = evaluate(tmp_path, items, metrics=("kie_f1",), slices=("doc_class",))
    keys = [one.key for one in result.metrics.slices]
    assert [keys.count(key) for key in ("doc_class", "field", "doc_class/field")] == [2, 150, 250]
    assert "450 slices by field, only the first 400 are evaluated" in result.metrics.warnings
