"""`vlmhb init benchmark` and `vlmhb benchmarks check` as a person or a script uses them, in the stages environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import ENVS_WORKSPACE, build
from PIL import Image


class Desk:
    """A folder to work in, with a workspace that has the environments already."""

    def __init__(self, root: Path, envs: Path) -> None:
        self.root = root
        (root / "workspace").mkdir()
        (root / "workspace/envs").symlink_to(envs)

    def vlmhb(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vlmhb", *args],
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**os.environ, "VLMHB_ENGINE": "process", "COLUMNS": "200"},
            timeout=240,
            check=False,
        )

    def check(self, *args: str, expect: int = 0) -> dict[str, Any]:
        done = self.vlmhb("benchmarks", "check", *args, "--json")
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert value["exit_code"] == expect
        return value

    def image(self, path: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30), sum(path.encode()) % 256).save(target)

    def rows(self, path: str, *rows: dict[str, Any]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.root / path).write_text(text, encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, process_envs: Path) -> Desk:
    return Desk(tmp_path, process_envs)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "image": f"images/{number}.png", "question": "q", "answer": "CANARY", **more}


def test_the_example_is_checked_and_runs(desk: Desk) -> None:
    made = desk.vlmhb("init", "benchmark", "mine")
    assert made.returncode == 0
    assert "mine/cards/mine.yaml" in made.stdout.splitlines()
    assert "vlmhb run mine/run.csv" in made.stderr
    again = desk.vlmhb("init", "benchmark", "mine")
    assert (again.returncode, again.stdout) == (2, "")

    value = desk.check("mine")
    assert (value["benchmark"], value["loader"]) == ("mine", "jsonl")
    assert value["counts"] == {"samples": 2, "usable": 2, "unusable": 0}
    assert (value["problems"], value["warnings"]) == ([], [])
    first, second = value["samples"]
    (message,) = first["sent"]
    kinds = [part["type"] for part in message["content"]]
    assert (message["role"], kinds) == ("user", ["image_url", "text"])
    assert message["content"][0]["image"]["path"] == "page_1.png"
    assert "Invoice 2041" not in json.dumps(first["sent"])
    assert first["never_sent"]["references"][0].startswith("Invoice 2041\n")
    assert second["never_sent"]["metadata"]["doc_class"] == "letter"

    told = desk.vlmhb("benchmarks", "check", "mine").stdout
    assert told.index("sent to the model") < told.index("never sent: labels") < told.index("Invoice 2041")

    build("process", ENVS_WORKSPACE, images=("stages", "tesseract"))
    done = desk.vlmhb("run", "mine/run.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert "mine-tesseract-eng prepare: reused" in done.stderr
    (evaluation,) = json.loads(done.stdout.splitlines()[-1])["evaluations"]
    assert evaluation["counts"]["ok"] == 2


def test_samples_that_cannot_be_used_are_named(desk: Desk) -> None:
    for number in (1, 2, 4, 5, 6):
        desk.image(f"data/images/{number}.png")
    (desk.root / "data/images/2.png").write_bytes(b"")
    (desk.root / "data/images/4.png").write_bytes(b"no image")
    rows = [row(number, kind=str(number % 2)) for number in range(1, 7)]
    desk.rows("data/samples.jsonl", *rows)
    with (desk.root / "data/samples.jsonl").open("a", encoding="utf-8") as file:
        file.write("no JSON\n")
    value = desk.check("data", expect=4)
    assert value["counts"] == {"samples": 7, "usable": 3, "unusable": 4}
    bad_image, bad_sample = value["problems"]
    assert (bad_image["kind"], bad_image["count"], bad_sample["kind"]) == ("bad_image", 3, "bad_sample")
    assert bad_image["examples"][0] == "sample s2: samples.jsonl, row 2: images/2.png: the file is empty"
    assert bad_image["examples"][1] == "sample s3: samples.jsonl, row 3: images/3.png: no such file"
    assert bad_sample["examples"][0].startswith("sample line-7: samples.jsonl, row 7: not JSON")
    assert (value["images"]["distinct"], value["images"]["largest"]) == (3, "40x30")
    assert value["metadata_values"] == {"kind": 2}
    assert [sample["sample_id"] for sample in value["samples"]] == ["s1", "s5", "s6"]
    assert desk.check("data", "--limit", "1")["counts"]["samples"] == 1
    told = desk.vlmhb("benchmarks", "check", "data")
    assert "    sample s2: samples.jsonl, row 2: images/2.png: the file is empty" in told.stdout


def test_a_card_file_with_a_template_and_data_in_an_archive(desk: Desk) -> None:
    desk.image("images/1.png")
    desk.rows("samples.jsonl", row(1, choices=["yes", "no"]))
    with zipfile.ZipFile(desk.root / "d.zip", "w") as archive:
        for name in ("samples.jsonl", "images/1.png"):
            archive.write(desk.root / name, f"top/{name}")
    card = {"name": "packed", "loader": "auto", "path": "d.zip", "metrics": ["accuracy"]}
    card["template"] = "Look.\n{question}\nLetter only."
    (desk.root / "packed.yaml").write_text(json.dumps(card), encoding="utf-8")
    value = desk.check("packed.yaml")
    (sample,) = value["samples"]
    assert sample["sent"][0]["content"][1]["text"] == "Look.\nq\nA. yes\nB. no\nLetter only."
    assert not list(Path(value["artifact"]).rglob(".unpacked"))
    assert desk.check("d.zip")["samples"][0]["sample_id"] == "s1"


@pytest.mark.parametrize(
    ("make", "target", "code", "words"),
    [
        (lambda desk: None, "docs_mimi", "VHB201", "no benchmark 'docs_mimi'; hint: did you mean"),
        (lambda desk: desk.rows("data/samples.jsonl", row(1), row(1)), "data", "VHB205", "stands twice"),
        (lambda desk: desk.rows("data/samples.jsonl", row(1)), "data", "VHB205", "no sample can be used"),
        (lambda desk: desk.rows("data/notes.docx"), "data", "VHB205", "no known dataset"),
        (lambda desk: desk.rows("data/x.yaml", {"kind": "model"}), "data/x.yaml", "VHB202", "no field"),
        (lambda desk: card(desk, metrics=["cerr"]), "data/x.yaml", "VHB201", "cerr"),
        (lambda desk: card(desk, path="absent"), "data/x.yaml", "VHB204", "are not here"),
        (lambda desk: card(desk, template="Q:"), "data/x.yaml", "VHB202", "does not say {question}"),
        (lambda desk: card(desk, colour="red"), "data/x.yaml", "VHB202", "knows no field colour"),
    ],
)
def test_what_is_wrong_as_a_whole_is_one_line(
    desk: Desk, make: Callable[[Desk], None], target: str, code: str, words: str
) -> None:
    (desk.root / "data").mkdir()
    make(desk)
    value = desk.check(target, expect=2)
    assert value["errors"][0]["code"] == code
    assert words in value["errors"][0]["message"]


def card(desk: Desk, **fields: Any) -> None:
    desk.image("data/images/1.png")
    desk.rows("data/samples.jsonl", row(1))
    value = {"name": "x", "loader": "jsonl", "path": ".", "metrics": ["cer"], **fields}
    (desk.root / "data/x.yaml").write_text(json.dumps(value), encoding="utf-8")
