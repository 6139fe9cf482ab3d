"""Two metric backends whose packages cannot be installed together, made from wheels that are built on the spot."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from e2e_world import World
from vlmhb.cards import load_registry
from vlmhb.images.process_env import env_path

NAMES = ("one", "two")
METRIC = """\
import clashing

def score(prediction, references):
    if clashing.FEATURE != {feature!r}:
        raise RuntimeError("the other version")
    return float(clashing.VERSION) if prediction in references else 0.0
"""
OWN = "def halves(prediction, references):\n    return 0.5\n"


def make_backends(world: World) -> None:
    """Image cards `backend-one` and `backend-two`, their environments, and metric cards `clash_one`, `clash_two`.

    pydantic and numpy, which every backend needs, come from the environment of the stages: nothing is downloaded."""
    wheels = world.root / "wheels"
    wheels.mkdir()
    stages = env_path(load_registry().find_image("stages"), workspace=world.workspace)
    (site,) = stages.resolve().glob("lib/python*/site-packages")
    make_wheel(wheels, name="stagepackages", version="1", files={"stagepackages.pth": f"{site}\n"})
    private_envs(world)
    (world.root / "cards" / "metrics").mkdir()
    for number, name in enumerate(NAMES, start=1):
        source = f"VERSION = {number}\nFEATURE = {name!r}\n"
        make_wheel(wheels, name="clashing", version=str(number), files={"clashing/__init__.py": source})
        code = world.root / "metrics" / f"score_{name}.py"
        code.parent.mkdir(exist_ok=True)
        code.write_text(METRIC.format(feature=name))
        write_image_card(world, name=name, number=number)
        card = {"class_path": f"score_{name}:score", "path": f"../../metrics/score_{name}.py"}
        card |= {"name": f"clash_{name}", "image": f"backend-{name}"}
        (world.root / "cards" / "metrics" / f"{name}.yaml").write_text(json.dumps(card))
    build(world, wheels=wheels)


def private_envs(world: World) -> None:
    """The shared environments stay as they are: those of this test are built beside links to them."""
    shared = world.workspace / "envs"
    targets = sorted((world.envs or Path()).iterdir())
    shared.unlink()
    shared.mkdir()
    for target in targets:
        if target.is_dir():
            (shared / target.name).symlink_to(target)


def write_image_card(world: World, *, name: str, number: int) -> None:
    folder = world.root / "cards" / "images" / f"backend-{name}"
    folder.mkdir(parents=True)
    card = {"name": f"backend-{name}", "tag": f"vlmhb-test/{name}:1"}
    (folder / "image.yaml").write_text(json.dumps(card))
    (folder / "requirements.lock").write_text(f"clashing=={number}\nstagepackages==1\n")


def build(world: World, *, wheels: Path) -> None:
    words = ["images", "build", *(f"backend-{name}" for name in NAMES), "--engine", "process"]
    places = ["--wheelhouse", wheels, "--cards", world.root / "cards", "--workspace", world.workspace]
    argv = [sys.executable, "-m", "vlmhb", *words, *map(str, places)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_wheel(folder: Path, *, name: str, version: str, files: dict[str, str]) -> None:
    info = f"{name}-{version}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content = {**files, **metadata}
    record = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**content, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
