"""The main job, end to end, on every engine: run, reuse, resume, and what a change re-runs."""

import json
from pathlib import Path

from e2e_world import World, page_text


def test_a_run_goes_through_all_stages_to_a_report(any_world: World) -> None:
    any_world.make(pages=4)
    summary = any_world.run()
    assert summary["status"] == "done"
    assert summary["evaluations"][0]["counts"] == {"planned": 4, "ok": 4, "error": 0, "skipped": 0}
    predictions = any_world.predictions(summary)
    assert [item["text"] for item in predictions] == [line["answer"] for line in any_world.samples()]
    cer = next(item for item in any_world.metrics(summary)["metrics"] if item["name"] == "cer")
    assert (cer["value"], cer["n"]) == (0.0, 4)
    report = Path(summary["report"])
    assert {path.name for path in report.parent.iterdir()} == {
        "report.html",
        "report.md",
        "report.json",
        "summary.csv",
    }
    assert json.loads((report.parent / "report.json").read_text())["run_id"] == summary["run_id"]


def test_the_second_run_reuses_everything(any_world: World) -> None:
    any_world.make(pages=2)
    first = any_world.run()
    assert {stage["decision"] for stage in any_world.plan().values()} == {"reuse"}
    manifest = any_world.stage(first, "infer") / "manifest.json"
    before = manifest.stat().st_mtime_ns
    second = any_world.run()
    assert second["run_id"] == first["run_id"]
    assert manifest.stat().st_mtime_ns == before


def test_an_edited_page_asks_only_for_that_page_and_says_why(any_world: World) -> None:
    any_world.make(pages=4)
    any_world.run()
    any_world.draw(2, "edited")
    lines = any_world.samples()
    lines[2]["answer"] = page_text((any_world.data / "images" / "002.png").read_bytes())
    any_world.write_samples(lines)
    stages = any_world.plan()
    prepare = stages["pages-page-model", "prepare"]
    assert prepare["decision"] == "run"
    assert prepare["reason"].startswith("prepare pages: dataset ")
    summary = any_world.run()
    assert any_world.requests(summary) == 1
    imported = [item["sample_id"] for item in any_world.predictions(summary) if item["imported_from"]]
    assert imported == ["p000", "p001", "p003"]
    assert any_world.metrics(summary)["metrics"][0]["value"] == 0.0


def test_other_metrics_run_no_inference(world: World) -> None:
    world.make(pages=2)
    first = world.run()
    world.config({"dataset": "pages", "model_name": "page-model", "metrics": ["wer"]})
    stages = world.plan()
    assert stages["pages-page-model", "infer"]["decision"] == "reuse"
    assert "params.metrics" in stages["pages-page-model", "evaluate"]["reason"]
    second = world.run()
    assert second["run_id"] != first["run_id"]
    assert world.stage(second, "infer") == world.stage(first, "infer")
    assert [item["name"] for item in world.metrics(second)["metrics"]] == ["wer"]


def test_two_models_are_ranked_in_one_report(world: World) -> None:
    world.make(pages=3)
    world.make_cards({"page-model": {}, "liar": {"always_wrong": True}})
    rows = [{"dataset": "pages", "model_name": name} for name in ("page-model", "liar")]
    world.config(*rows)
    summary = world.run()
    report = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    cer = {item["model"]: item["metrics"][0]["value"] for item in report["evaluations"]}
    assert cer["page-model"] == 0.0
    assert cer["liar"] > 0.5


def test_a_new_report_names_the_evaluations_whose_results_changed(process_world: World) -> None:
    world = process_world
    world.make(pages=2)
    world.run()
    lines = world.samples()
    lines[0]["answer"] = "other"
    world.write_samples(lines)
    assert "report report: started (other results of pages-page-model)" in world.call().stderr


def test_a_dataset_given_as_a_file_is_that_file_and_its_images_alone(process_world: World) -> None:
    world = process_world
    world.make(pages=2)
    world.config(
        {"dataset": "pages", "model_name": "page-model", "dataset_path": str(world.data / "samples.jsonl")}
    )
    world.run()
    (world.data / "holiday.mov").write_bytes(b"not of this dataset")
    assert {stage["decision"] for stage in world.plan().values()} == {"reuse"}
    world.draw(1, "edited")
    reason = world.plan()["pages-page-model", "prepare"]["reason"]
    assert reason.endswith("images/001.png changed")
