"""One CSV, four kinds of model: a VLM through transformers, an OCR engine, a class of the prototype, an API.

Each has packages of its own, some of which cannot be installed together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e_api import Api
from e2e_fixtures import DOCKER, ENVS_WORKSPACE, PROCESS, ROOT, build

EXAMPLES = ROOT / "user_configs" / "examples" / "cards"
# The prototype's class is old: it came with the Pillow of its time, which the others' locks exclude.
OLD_PILLOW = "9.5.0"
OLD_LOCK = f"""\
pillow=={OLD_PILLOW} \\
    --hash=sha256:{{digest}}
"""
OLD_CLASS = """\
import PIL


class OldReader:
    def __init__(self, model_name, system_prompt, cache_dir):
        self.framework, self.model_name = "Old", model_name

    def predict_on_image(self, image, question):
        return f"PIL {PIL.__version__}"

    def predict_on_images(self, images, question):
        return [self.predict_on_image(image, question) for image in images]
"""
DOCKERFILE = """\
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
RUN test -x /opt/venv/bin/python3 || python3 -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
COPY wheels/ /tmp/wheels/
RUN /opt/venv/bin/python3 -m pip install --no-index --find-links /tmp/wheels --require-hashes --no-cache-dir \\
    --disable-pip-version-check -r /tmp/requirements.lock
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
USER 65534:65534
"""
IMAGES = ("stages", "rapidocr", "transformers")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A user's folder: cards of his own, a config, a workspace."""

    root: Path
    engine: str

    @property
    def cards(self) -> list[str]:
        return ["--cards", str(self.root / "cards"), "--cards", str(EXAMPLES)]

    def call(self, *args: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        argv = [*prefix, sys.executable, "-m", "vlmhb", *args, *self.cards, "--engine", self.engine]
        argv += ["--workspace", str(self.root / "workspace")]
        return subprocess.run(argv, capture_output=True, text=True, cwd=self.root, check=False)


def write_cards(root: Path, *, url: str) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = [f"pillow=={OLD_PILLOW}", "--no-deps", "--only-binary", ":all:", "-d", str(root / "wheel")]
    fetched = subprocess.run([*pip, "download", *wanted], capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stderr
    wheel = next((root / "wheel").iterdir())
    told = subprocess.run(
        [sys.executable, "-m", "pip", "hash", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    image = root / "cards" / "images" / "old"
    image.mkdir(parents=True)
    (image / "image.yaml").write_text("kind: image\nname: old\ntag: vlmhb-test/old:1\n")
    (image / "Dockerfile").write_text(DOCKERFILE)
    (image / "requirements.lock").write_text(OLD_LOCK.format(digest=told.strip().rpartition(":")[2]))
    (root / "old").mkdir()
    (root / "old" / "old_reader.py").write_text(OLD_CLASS)
    models = root / "cards" / "models"
    models.mkdir()
    old = {
        "name": "old-reader",
        "framework": "Old",
        "interface": "upstream",
        "upstream": {"module": "old_reader", "class_name": "OldReader", "path": "../../old"},
        "image": "old",
        "tasks": ["vqa"],
    }
    api = {"name": "far", "framework": "API", "interface": "openai", "base_url": url, "tasks": ["vqa"]}
    for card in (old, api):
        (models / f"{card['name']}.yaml").write_text(json.dumps(card))
    (root / "four.csv").write_text(
        "dataset;model_name;limit\n"
        "tiny_receipts;tiny-vlm-strong;8\n"
        "docs_mini;rapidocr;2\n"
        "tiny_receipts;old-reader;8\n"
        "tiny_receipts;far;8\n"
    )


@pytest.fixture(params=[PROCESS, DOCKER])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
    try:
        build(request.param, ENVS_WORKSPACE, images=IMAGES)
    except AssertionError as error:
        if "transformers" in os.environ.get("VLMHB_REQUIRE", "").split(","):
            raise
        pytest.skip(f"the images cannot be built: {error}")
    workspace = tmp_path / "workspace"
    if request.param == "process":  # ready environments beside the one that this test makes
        (workspace / "envs").mkdir(parents=True)
        for env in (ENVS_WORKSPACE / "envs").iterdir():
            (workspace / "envs" / env.name).symlink_to(env)
    return Desk(root=tmp_path, engine=request.param)


@pytest.mark.timeout(900)
def test_four_kinds_of_model_from_one_csv(desk: Desk) -> None:
    with Api() as api:
        write_cards(desk.root, url=api.url)
        built = desk.call("images", "build", "old")
        assert built.returncode == 0, built.stderr
        done = desk.call("run", "four.csv", "--json")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    report = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    found = {item["model"]: item for item in report["evaluations"]}
    assert set(found) == {"tiny-vlm-strong", "rapidocr", "old-reader", "far"}
    assert all(item["coverage"] == 1.0 for item in found.values())
    ours = [
        found[name]["provenance"]["image_digest"] for name in ("tiny-vlm-strong", "rapidocr", "old-reader")
    ]
    assert len(set(ours)) == 3
    assert {found[name]["network"] for name in ("tiny-vlm-strong", "rapidocr", "old-reader")} == {"none"}
    assert found["far"]["network"] in ("host", "egress")
    right = {metric["name"]: metric["value"] for metric in found["tiny-vlm-strong"]["metrics"]}
    assert right["exact_match"] >= 0.75
    assert {metric["name"]: metric["value"] for metric in found["rapidocr"]["metrics"]}["cer"] < 0.2
    assert texts(summary, "tiny_receipts-old-reader") == {f"PIL {OLD_PILLOW}"}
    assert len(api.requests) == 8
    locks = ROOT / "images"
    for name in ("transformers", "rapidocr"):  # what `old` needs is what these exclude
        lines = (locks / name / "requirements.lock").read_text().splitlines()
        pins = [line for line in lines if line.startswith("pillow==")]
        assert pins and not any(line.startswith(f"pillow=={OLD_PILLOW} ") for line in pins)


def texts(summary: dict[str, Any], evaluation: str) -> set[str]:
    path = Path(summary["run_dir"]) / "evaluations" / evaluation / "infer" / "out" / "predictions.jsonl"
    return {json.loads(line)["text"] for line in path.read_text().splitlines()}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("desk", [PROCESS], indirect=True)  # a Docker daemon has a namespace of its own
def test_without_any_network_but_loopback_after_set_up(desk: Desk) -> None:
    """The host itself has none either: the API is on loopback inside the same empty namespace."""
    private = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if shutil.which("ip") is None or subprocess.run([*private, "true"], check=False).returncode != 0:
        pytest.skip("this machine does not let us take the network away (unshare --net)")
    port = 18080  # of a namespace of its own: nobody else can have it
    write_cards(desk.root, url=f"http://127.0.0.1:{port}/v1")
    assert desk.call("images", "build", "old").returncode == 0
    script = f"""
import subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
sys.path.insert(0, {str(ROOT / "tests" / "e2e")!r})
import e2e_api
with e2e_api.Api(port={port}):
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
    prefix = (*private, sys.executable, "-c", script)
    done = desk.call("run", "four.csv", "--json", prefix=prefix)
    assert done.returncode == 0, done.stderr
    counts = [item["counts"] for item in json.loads(done.stdout.splitlines()[-1])["evaluations"]]
    assert [(item["planned"], item["ok"]) for item in counts] == [(8, 8), (2, 2), (8, 8), (8, 8)]
