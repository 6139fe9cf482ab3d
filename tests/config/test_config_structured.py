"""JSON and YAML run configs, and the prototype's BenchmarkRunConfig.json."""

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb.config import ConfigResult, read_run_config


def read(tmp_path: Path, text: str, *, name: str = "u.yaml") -> ConfigResult:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_run_config(path)


def lines_of(result: ConfigResult, *, tmp_path: Path) -> list[str]:
    return [error.line().replace(f"{tmp_path}/", "") for error in result.errors]


def rows_of(result: ConfigResult) -> list[dict[str, Any]]:
    assert result.config is not None
    return [row.model_dump(exclude_defaults=True, exclude={"place"}) for row in result.config.rows]


YAML = """\
# two rows and a matrix
engine: docker
scheduler: local
defaults:
  metrics: [CER, wer]
  limit: 10
  filter_doc_class: 0044
  only_evaluate_metrics: no
evaluations:
  - {dataset: d1, model: m1, limit: 3}
  - dataset: d2
    model_name: m2
    metrics: BLEU
    prompt: |
      Read it.
      All of it.
    limit: null
matrix:
  model_name: [a, b]
  dataset: [x, y]
  temperature: 0.5
  tags: [one, two]
"""


def test_yaml_defaults_evaluations_and_matrix(tmp_path: Path) -> None:
    result = read(tmp_path, YAML)
    assert result.errors == ()
    assert result.config is not None
    assert (result.config.engine, result.config.scheduler) == ("docker", "local")
    one, two, *cells = rows_of(result)
    common = {"filter_doc_class": "0044", "metrics": ("CER", "wer")}
    assert one == {**common, "dataset": "d1", "model_name": "m1", "limit": 3}
    assert two["metrics"] == ("BLEU",) and two["prompt"] == "Read it.\nAll of it.\n" and "limit" not in two
    more = {**common, "limit": 10, "temperature": 0.5, "tags": ("one", "two")}
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert cells == [{**more, "model_name": model, "dataset": dataset} for model, dataset in pairs]
    places = [str(row.place).removeprefix(f"{tmp_path}/") for row in result.config.rows]
    assert places[:3] == [
        "u.yaml evaluations[0], row 10",
        "u.yaml evaluations[1], row 11",
        "u.yaml matrix, row 19",
    ]


def test_the_same_file_as_json_gives_the_same_rows(tmp_path: Path) -> None:
    data = {
        "engine": "docker",
        "scheduler": "local",
        "defaults": {"metrics": ["CER", "wer"], "limit": 10, "filter_doc_class": "0044"},
        "evaluations": [
            {"dataset": "d1", "model": "m1", "limit": 3, "only_evaluate_metrics": False},
            {
                "dataset": "d2",
                "model_name": "m2",
                "metrics": "BLEU",
                "prompt": "Read it.\nAll of it.\n",
                "limit": None,
            },
        ],
        "matrix": {
            "model_name": ["a", "b"],
            "dataset": ["x", "y"],
            "temperature": 0.5,
            "tags": ["one", "two"],
        },
        "prices": None,
        "$schema": "run_config.schema.json",
    }
    for indent in (None, 2):
        result = read(tmp_path, json.dumps(data, indent=indent), name="u.json")
        assert result.errors == ()
        assert rows_of(result) == rows_of(read(tmp_path, YAML))


def test_list_columns_in_a_matrix(tmp_path: Path) -> None:
    text = "matrix: {dataset: d, model_name: m, metrics: [[CER], [CER, WER], BLEU]}\n"
    assert [row["metrics"] for row in rows_of(read(tmp_path, text))] == [("CER",), ("CER", "WER"), ("BLEU",)]


def test_every_mistake_is_told_once_with_its_line_and_good_rows_stay(tmp_path: Path) -> None:
    text = """\
defaults:
  temperature: warm
engin: docker
scheduler: slurm
evaluations:
  - {dataset: d, model_name: m, temperature: 1}
  - {dataset: d, model_name: m, temperature: 1, limt: 5}
  - {dataset: d, temperature: 1}
  - {dataset: d, model_name: m, temperature: 1, limit: [1, 2]}
  - {dataset: d, model_name: m, temperature: 1, metrics: {a: 1}}
  - {dataset: d, model_name: m}
  - {dataset: d, model_name: m}
  - {dataset: d, model: m, model_name: m}
  - just text
  - {dataset: d, model_name: m, temperature: 1, api_key: sk-canary}
matrix:
  dataset: []
  model_name: m
"""
    result = read(tmp_path, text)
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB103: unknown key 'engin', in u.yaml, row 3; hint: did you mean 'engine'?",
        "VHB103: unknown column 'limt', in u.yaml evaluations[1], row 7; hint: did you mean 'limit'?",
        "VHB104: limit takes one value, in u.yaml evaluations[3], row 9, column limit",
        "VHB106: metrics is not a list of names, in u.yaml evaluations[4], row 10, column metrics; "
        "hint: write [CER, WER]",
        "VHB104: 'model_name' and another key mean the same column model_name, in u.yaml evaluations[7], "
        "row 13, column model_name",
        "VHB104: not a mapping of columns, in u.yaml evaluations[8], row 14",
        "VHB106: an empty list gives no evaluation, in u.yaml matrix, row 17, column dataset",
        "VHB105: model_name is empty, in u.yaml evaluations[2], row 8",
        "VHB104: 'warm' is not a number, in u.yaml defaults, row 2, column temperature",
        "VHB109: api_key holds a key itself, not a reference, in u.yaml evaluations[9], row 15, column api_key; "
        "hint: write secret:NAME and set the environment variable NAME",
        "VHB104: scheduler 'slurm' is not known, in u.yaml; hint: known: local",
    ]
    assert rows_of(result) == [{"dataset": "d", "model_name": "m", "temperature": 1.0}]


FORM = "hint: the file is a mapping with evaluations: [...] or matrix: {...}"
MATRIX = "hint: write matrix: {model_name: [...], dataset: [...]}"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("u.yaml", "matrix: {}\nmatrix: {}\n", "VHB101: key 'matrix' stands twice, in u.yaml, row 2"),
        ("u.json", '{"a": {"b": "d",\n"b": "e"}}', "VHB101: key 'b' stands twice, in u.json, row 2"),
        ("u.json", '{"evaluations": [}', "VHB101: not JSON: expecting value, in u.json, row 1"),
        ("u.yaml", "a: [1\nb: 2\n", "VHB101: not YAML: expected ',' or ']', but got ':', in u.yaml, row 2"),
        ("u.yaml", "- a\n", f"VHB101: not a run config, in u.yaml; {FORM}"),
        ("u.yaml", "a: 1\n---\nb: 1\n", "VHB101: a second YAML document, in u.yaml, row 3"),
        ("u.yml", "", "VHB107: there is nothing to evaluate, in u.yml"),
        ("u.yaml", "evaluations: {a: 1}\n", f"VHB104: evaluations is not a list, in u.yaml, row 1; {FORM}"),
        ("u.yaml", "matrix: [1]\n", f"VHB104: matrix is not a mapping, in u.yaml matrix, row 1; {MATRIX}"),
        ("u.yaml", "prices: [1]\n", "VHB104: prices takes one value, in u.yaml, row 1"),
    ],
)
def test_files_that_are_wrong_as_a_whole(tmp_path: Path, name: str, text: str, line: str) -> None:
    assert lines_of(read(tmp_path, text, name=name), tmp_path=tmp_path) == [line]


def test_a_matrix_has_a_limit(tmp_path: Path) -> None:
    axis = list(range(400))
    text = json.dumps({"matrix": {"dataset": axis, "model_name": axis}})
    assert lines_of(read(tmp_path, text, name="u.json"), tmp_path=tmp_path) == [
        "VHB104: 160000 combinations are more than 100000, in u.json matrix, row 1"
    ]


def test_cp1251_is_named(tmp_path: Path) -> None:
    path = tmp_path / "u.yaml"
    path.write_bytes("evaluations:\n- {dataset: паспорт}\n".encode("cp1251"))
    (error,) = read_run_config(path).errors
    assert error.line().startswith(
        f"VHB102: text is not UTF-8 (looks like Windows-1251), in {path}, row 2; hint: "
    )


UPSTREAM: dict[str, Any] = {
    "dataset": "snils",
    "framework": "Hugging Face",
    "model_name": "Qwen2.5-VL-3B-Instruct",
    "model_family": "Qwen2.5-VL",
    "task_name": "VQA",
    "prompt_collection": "VQA/snils/A.csv",
    "docker_image": "qwen:1",
    "python_package": "model_qwen2_5_vl",
    "module": "models",
    "class_name": "Qwen2_5_VLModel",
    "system_prompt": "",
    "metrics": ["WER", "CER", "BLEU"],
    "only_evaluate_metrics": True,
    "metrics_aggregators": ["by_id", "general"],
    "filter_doc_class": None,
    "filter_question_type": "Номер снилса",
    "metric_file": "ModelsAnswers/x.csv",
}


@pytest.mark.parametrize(
    "answers",
    ["ModelsAnswers/x.csv", "/workspace/ModelsAnswers/x.csv", "/workspace/data_dirs/model_answers/x.csv"],
)
@pytest.mark.parametrize("git", [True, False])
def test_t9_the_run_json_of_the_prototype(tmp_path: Path, answers: str, git: bool) -> None:
    data = {**UPSTREAM, "metric_file": answers, **({"git_python_package": "git+x"} if git else {})}
    result = read(tmp_path, json.dumps(data, indent=4), name="BenchmarkRunConfig.json")
    assert result.errors == ()
    assert rows_of(result) == [
        {
            "dataset": "snils",
            "framework": "Hugging Face",
            "model_name": "Qwen2.5-VL-3B-Instruct",
            "task": "VQA",
            "prompt_collection": "VQA/snils/A.csv",
            "docker_image": "qwen:1",
            "metrics": ("WER", "CER", "BLEU"),
            "only_evaluate_metrics": True,
            "metrics_aggregators": ("by_id", "general"),
            "filter_question_type": "Номер снилса",
            "answers_file": "x.csv",
        }
    ]


def test_the_run_json_of_a_run_with_inference_names_no_answers(tmp_path: Path) -> None:
    data = {**UPSTREAM, "only_evaluate_metrics": False}
    (row,) = rows_of(read(tmp_path, json.dumps(data), name="r.json"))
    assert "answers_file" not in row and "only_evaluate_metrics" not in row
