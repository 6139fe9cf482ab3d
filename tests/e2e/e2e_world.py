"""A small world for end-to-end tests: generated pages, a model class of the user's own, and the real command line.

The model answers with the hash of the page it was shown, so that a right answer proves that the right bytes arrived,
and misbehaves on demand: words in the question make it crash, raise, hang or wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

MODEL = r"""
import hashlib, os, subprocess, sys, time
from vlmhb_models.base import Generation, ModelInterface

class PageModel(ModelInterface):
    def load(self, *, params, weights):
        self.params = params
        if params.get("fail_load"):
            raise RuntimeError("no such weights: " + str(params["fail_load"]))
        if params.get("die_at_load"):
            os._exit(41)

    def generate(self, batch):
        return [self.one(request) for request in batch]

    def one(self, request):
        question = " ".join(message.text for message in request.messages)
        time.sleep(float(self.params.get("delay_s", 0)))
        if "CRASH" in question:
            os._exit(42)
        if "EAT" in question:
            hold = []
            while True:
                hold.append(bytearray(50_000_000))
        if "FEED" in question:
            subprocess.run([sys.executable, "-c", "hold = []\nwhile True: hold.append(bytearray(50_000_000))"])
        if "RAISE" in question:
            raise ValueError("cannot read this page")
        if "HANG" in question:
            time.sleep(3600)
        if self.params.get("probe"):
            return Generation(text=probe(self.params["probe"]), finish_reason="stop", input_tokens=1, output_tokens=1)
        answer = page_text(request.images[0])
        if self.params.get("always_wrong"):
            answer = "wrong " + answer[::-1]
        if self.params.get("echo_prompt"):
            answer = question
        return Generation(text=answer, finish_reason="stop", input_tokens=len(question), output_tokens=4)

def page_text(data):
    return "page " + hashlib.sha256(data).hexdigest()[:16]

def probe(code):
    scope = {}
    exec(code, scope)
    return str(scope["result"])
"""


def page_text(data: bytes) -> str:
    return "page " + hashlib.sha256(data).hexdigest()[:16]


@dataclass
class World:
    """One workspace, one dataset `pages`, one model `page-model`, one config."""

    root: Path
    engine: str
    envs: Path | None
    images: Path | None = None  # those of Apptainer, shared like `envs`
    env: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def make(self, *, pages: int = 4, questions: dict[int, str] | None = None, **params: Any) -> None:
        self.make_pages(pages, questions=questions)
        (self.root / "model").mkdir(exist_ok=True)
        (self.root / "model" / "page_model.py").write_text(MODEL)
        self.make_cards({"page-model": params})
        self.config()
        self.workspace.mkdir(exist_ok=True)
        if self.envs is not None and not (self.workspace / "envs").exists():
            (self.workspace / "envs").symlink_to(self.envs)
        if self.images is not None and not (self.workspace / "images").exists():
            (self.workspace / "images").symlink_to(self.images)

    def make_pages(self, count: int, *, questions: dict[int, str] | None = None) -> None:
        (self.data / "images").mkdir(parents=True, exist_ok=True)
        lines = []
        for number in range(count):
            path = self.data / "images" / f"{number:03d}.png"
            if not path.exists():
                self.draw(number, f"page {number}")
            lines.append(
                {
                    "id": f"p{number:03d}",
                    "image": f"images/{path.name}",
                    "question": (questions or {}).get(number, "Read the page."),
                    "answer": page_text(path.read_bytes()),
                    "doc_class": "even" if number % 2 == 0 else "odd",
                }
            )
        self.write_samples(lines)

    def draw(self, number: int, text: str) -> None:
        image = Image.new("L", (120, 40), 255)
        ImageDraw.Draw(image).text((4, 4), text, fill=0)
        image.save(self.data / "images" / f"{number:03d}.png")

    def write_samples(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (self.data / "samples.jsonl").write_text(text, encoding="utf-8")

    def samples(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.data / "samples.jsonl").read_text().splitlines()]

    def make_cards(self, models: dict[str, dict[str, Any]], **extra: Any) -> None:
        """Cards are YAML; JSON is YAML too. `params` of each model by name."""
        cards = [
            {
                "name": name,
                "framework": "test",
                "interface": "python",
                "class_path": "page_model:PageModel",
                "path": "../../model",
                "image": "stages",
                "tasks": ["ocr", "vqa"],
                "params": params,
                "retry": {"attempts": 2, "base_s": 0.01, "max_s": 0.05, "timeout_total_s": 3.0},
                **extra,
            }
            for name, params in models.items()
        ]
        folder = self.root / "cards"
        for kind, values in (("models", cards), ("benchmarks", [self.benchmark_card()])):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            for value in values:
                (folder / kind / f"{value['name']}.yaml").write_text(json.dumps(value))

    def benchmark_card(self) -> dict[str, Any]:
        return {
            "name": "pages",
            "task": "OCR",
            "task_type": "ocr",
            "loader": "jsonl",
            "path": str(self.data),
            "metrics": ["cer", "exact_match"],
            "primary": "cer",
            "slices": ["doc_class"],
        }

    def config(self, *rows: dict[str, Any], name: str = "test.json") -> Path:
        path = self.root / name
        evaluations = list(rows) or [{"dataset": "pages", "model_name": "page-model"}]
        path.write_text(json.dumps({"evaluations": evaluations}))
        return path

    def argv(self, *args: str, config: str = "test.json", command: str = "run") -> list[str]:
        return [
            sys.executable,
            "-m",
            "vlmhb",
            command,
            str(self.root / config),
            "--workspace",
            str(self.workspace),
            "--engine",
            self.engine,
            "--cards",
            str(self.root / "cards"),
            *args,
        ]

    def popen(self, *args: str, **kwargs: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*args, **kwargs),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            env={**os.environ, **self.env},
            start_new_session=True,
        )

    def run(self, *args: str, config: str = "test.json", expect: int = 0) -> dict[str, Any]:
        """The JSON summary of `vlmhb run`; fails unless it ended with `expect`."""
        done = self.call(*args, "--json", config=config)
        assert done.returncode == expect, (
            f"exit {done.returncode}, wanted {expect}\n{done.stdout}\n{done.stderr}"
        )
        summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return summary

    def plan(self, *args: str, config: str = "test.json") -> dict[tuple[str, str], dict[str, Any]]:
        """Planned stages by (evaluation id, stage)."""
        done = self.call(*args, "--json", config=config, command="plan")
        assert done.returncode == 0, done.stderr
        value = json.loads(done.stdout)
        return {
            (item["id"], stage["stage"]): stage for item in value["evaluations"] for stage in item["stages"]
        }

    def call(
        self, *args: str, config: str = "test.json", command: str = "run"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*args, config=config, command=command),
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**os.environ, **self.env},
            timeout=240,
            check=False,
        )

    def stage(self, summary: dict[str, Any], stage: str, evaluation: str = "pages-page-model") -> Path:
        """The artifact folder of one stage of a run."""
        return (Path(summary["run_dir"]) / "evaluations" / evaluation / stage).resolve()

    def predictions(
        self, summary: dict[str, Any], evaluation: str = "pages-page-model"
    ) -> list[dict[str, Any]]:
        path = self.stage(summary, "infer", evaluation) / "out" / "predictions.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def requests(self, summary: dict[str, Any], evaluation: str = "pages-page-model") -> int:
        """Requests that the last attempt of `infer` sent."""
        path = self.stage(summary, "infer", evaluation) / "out" / "summary.json"
        return int(json.loads(path.read_text())["requests"])

    def scores(self, summary: dict[str, Any], evaluation: str = "pages-page-model") -> bytes:
        return (self.stage(summary, "evaluate", evaluation) / "out" / "scores.jsonl").read_bytes()

    def metrics(self, summary: dict[str, Any], evaluation: str = "pages-page-model") -> dict[str, Any]:
        value: dict[str, Any] = json.loads(
            (self.stage(summary, "evaluate", evaluation) / "out" / "metrics.json").read_text()
        )
        return value
