"""What a stage costs beyond its container: our `prepare` of one page beside a bare `docker run` of the same image,
and a whole run that reuses everything."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from PIL import Image
from vlmhb.engines.detect import detect
from vlmhb.kit import Kit

from benches.timing import Row, compare, run

RUNS = 8
IMAGE = "vlmhb/stages:0.2.0"
BARE = ["docker", "run", "--rm", "--network", "none", IMAGE, "python3", "-c", "pass"]


def measure(folder: Path) -> list[Row]:
    if detect("docker").engine is None:
        return [Row(name="docker is not usable here: not measured", minimum=0, median=0, maximum=0, runs=0)]
    config = make_world(folder)
    vlmhb = [
        sys.executable,
        "-m",
        "vlmhb",
        "run",
        str(config),
        "--engine",
        "docker",
        "-w",
        str(folder / "ws"),
    ]
    command = [*vlmhb, "--cards", str(folder / "cards")]
    kit = Kit.collect().write(folder / "kits")
    imports = [
        "-v",
        f"{kit}:/kit.pyz:ro",
        "-e",
        "PYTHONPATH=/kit.pyz",
        IMAGE,
        "python3",
        "-c",
        "import vlmhb_stages.prepare",
    ]

    def fresh() -> None:
        shutil.rmtree(folder / "ws" / "artifacts", ignore_errors=True)
        run(command)

    run(command)
    return compare(
        {
            "bare docker run, python3 -c pass": lambda: run(BARE),
            "docker run, our prepare imported": lambda: run(
                ["docker", "run", "--rm", "--network", "none", *imports]
            ),
            "vlmhb run, everything reused": lambda: run(command),
            "vlmhb run, prepare + replay + evaluate + report": fresh,
        },
        runs=RUNS,
    )


def make_world(folder: Path) -> Path:
    """One page, one recorded answer: four stage containers and no model."""
    (folder / "data" / "images").mkdir(parents=True)
    Image.new("L", (40, 40), 255).save(folder / "data" / "images" / "a.png")
    line = {"id": "a", "image": "images/a.png", "question": "Read.", "answer": "x", "doc_class": "d"}
    (folder / "data" / "samples.jsonl").write_text(json.dumps(line) + "\n")
    (folder / "answers.csv").write_text("id;model_answer\na;x\n")
    card = {
        "name": "one-page",
        "task": "OCR",
        "task_type": "ocr",
        "loader": "jsonl",
        "path": str(folder / "data"),
        "metrics": ["cer"],
        "primary": "cer",
    }
    (folder / "cards" / "benchmarks").mkdir(parents=True)
    (folder / "cards" / "benchmarks" / "one.yaml").write_text(json.dumps(card))
    row = {
        "dataset": "one-page",
        "model_name": "replay",
        "answers_file": str(folder / "answers.csv"),
        "only_evaluate_metrics": True,
    }
    (folder / "bench.json").write_text(json.dumps({"evaluations": [row]}))
    return folder / "bench.json"
