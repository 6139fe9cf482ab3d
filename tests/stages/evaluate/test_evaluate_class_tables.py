"""The prototype's CSVs: class results, confusion matrix, class report and page orders, by subset."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from evaluate_case import Item, answered, evaluate, failed
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score
from vlmhb_stages.evaluate import classes

CLASSES = ("Счёт-фактура", "Паспорт", "Акт, прочее")
ROWS = [  # right class, answer, subset
    (0, "0", "clean"),
    (0, "1", "clean"),
    (1, "1", "clean"),
    (1, "паспорт", "clean"),
    (2, "nothing", "clean"),
    (2, "2", "blur/noise"),
    (0, "0", "blur/noise"),
    (1, None, "blur/noise"),
]


def class_items() -> list[Item]:
    return [
        Item(
            sample_id=f"s{number}",
            references=(CLASSES[right],),
            prediction=failed(f"s{number}") if text is None else answered(f"s{number}", text),
            metadata={"subset": subset},
            choices=CLASSES,
        )
        for number, (right, text, subset) in enumerate(ROWS)
    ]


def table(root: Path, name: str) -> list[list[str]]:
    path = root / "out" / "legacy" / f"run_{name}.csv"
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf") and b"\r" not in raw
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def labels(subset: str | None = None) -> tuple[list[str], list[str]]:
    names = {"0": CLASSES[0], "1": CLASSES[1], "2": CLASSES[2], "паспорт": CLASSES[1]}
    chosen = [(right, text) for right, text, where in ROWS if subset in (None, where)]
    return [CLASSES[right] for right, _ in chosen], [names.get(text or "", "None") for _, text in chosen]


def test_class_files_equal_scikit_learn(tmp_path: Path) -> None:
    result = evaluate(
        tmp_path, class_items(), metrics=("class_accuracy", "class_f1_weighted"), legacy_stem="run"
    )
    assert result.code == 0
    right, given = labels("clean")
    order = [*CLASSES, "None"]
    header, values = table(tmp_path, "clean_classification_results")
    assert header == ["accuracy", "f1", "precision", "recall"]
    assert float(values[0]) == pytest.approx(accuracy_score(right, given))
    assert float(values[1]) == pytest.approx(f1_score(right, given, average="weighted", zero_division=0))
    matrix = table(tmp_path, "clean_confusion_matrix")
    assert matrix[0] == ["", *order]
    assert [row[0] for row in matrix[1:]] == order
    expected = confusion_matrix(right, given, labels=order).tolist()
    assert [[int(cell) for cell in row[1:]] for row in matrix[1:]] == expected


@pytest.mark.parametrize(
    ("file", "subset"), [("clean", "clean"), ("blur_noise", "blur/noise"), ("overall", None)]
)
def test_class_report_equals_scikit_learn(tmp_path: Path, file: str, subset: str | None) -> None:
    evaluate(tmp_path, class_items(), metrics=("class_f1_macro",), legacy_stem="run")
    right, given = labels(subset)
    order = [*CLASSES, "None"]
    report = classification_report(right, given, labels=order, output_dict=True, zero_division=0)
    header, *rows = table(tmp_path, f"{file}_class_report")
    assert header == ["", "precision", "recall", "f1-score", "support"]
    assert [row[0] for row in rows] == [*order, "accuracy", "macro avg", "weighted avg"]
    for name, *cells in rows:
        found = report[name]
        wanted = [found] * 4 if isinstance(found, float) else list(found.values())
        assert [float(cell) for cell in cells] == [round(float(value), 4) for value in wanted]


def test_final_results_have_a_row_a_subset(tmp_path: Path) -> None:
    evaluate(tmp_path, class_items(), metrics=("class_accuracy",), legacy_stem="run")
    rows = table(tmp_path, "final_classification_results")
    assert rows[1] == table(tmp_path, "clean_classification_results")[1]
    assert rows[2] == table(tmp_path, "blur_noise_classification_results")[1]
    assert len(rows) == 3


def test_without_wrong_classes_there_is_no_column_none(tmp_path: Path) -> None:
    items = [Item(sample_id="a", references=("x",), prediction=answered("a", "x"))]
    evaluate(tmp_path, items, metrics=("class_accuracy",), legacy_stem="run")
    assert table(tmp_path, "all_confusion_matrix") == [["", "x"], ["x", "1"]]


def test_babble_crowds_out_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MAX_ANSWERS", 1)
    replies = ["babble", "prattle", "x", "y"]
    items = [
        Item(sample_id=text, references=("x",), prediction=answered(text, text), choices=("x", "y"))
        for text in replies
    ]
    evaluate(tmp_path, items, metrics=("class_accuracy",), legacy_stem="run")
    assert table(tmp_path, "all_confusion_matrix")[:2] == [["", "x", "y", "None"], ["x", "1", "1", "2"]]


def test_page_orders(tmp_path: Path) -> None:
    replies = {"a": "[2, 1, 3]", "b": "[1, 2, 3]", "c": "I cannot", "d": "[1, 2]"}
    items = [
        Item(sample_id=key, references=("[1, 2, 3]",), prediction=answered(key, text))
        for key, text in replies.items()
    ]
    result = evaluate(tmp_path, items, metrics=("kendall_tau",), legacy_stem="run")
    assert table(tmp_path, "all_page_sorting_results") == [
        ["kendall_tau", "accuracy", "spearman_rho"],
        [
            str(round((0.3333 + 1 + 0) / 3, 4)),
            str(round((0.3333 + 1 + 0) / 3, 4)),
            str(round((0.5 + 1 + 0) / 3, 4)),
        ],
    ]
    assert table(tmp_path, "final_page_sorting_results") == table(tmp_path, "all_page_sorting_results")
    assert result.value("kendall_tau") == pytest.approx((1 / 3 + 1 + 0 + 1 / 3) / 4)  # unread replies count


def test_nothing_is_written_for_other_metrics(tmp_path: Path) -> None:
    evaluate(tmp_path, class_items(), metrics=("cer",), legacy_stem="run")
    names = {path.name for path in (tmp_path / "out" / "legacy").iterdir()}
    assert not any("class" in name or "sorting" in name for name in names)


def test_too_many_classes_are_one_line(tmp_path: Path) -> None:
    items = [
        Item(sample_id=f"s{number}", references=(f"text {number}",), prediction=answered(f"s{number}", "x"))
        for number in range(502)
    ]
    result = evaluate(tmp_path, items, metrics=("class_f1_macro",))
    assert result.code == 2
    assert "class_f1_macro: more than 500 different references" in result.fatal["message"]
    assert "exact_match" in result.fatal["hint"]
