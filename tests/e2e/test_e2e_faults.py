"""Faults of models, users and machines: typed, told, and never the whole run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_kill import answered, kill_part, wait_for
from e2e_world import World


def errors(world: World, summary: dict[str, object]) -> dict[str, str]:
    return {item["sample_id"]: item["error"]["kind"] for item in world.predictions(summary) if item["error"]}


@pytest.mark.parametrize(
    ("word", "kind"), [("RAISE", "server_error"), ("CRASH", "connection"), ("HANG", "timeout")]
)
def test_one_bad_sample_costs_one_sample(world: World, word: str, kind: str) -> None:
    world.make(pages=4, questions={1: f"Please {word} here"})
    summary = world.run(expect=4)
    assert summary["evaluations"][0]["status"] == "partial"
    assert errors(world, summary) == {"p001": kind}
    cer = world.metrics(summary)["metrics"][0]
    assert (cer["value_answered"], cer["n_error"]) == (0.0, 1)
    assert cer["value"] > 0
    assert Path(summary["report"]).exists()


@pytest.mark.parametrize("params", [{"fail_load": "weights.bin"}, {"die_at_load": True}])
def test_a_model_that_cannot_load_fails_alone(world: World, params: dict[str, object]) -> None:
    world.make(pages=2)
    world.make_cards({"page-model": {}, "broken": params})
    world.config(*({"dataset": "pages", "model_name": name} for name in ("broken", "page-model")))
    summary = world.run(expect=4)
    by_id = {item["id"]: item for item in summary["evaluations"]}
    assert by_id["pages-page-model"]["status"] == "done"
    assert by_id["pages-broken"]["status"] == "failed"
    assert by_id["pages-broken"]["failure"]["stage"] == "infer"
    if "fail_load" in params:
        assert "no such weights: weights.bin" in by_id["pages-broken"]["failure"]["message"]


def test_a_missing_and_an_unreadable_image_cost_one_sample_each(process_world: World) -> None:
    process_world.make(pages=4)
    (process_world.data / "images" / "001.png").unlink()
    (process_world.data / "images" / "002.png").write_bytes(b"not an image")
    summary = process_world.run(expect=4)
    assert errors(process_world, summary) == {"p001": "bad_image", "p002": "bad_image"}
    again = process_world.run(expect=4)
    assert process_world.stage(again, "infer") == process_world.stage(summary, "infer")


def test_a_duplicate_id_is_one_line(process_world: World) -> None:
    process_world.make(pages=3)
    lines = process_world.samples()
    lines[2]["id"] = lines[0]["id"]
    process_world.write_samples(lines)
    done = process_world.call()
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "VHB205" in done.stderr
    assert "p000" in done.stderr


def test_ctrl_c_drains_and_the_same_command_continues(world: World) -> None:
    world.make(pages=20, delay_s=0.1)
    process = world.popen("--json")
    assert wait_for(lambda: answered(world) >= 3)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    kept = answered(world)
    assert 3 <= kept < 20
    summary = world.run()
    assert world.requests(summary) == 20 - kept
    assert [item["text"] for item in world.predictions(summary)] == [
        line["answer"] for line in world.samples()
    ]


def test_a_second_ctrl_c_kills_at_once(world: World) -> None:
    world.make(pages=3, questions={0: "HANG"})
    world.make_cards({"page-model": {}}, retry={"attempts": 2, "timeout_total_s": 600.0})
    process = world.popen()
    assert wait_for(lambda: any((world.workspace / "artifacts" / "infer").glob("*/out/events.jsonl")))
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not kill_part(world, "driver")
    assert not kill_part(world, "server")


def test_two_runs_at_once_share_the_work(process_world: World) -> None:
    process_world.make(pages=10, delay_s=0.1)
    first, second = process_world.popen("--json"), process_world.popen("--json")
    outputs = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert len(list((process_world.workspace / "artifacts" / "infer").iterdir())) == 1
    attempts = next((process_world.workspace / "artifacts" / "infer").glob("*/out/attempts.jsonl"))
    assert attempts.read_bytes().count(b"\n") == 10


def test_a_hand_edited_artifact_is_never_reused(process_world: World) -> None:
    process_world.make(pages=2)
    summary = process_world.run()
    path = process_world.stage(summary, "infer") / "out" / "predictions.jsonl"
    path.write_text(path.read_text().replace("page ", "Page "))
    done = process_world.call()
    assert done.returncode == 6
    assert "VHB402: predictions.jsonl was changed by hand" in done.stderr


def test_a_full_disk_is_told_and_resumable(process_world: World, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        process_world.make(pages=300)
        world = process_world
        shutil.rmtree(world.workspace)
        world.workspace.symlink_to(small)
        (small / "envs").symlink_to(world.envs or small)
        done = world.call()
        assert done.returncode not in (0, 6)
        assert "Traceback" not in done.stderr
        assert "VHB405" in done.stderr or "No space left" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        summary = world.run()
        assert summary["evaluations"][0]["counts"]["ok"] == 300
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_a_workspace_that_cannot_be_written_is_one_line(process_world: World) -> None:
    process_world.make(pages=1)
    shutil.rmtree(process_world.workspace)
    process_world.workspace.write_text("a file")
    done = process_world.call()
    assert done.returncode == 3
    assert done.stderr.startswith("VHB401: ")


@pytest.mark.docker
def test_a_missing_image_is_told_before_anything_starts(docker_world: World) -> None:
    docker_world.make(pages=1)
    docker_world.make_cards({"page-model": {}}, image="vlmhb/not-built:1")
    done = docker_world.call()
    assert done.returncode == 3
    assert "VHB302" in done.stderr
    assert not (docker_world.workspace / "artifacts" / "prepare").exists()


def test_json_summary_is_the_last_line(process_world: World) -> None:
    process_world.make(pages=1)
    done = process_world.call("--json")
    summary = json.loads(done.stdout)
    assert set(summary) == {
        "run_id", "run_dir", "report", "status", "exit_code", "evaluations", "errors",
    }  # fmt: skip


@pytest.mark.docker
def test_memory_kills_are_told_and_cost_only_their_samples(docker_world: World) -> None:
    """Of the model itself, and of a process that it started: that one's answer arrives, and may be wrong."""
    docker_world.make(pages=4, questions={1: "EAT memory", 2: "FEED another process"})
    docker_world.make_cards({"page-model": {}}, limits={"memory_mib": 192})
    summary = docker_world.run(expect=4)
    assert errors(docker_world, summary) == {"p001": "connection"}
    text = (Path(summary["run_dir"]) / "report" / "report.md").read_text(encoding="utf-8")
    assert "the model server died 2 time(s): killed for memory" in text
    assert "1 process(es) of the model were killed for memory" in text


def test_containers_of_a_killed_run_are_removed_by_any_later_run(world: World) -> None:
    world.make(pages=6, questions={0: "HANG"})
    world.make_cards({"page-model": {}}, retry={"attempts": 2, "timeout_total_s": 600.0})
    process = world.popen()
    assert wait_for(lambda: any((world.workspace / "artifacts" / "infer").glob("*/out/events.jsonl")))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    world.make_pages(2)
    world.make_cards({"other-model": {}})
    world.config({"dataset": "pages", "model_name": "other-model"}, name="other.json")
    assert world.run(config="other.json")["status"] == "done"
    assert not kill_part(world, "driver")
    assert not kill_part(world, "server")


def test_logs_show_the_model_server_too(process_world: World) -> None:
    process_world.make(pages=1, questions={0: "RAISE"})
    process_world.run(expect=4)
    argv = [sys.executable, "-m", "vlmhb", "logs", "-w", str(process_world.workspace)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "--- pages-page-model model server" in done.stdout
    assert "ValueError: cannot read this page" in done.stdout
