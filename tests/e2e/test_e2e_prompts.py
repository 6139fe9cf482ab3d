"""`vlmhb prompts show` says exactly what a run sends: compared with what a real HTTP server has received."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_api import Api
from PIL import Image
from vlmhb_stages.contracts import Prediction, PromptVersion

CARDS = {
    "data/samples.jsonl": [
        {"id": "one", "image": "1.png", "question": "Дата?", "answer": "SECRET-1", "doc_class": "passport"},
        {"id": "two", "image": "2.png", "question": "Итого?", "answer": "SECRET-2", "doc_class": "чек"},
    ],
    "shots/examples.jsonl": [
        {"id": "x", "image": "x.png", "question": "Имя?", "answer": "ANSWER: Анна", "doc_class": "passport"}
    ],
}
CONFIG = """
evaluations:
  - dataset: pages
    model_name: far
    few_shot: shots/examples.jsonl
    chain_of_thought: "Рассуждай вслух. ANSWER: в конце."
    extraction: answer_marker
    metrics: [exact_match]
    temperature: 0.25
    prompt_config:
      default: {system: "Ты читаешь документы.", user: "{{ question }}"}
      type_mapping:
        passport: {user: "Паспорт. {{ question }}{% if images > 1 %} ({{ images }}){% endif %}"}
"""


class Desk:
    def __init__(self, root: Path, *, envs: Path, url: str) -> None:
        self.root = root
        (root / "workspace").mkdir()
        (root / "workspace/envs").symlink_to(envs)
        for name, rows in CARDS.items():
            self.write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        for shade, name in enumerate(("data/1.png", "data/2.png", "shots/x.png")):
            Image.new("L", (40 + shade, 30), shade * 70).save(root / name)
        self.write(
            "cards/models/far.yaml",
            f"name: far\nframework: far\ninterface: openai\nbase_url: {url}\ntasks: [vqa]\nadaptive: false\n",
        )
        self.write(
            "cards/benchmarks/pages.yaml", "name: pages\ntask_type: vqa\nloader: jsonl\npath: ../../data\n"
        )
        self.write("run.yaml", CONFIG)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def vlmhb(self, *args: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "vlmhb", *args],
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**os.environ, "VLMHB_ENGINE": "process", "COLUMNS": "200"},
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def shown(self, sample: str) -> dict[str, Any]:
        done = self.vlmhb("prompts", "show", "run.yaml", "--sample", sample, "--json")
        value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return value


@pytest.fixture
def desk(tmp_path: Path, process_envs: Path, api: Api) -> Desk:
    return Desk(tmp_path, envs=process_envs, url=api.url)


def said(messages: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Role and parts of each message: texts, and of images the hash."""
    return [(message["role"], [_part(part) for part in _parts(message["content"])]) for message in messages]


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _part(part: dict[str, Any]) -> str:
    if part["type"] == "text":
        return str(part["text"])
    if "image" in part:
        return str(part["image"]["sha256"])
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return hashlib.sha256(data).hexdigest()


def test_what_is_shown_is_what_is_sent(desk: Desk, api: Api) -> None:
    shown = [desk.shown("one"), desk.shown("2")]
    assert api.requests == []  # nobody was asked
    assert [item["sample_id"] for item in shown] == ["one", "two"]
    desk.vlmhb("run", "run.yaml", "--json")
    sent = {said(request["messages"])[-1][1][-1]: request for request in api.requests}
    assert len(sent) == 2
    for item in shown:
        request = sent[said(item["messages"])[-1][1][-1]]
        assert said(request["messages"]) == said(item["messages"])
        for name in ("temperature", "max_tokens"):
            assert request[name] == item["decoding"][name]
    roles = [role for role, _ in said(shown[0]["messages"])]
    assert roles == ["system", "user", "assistant", "user"]
    assert said(shown[0]["messages"])[1][1][1].startswith("Паспорт. Имя?\nРассуждай вслух.")


def test_no_label_is_shown(desk: Desk) -> None:
    text = desk.vlmhb("prompts", "show", "run.yaml").stdout
    assert "Паспорт. Дата?" in text
    assert "user (example)" in text
    assert "SECRET" not in text + json.dumps(desk.shown("one"))


def test_the_records_and_the_report_name_the_version_of_the_prompt(desk: Desk) -> None:
    done = desk.vlmhb("run", "run.yaml", "--json")
    folder = Path(json.loads(done.stdout.splitlines()[-1])["run_dir"])
    evaluation = next((folder / "evaluations").iterdir())
    lines = (evaluation / "infer/out/predictions.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [Prediction.model_validate_json(line).prompt_sha256 for line in lines]
    kept = (evaluation / "prepare/out/inputs/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    versions = [PromptVersion.model_validate_json(line).sha256 for line in kept]
    assert sorted(str(sha256) for sha256 in recorded) == versions
    report = json.loads((folder / "report/report.json").read_text(encoding="utf-8"))
    told = report["evaluations"][0]["provenance"]["prompts"]
    assert sorted(item["sha256"] for item in told) == versions
    html = (folder / "report/report.html").read_text(encoding="utf-8")
    assert all(sha256[:12] in html for sha256 in versions)


def test_a_changed_prompt_asks_only_those_that_it_concerns(desk: Desk, api: Api) -> None:
    desk.vlmhb("run", "run.yaml")
    assert len(api.requests) == 2
    desk.write("run.yaml", CONFIG.replace("Паспорт. {{", "Это паспорт. {{"))
    plan = desk.vlmhb("plan", "run.yaml")
    assert "prompt_config" in plan.stdout + plan.stderr
    desk.vlmhb("run", "run.yaml")
    assert len(api.requests) == 4  # the example is a passport: it stands before every question
    desk.write("shots/examples.jsonl", '{"question": "Имя?", "answer": "A", "doc_class": "чек"}\n')
    desk.vlmhb("run", "run.yaml")
    assert len(api.requests) == 6
    desk.write("run.yaml", CONFIG)
    desk.vlmhb("run", "run.yaml")
    assert len(api.requests) == 7  # only the passport


def test_a_template_of_a_file_is_refused_before_anything_starts(desk: Desk) -> None:
    desk.write("p.yaml", "default:\n  user: |\n    a\n    {{ question }\n")
    desk.write("bad.csv", "dataset;model_name;prompt_config\npages;far;p.yaml\n")
    done = desk.vlmhb("plan", "bad.csv", expect=2)
    assert done.stderr.startswith("VHB111: user of default: unexpected '}', line 2 of the template")
    assert "p.yaml, row 2" in done.stderr


def test_a_leak_stops_before_anybody_is_asked(desk: Desk, api: Api) -> None:
    (desk.root / "shots/x.png").write_bytes((desk.root / "data/2.png").read_bytes())
    done = desk.vlmhb("run", "run.yaml", expect=4)
    assert "shows the same image (x.png)" in done.stderr
    assert "VHB112" in done.stderr
    assert "sample two" in done.stderr
    assert api.requests == []


def test_names_that_are_not_there(desk: Desk) -> None:
    done = desk.vlmhb("prompts", "show", "run.yaml", "--sample", "nine", expect=2)
    assert "VHB201: no sample 'nine'" in done.stderr
    assert "a number from 1 to 2" in done.stderr
    other = desk.vlmhb("prompts", "show", "run.yaml", "-e", "pages-fat", expect=2)
    assert "did you mean 'pages-far'?" in other.stderr


def test_the_list_of_prompts(desk: Desk) -> None:
    desk.write("prompts/mine.yaml", "default: {user: x}")
    found = json.loads(desk.vlmhb("prompts", "list", "--json").stdout)
    assert [(item["name"], item["column"]) for item in found] == [("mine.yaml", "prompt_config")]
    assert "mine.yaml" in desk.vlmhb("prompts", "list").stdout
    for command in ("show", "list"):
        assert "Example: vlmhb prompts" in desk.vlmhb("prompts", command, "--help").stdout
