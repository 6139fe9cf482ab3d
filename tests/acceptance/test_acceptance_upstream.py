"""T9, T10 and the whole way of a prototype user: old folders, old files, an old model class, unchanged."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from e2e_world import World

HEADER = (
    "dataset;task;framework;model_name;system_prompt;prompt_collection;metrics;only_evaluate_metrics;"
    "metrics_aggregators;filter_doc_class;filter_question_type"
)
ANNOTATION = [
    ("images/000.png", "Напиши Фамилия", "Карбаинов", "passport", "Фамилия"),
    ("images/001.png", "Напиши Имя", "Алексей", "passport", "Имя"),
    ("images/002.png", "Номер счёта", "0044", "invoice", "Номер"),
]
AGGREGATORS = ["by_id", "by_doc_question", "by_doc_type", "general"]

OLD_MODEL = """
class OldModel:
    def __init__(self, model_name, system_prompt, cache_dir):
        self.framework = "Hugging_Face"
        self.name = model_name

    def predict_on_image(self, image, prompt):
        assert open(image, "rb").read(4) == b"\\x89PNG"
        return {"Напиши Фамилия. Пример: Куликов.": "Карбаинов", "Напиши Имя": "Алексей"}.get(prompt, "0045")

    def predict_on_images(self, images, prompt):
        return " ".join(self.predict_on_image(image, prompt) for image in images)
"""


def bom(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))


def old_site(
    world: World, *, data: str = "vlmhyperbench/data_dirs", prompts: str = "PromptCollections"
) -> None:
    """The folders of a prototype user: dataset, prompts and model database, in their old formats."""
    world.make(pages=3)
    dataset = world.root / data / "Datasets" / "VQA" / "mini"
    dataset.mkdir(parents=True)
    (world.data / "images").rename(dataset / "images")
    rows = [
        f"{number + 1};clean;{image};{question};{answer};{doc_class};{question_type};[1, 2, 3, 4]"
        for number, (image, question, answer, doc_class, question_type) in enumerate(ANNOTATION)
    ]
    head = "data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox\n"
    bom(dataset / "annotation.csv", head + "\n".join(rows) + "\n")
    collection = (
        "prompt;doc_class_question_type;cer\nНапиши Фамилия. Пример: Куликов.;passport Фамилия;0.0\n"
        ";passport Имя;0.0\n;invoice Номер;0.1"
    )
    bom(world.root / data / prompts / "VQA" / "mini" / "X.csv", collection)
    base = (
        "framework;model_family;model_name;docker_image;git_python_package;python_package;module;class_name\n"
    )
    bom(
        world.root / "vlmhyperbench" / "vlm_base.csv",
        base
        + "Hugging Face;Old;Old-Model-2B;stages;git+https://example.invalid/m.git@0.1;old_pkg;models;OldModel\n",
    )


def config(world: World, *rows: str) -> None:
    bom(world.root / "user_config.csv", "\n".join((HEADER, *rows)))


def call(world: World, *, expect: int) -> dict[str, Any]:
    done = world.call("--json", config="user_config.csv")
    assert done.returncode == expect, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def legacy(world: World, summary: dict[str, Any], evaluation: str) -> Path:
    return world.stage(summary, "evaluate", evaluation) / "out" / "legacy"


@pytest.mark.parametrize(
    ("data", "encoding"), [("vlmhyperbench/data_dirs", "utf-8-sig"), ("vlmhyperbench", "utf-8")]
)
def test_t9_an_old_answers_file_is_evaluated_without_any_model(
    process_world: World, data: str, encoding: str
) -> None:
    world = process_world
    old_site(world, data=data)
    name = "mini_MODELFRAMEWORK_Old-Model-2B_VQA_answers_20250601_052520.csv"
    answers = world.root / data / "ModelsAnswers" / name
    answers.parent.mkdir(parents=True)
    answers.write_text("id;model_answer\n2;0044\n0;Карбаинов\n1;Алексий\n", encoding=encoding)
    config(world, "mini;VQA;Hugging Face;Old-Model-2B;;mini/X.csv;['CER'];ИСТИНА;" + str(AGGREGATORS) + ";;")
    summary = call(world, expect=0)
    evaluation = summary["evaluations"][0]["id"]
    infer = json.loads((world.stage(summary, "infer", evaluation) / "manifest.json").read_text())["manifest"]
    assert infer["extra"]["server_image"] is None
    files = {path.name for path in legacy(world, summary, evaluation).iterdir()}
    assert {name.rpartition("_")[2] for name in files} >= {
        "id.csv",
        "question.csv",
        "type.csv",
        "general.csv",
    }
    general = next(
        path for path in legacy(world, summary, evaluation).iterdir() if path.name.endswith("_general.csv")
    )
    assert general.read_bytes() == "\ufeffcer_error\n0.05\n".encode()


def test_t10_an_old_model_class_runs_unmodified(process_world: World) -> None:
    world = process_world
    old_site(world)
    package = world.root / "old" / "old_pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(OLD_MODEL)
    card = {
        "name": "Old-Model-2B",
        "framework": "Hugging Face",
        "interface": "upstream",
        "image": "stages",
        "tasks": ["vqa"],
        "params": {"model_name": "Old-Model-2B"},
        "path": "../../old",
        "upstream": {"python_package": "old_pkg", "module": "models", "class_name": "OldModel"},
    }
    (world.root / "cards" / "models" / "old.yaml").write_text(json.dumps(card))
    config(
        world,
        "mini;VQA;Hugging Face;Old-Model-2B;;mini/X.csv;['CER', 'WER'];False;" + str(AGGREGATORS) + ";;",
    )
    summary = call(world, expect=0)
    evaluation = summary["evaluations"][0]["id"]
    folder = legacy(world, summary, evaluation)
    stem = next(path.stem for path in folder.iterdir() if re.search(r"_answers_\d{8}_\d{6}\.csv$", path.name))
    assert stem.startswith("mini_Hugging_Face_Old-Model-2B_VQA_answers_")
    with (folder / f"{stem}.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert rows == [["id", "model_answer"], ["0", "Карбаинов"], ["1", "Алексей"], ["2", "0045"]]
    assert {path.name for path in folder.iterdir()} == {
        f"{stem}.csv",
        *(f"{stem}_{name}.csv" for name in AGGREGATORS),
    }


def test_t5_filters_keep_ids(process_world: World) -> None:
    world = process_world
    old_site(world)
    answers = world.root / "a.csv"
    answers.write_text("id;model_answer\n1;Алексей\n", encoding="utf-8")
    row = {
        "dataset": "mini",
        "task": "VQA",
        "model_name": "Old-Model-2B",
        "only_evaluate_metrics": True,
        "answers_file": str(answers),
        "metrics": ["cer"],
        "filter_doc_class": "passport",
        "filter_question_type": "Имя",
    }
    summary = world.run(config=world.config(row).name)
    predictions = world.predictions(summary, summary["evaluations"][0]["id"])
    assert [item["sample_id"] for item in predictions] == ["1"]


def test_t2_t6_mistakes_are_named_with_row_and_column_and_the_rest_can_go_on(process_world: World) -> None:
    world = process_world
    old_site(world)
    good = "pages;OCR;test;page-model;;;['cer'];False;;;"
    config(
        world,
        good,
        "mini;VQA;Hugging Face;Old-Model;;mini/X.csv;['CER'];False;;;",
        "pages;OCR;test;page-model;;;['cer;False;;;",
    )
    (world.data / "images").mkdir(exist_ok=True)
    world.make_pages(2)
    done = world.call(config="user_config.csv")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"VHB201: no model 'Old-Model'.*row 3.*hint: .*Old-Model-2B", done.stderr)
    assert re.search(r"VHB106: .*row 4, column metrics", done.stderr)
    summary_line = world.call("--keep-going", "--json", config="user_config.csv")
    assert summary_line.returncode == 4
    assert [item["status"] for item in json.loads(summary_line.stdout)["evaluations"]] == ["done"]
