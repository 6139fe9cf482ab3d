"""R1, R2, R3, B4, B5, B8: a result is reused only where nothing that could change it has changed."""

import json
import shutil
from pathlib import Path
from typing import Any

from e2e_api import Api
from e2e_world import MODEL, World


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def api_card(world: World, api: Api, **extra: Any) -> None:
    world.make_cards(
        {"page-model": {}},
        interface="openai",
        image=None,
        class_path=None,
        path=None,
        network="egress",
        base_url=api.url,
        **extra,
    )


def test_r1_a_changed_model_is_asked_for_every_sample(process_world: World) -> None:
    process_world.make(pages=3)
    process_world.run()
    source = process_world.root / "model" / "page_model.py"
    source.write_text(MODEL.replace("answer = page_text(request.images[0])", "answer = 'wrong'"))
    stage = process_world.plan()["pages-page-model", "infer"]
    assert stage["decision"] == "run"
    assert "model.package" in stage["reason"]
    summary = process_world.run()
    assert process_world.requests(summary) == 3
    assert process_world.metrics(summary)["metrics"][1]["value"] == 0.0


def test_r2_only_changed_prompts_are_asked_again(process_world: World) -> None:
    process_world.make(pages=4, echo_prompt=True)
    process_world.run()
    lines = process_world.samples()
    for number in (0, 2):
        lines[number]["question"] = f"New question {number}"
    process_world.write_samples(lines)
    summary = process_world.run()
    assert process_world.requests(summary) == 2
    texts = [item["text"] for item in process_world.predictions(summary)]
    assert [text.strip() for text in texts] == [
        "New question 0",
        "Read the page.",
        "New question 2",
        "Read the page.",
    ]


def test_r3_other_answers_under_the_same_ids_are_scored_anew(process_world: World) -> None:
    process_world.make(pages=3)
    first = process_world.run()
    lines = process_world.samples()
    lines[1]["answer"] = "something else"
    process_world.write_samples(lines)
    assert "dataset" in process_world.plan()["pages-page-model", "prepare"]["reason"]
    summary = process_world.run()
    assert process_world.stage(summary, "infer") == process_world.stage(first, "infer")
    assert process_world.metrics(summary)["metrics"][1]["value"] == 2 / 3
    events = (process_world.stage(summary, "evaluate") / "attempt.json").read_text()
    assert "p001" in json.loads(events)["reason"]


def test_b4_a_new_url_a_moved_dataset_and_a_higher_limit_ask_only_for_new_samples(
    process_world: World, api: Api
) -> None:
    world = process_world
    world.make(pages=40)
    api_card(world, api)
    world.config({"dataset": "pages", "model_name": "page-model", "limit": 20})
    world.run()
    assert len(api.requests) == 20
    moved = world.root / "moved"
    shutil.move(world.data, moved)
    url = api.url.replace("127.0.0.1", "localhost")
    row = {
        "dataset": "pages",
        "model_name": "page-model",
        "limit": 40,
        "base_url": url,
        "dataset_path": str(moved),
    }
    world.config(row)
    summary = world.run()
    assert len(api.requests) == 40
    assert world.requests(summary) == 20
    assert summary["evaluations"][0]["counts"]["ok"] == 40


def test_b5_a_torn_tail_is_cut_once(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=5)
    api_card(world, api)
    # else the answer that is cut off would come from the response cache
    world.config({"dataset": "pages", "model_name": "page-model", "fresh": True})
    first = world.run()
    artifact = world.stage(first, "infer")
    (artifact / "manifest.json").unlink()
    journal = artifact / "out" / "predictions.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])
    world.run()
    assert len(api.requests) == 6
    (artifact / "manifest.json").unlink()
    summary = world.run()
    assert len(api.requests) == 6
    assert summary["evaluations"][0]["counts"]["ok"] == 5


def test_b8_the_dataset_is_never_written(world: World) -> None:
    world.make(pages=3)
    for path in world.data.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = tree(world.data)
    world.run()
    assert tree(world.data) == before
