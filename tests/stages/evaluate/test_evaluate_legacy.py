"""The legacy CSVs under the default profile: upstream's shape, our numbers, joined by id."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluate_case import UPSTREAM, Item, answered, evaluate, evaluate_upstream, failed

STEM = "demo_mini_Hugging_Face_Qwen2.5-VL-3B-Instruct_VQA_answers_20250601_052520"


def test_file_names_and_shape(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils", legacy_stem=STEM)
    names = sorted(path.name for path in (result.out / "legacy").iterdir())
    assert names == sorted(
        [
            f"{STEM}.csv",
            *(f"{STEM}_{name}.csv" for name in ("by_id", "by_doc_question", "by_doc_type", "general")),
        ]
    )
    for path in (result.out / "legacy").iterdir():
        data = path.read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in data


def test_answers_file_is_upstreams(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "demo")
    assert (result.out / "legacy" / "answers.csv").read_bytes() == (
        UPSTREAM / "demo" / "answers.csv"
    ).read_bytes()


def test_t3_right_bleu_and_the_same_error_rates(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils")
    assert result.legacy("general") == [
        {
            "wer_error": "1.5714285714285714",
            "cer_error": "1.9230769230769231",
            "bleu_score": "22.302615990047375",
        }
    ]
    assert [row["question_type"] for row in result.legacy("by_doc_question")] == [
        "Город",
        "Дата регистрации",
        "Дата рождения",
        "Имя",
        "Номер снилса",
        "Область",
        "Отчество",
        "Пол",
        "Фамилия",
    ]


@pytest.mark.parametrize("name", ["snils", "demo"])
@pytest.mark.parametrize("aggregator", ["by_id", "by_doc_question", "by_doc_type", "general"])
def test_all_but_bleu_is_upstreams(name: str, aggregator: str, tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, name)
    found = (result.out / "legacy" / f"answers_{aggregator}.csv").read_text(encoding="utf-8").splitlines()
    expected = (UPSTREAM / name / f"expected_{aggregator}.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(";")[0] for line in found] == [line.rpartition(";")[0] for line in expected]
    assert found[0] == expected[0]


@pytest.mark.parametrize("metrics", [("CER",), ("cer",)])
def test_only_requested_metrics(metrics: tuple[str, ...], tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils", metrics=metrics)
    assert list(result.legacy("by_id")[0])[-1] == "cer_error"
    assert list(result.legacy("by_doc_type")[0]) == ["doc_class", "cer_error"]
    assert list(result.legacy("general")[0]) == ["cer_error"]


def test_columns_are_in_upstreams_order(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils", metrics=("bleu", "cer", "wer"))
    assert list(result.legacy("general")[0]) == ["wer_error", "cer_error", "bleu_score"]
    assert list(result.legacy("by_doc_type")[0]) == ["doc_class", "wer_error", "cer_error", "bleu_error"]


def test_metrics_that_upstream_does_not_know_make_an_empty_general(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils", metrics=("anls",))
    legacy = result.out / "legacy"
    assert (legacy / "answers_general.csv").read_bytes() == b"\xef\xbb\xbf\n"
    assert (legacy / "answers_by_doc_type.csv").read_bytes() == b"\xef\xbb\xbfdoc_class\nsnils\n"


def test_only_requested_aggregators(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "snils", aggregators=("overall", "by_month"))
    names = sorted(path.name for path in (result.out / "legacy").iterdir())
    assert names == ["answers.csv", "answers_general.csv"]
    assert any("by_month" in warning for warning in result.metrics.warnings)


def test_t8_order_does_not_matter(tmp_path: Path) -> None:
    straight = evaluate_upstream(tmp_path / "a", "demo")
    shuffled = evaluate_upstream(tmp_path / "b", "demo_shuffled")
    for path in (straight.out / "legacy").iterdir():
        assert path.read_bytes() == (shuffled.out / "legacy" / path.name).read_bytes()
    assert (straight.out / "scores.jsonl").read_bytes() == (shuffled.out / "scores.jsonl").read_bytes()
    assert (straight.out / "metrics.json").read_bytes() == (shuffled.out / "metrics.json").read_bytes()


def test_unanswered_samples_have_no_row(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "demo", drop=("1", "2", "3"))
    assert len(result.legacy("")) == len(result.legacy("by_id")) == 19
    assert float(result.legacy("general")[0]["cer_error"]) == result.value_answered("cer")


def test_empty_group_keys_are_dropped_from_groups_only(tmp_path: Path) -> None:
    items = [
        Item(sample_id="0", references=("a",), prediction=answered("0", "a"), metadata={"doc_class": "x"}),
        Item(sample_id="1", references=("b",), prediction=answered("1", "a"), metadata={"doc_class": ""}),
    ]
    result = evaluate(tmp_path, items, metrics=("cer",))
    assert result.legacy("by_doc_type") == [{"doc_class": "x", "cer_error": "0.0"}]
    assert result.legacy("by_doc_question") == []
    assert result.legacy("general") == [{"cer_error": "0.5"}]


def test_other_benchmarks_have_sample_id_reference_and_metadata(tmp_path: Path) -> None:
    items = [
        Item(sample_id="p-1", references=("a",), prediction=answered("p-1", "a"), metadata={"lang": "ru"}),
        Item(sample_id="p-2", references=("b", "ё"), prediction=answered("p-2", "b"), metadata={"page": "2"}),
        Item(sample_id="p-3", references=("c",), prediction=failed("p-3")),
    ]
    result = evaluate(tmp_path, items, metrics=("cer",))
    assert result.legacy("by_id") == [
        {"id": "p-1", "model_answer": "a", "answer": "a", "lang": "ru", "page": "", "cer_error": "0.0"},
        {
            "id": "p-2",
            "model_answer": "b",
            "answer": '["b", "ё"]',
            "lang": "",
            "page": "2",
            "cer_error": "0.0",
        },
    ]


def test_undefined_values_are_empty_cells(tmp_path: Path) -> None:
    items = [Item(sample_id="0", references=("",), prediction=answered("0", "x"))]
    result = evaluate(tmp_path, items, metrics=("cer",))
    assert result.legacy("by_id")[0]["cer_error"] == ""
    assert result.legacy("general")[0]["cer_error"] == ""


def test_annotation_of_another_dataset_is_refused(tmp_path: Path) -> None:
    items = [Item(sample_id="99", references=("a",), prediction=answered("99", "a"))]
    result = evaluate(tmp_path, items, annotation=str(UPSTREAM / "snils" / "annotation.csv"))
    assert result.code == 2
    assert "sample '99' is no row of the annotation file" in result.fatal["message"]
