"""Images for Apptainer: converted from Docker's, or built with no other engine; never twice from the same content."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_card import make_card, make_wheel
from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.base import ContainerTask
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import BuildFailed, ImageMissing
from vlmhb.images.apptainer_build import build_apptainer_image
from vlmhb.images.apptainer_job import ApptainerBuild
from vlmhb.images.apptainer_rootfs import image_env
from vlmhb.images.base import OFFICIAL, OWN
from vlmhb.images.container_build import build_container_image
from vlmhb.images.pins import Pin, write_pin
from vlmhb.images.resolve import list_images, resolve_image

pytestmark = pytest.mark.apptainer
TAG = f"vlmhb-test/demo-sif:{os.getpid()}"
FACTS = "import os, vlmhb_demo; print(vlmhb_demo.VERSION, os.environ['PATH'].split(':')[0], os.environ['A'])"


def job(card: ImageCard | str, engine: ApptainerEngine, folder: Path, **changes: object) -> ApptainerBuild:
    places = {"base": None, "wheelhouse": folder / "wheels", "workspace": folder, "log": folder / "log"}
    return ApptainerBuild(image=card, engine=engine, **{**places, **changes})


def said_inside(engine: ApptainerEngine, card: ImageCard, folder: Path) -> str:
    """What a task on the image says, started like any other."""
    spec = resolve_image("demo", engine=engine, workspace=folder, cards={"demo": card})
    task = ContainerTask(
        name="demo", image=spec, command=("python3", "-c", FACTS), env={"A": "1"}, user="65534:65534"
    )
    log = folder / "said"
    handle = engine.start(task, log=log)
    deadline = time.monotonic() + 60
    while handle.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    handle.stop(grace_s=0)
    return log.read_text()


@pytest.fixture(scope="module")
def base_image(docker_engine: ContainerEngine) -> str:
    found = next((ref for ref in (OFFICIAL, OWN) if docker_engine.image_id(ref)), None)
    if found is None:
        pytest.skip("docker has no Python base image: images/base/make_base.py makes one")
    return found


@pytest.fixture(scope="module")
def base_folder(
    docker_engine: ContainerEngine, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The base system as a folder, as `make_base.py --folder` makes it from a Debian mirror."""
    folder = tmp_path_factory.mktemp("base")
    made = docker_engine.cli("create", base_image, "true").stdout.strip()
    try:
        with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
            words = ["tar", "--extract", "--no-same-owner", "--exclude=dev/*", f"--directory={folder}"]
            subprocess.run(words, stdin=export.stdout, check=True)
    finally:
        docker_engine.cli("rm", made)
    folder.chmod(0o755)
    yield folder


@pytest.mark.docker
def test_an_image_of_docker_is_converted_once(
    docker_engine: ContainerEngine, base_image: str, apptainer_engine: ApptainerEngine, tmp_path: Path
) -> None:
    card = make_card(tmp_path / "images", tag=TAG)
    wheels = make_wheel(tmp_path / "wheels").parent
    try:
        log = tmp_path / "docker-log"
        docker = build_container_image(
            card, engine=docker_engine, base=base_image, wheelhouse=wheels, workspace=tmp_path, log=log
        )
        pin = build_apptainer_image(job(card, apptainer_engine, tmp_path))
        assert (pin.digest, pin.base) == (docker.digest, f"docker:{TAG}")
        assert said_inside(apptainer_engine, card, tmp_path) == "1.0 /opt/venv/bin 1\n"

        left = tmp_path / "images" / "apptainer" / ".build-killed"
        left.mkdir()
        again = job(card, apptainer_engine, tmp_path, log=tmp_path / "second")
        assert build_apptainer_image(again) == pin
        assert not again.log.exists()  # nothing was done
        assert not left.exists()  # but for what a killed build had left
    finally:
        docker_engine.cli("image", "rm", TAG)

    (tmp_path / "images/demo/requirements.lock").write_text("vlmhb-demo==2.0\n")
    (row,) = list_images({"demo": card}, engine=apptainer_engine, workspace=tmp_path)
    assert (row.state, row.ref, row.digest) == ("stale", pin.ref, pin.digest)


@pytest.mark.docker
def test_an_image_is_built_with_no_other_engine(
    base_folder: Path, apptainer_engine: ApptainerEngine, tmp_path: Path
) -> None:
    card = make_card(tmp_path / "images", tag="vlmhb-test/never-in-docker:1")
    make_wheel(tmp_path / "wheels")
    pin = build_apptainer_image(job(card, apptainer_engine, tmp_path, base=str(base_folder)))
    assert pin.digest.startswith("built:")
    assert said_inside(apptainer_engine, card, tmp_path) == "1.0 /opt/venv/bin 1\n"
    assert build_apptainer_image(job(card, apptainer_engine, tmp_path, base=str(base_folder))) == pin

    make_wheel(tmp_path / "wheels", version="2.0")
    (tmp_path / "images/demo/requirements.lock").write_text("vlmhb-demo==2.0\n")
    newer = build_apptainer_image(job(card, apptainer_engine, tmp_path, base=str(base_folder)))
    assert newer.digest != pin.digest
    assert said_inside(apptainer_engine, card, tmp_path).endswith("2.0 /opt/venv/bin 1\n")


def test_an_image_that_is_not_there_is_told_with_its_remedy(
    apptainer_engine: ApptainerEngine, tmp_path: Path
) -> None:
    card = make_card(tmp_path / "images")
    with pytest.raises(ImageMissing) as error:
        resolve_image("demo", engine=apptainer_engine, workspace=tmp_path, cards={"demo": card})
    assert error.value.hint == "vlmhb images build demo --engine apptainer"
    (row,) = list_images({"demo": card}, engine=apptainer_engine, workspace=tmp_path)
    assert row.state == "missing"


def test_a_foreign_image_is_named_by_its_digest(apptainer_engine: ApptainerEngine, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="neither Docker nor Podman") as error:
        build_apptainer_image(job("nowhere.invalid/some/image:1", apptainer_engine, tmp_path))
    assert "@sha256:" in error.value.hint


def test_a_base_that_is_none_is_one_line(apptainer_engine: ApptainerEngine, tmp_path: Path) -> None:
    card = make_card(tmp_path / "images")
    with pytest.raises(BuildFailed, match="no folder with a Debian system"):
        build_apptainer_image(job(card, apptainer_engine, tmp_path, base=str(tmp_path)))


def test_variables_are_those_of_the_last_stage(tmp_path: Path) -> None:
    card = make_card(tmp_path)
    text = (
        'FROM a AS x\nENV EARLY=1\nFROM b\nENV A=1 B="two words" \\\n    C=3\nENV PATH=/opt/venv/bin:/bin\n'
    )
    (tmp_path / "demo/Dockerfile").write_text(text)
    assert image_env(card) == {"A": "1", "B": "two words", "C": "3", "PATH": "/opt/venv/bin:/bin"}


def test_a_broken_image_does_not_count(apptainer_engine: ApptainerEngine, tmp_path: Path) -> None:
    """Killed between the image and its record: it is made again."""
    card = make_card(tmp_path / "images")
    pin = Pin(ref="demo-0123.sif", digest="sha256:0123", inputs="", base="", base_digest="")
    write_pin(tmp_path, engine="apptainer", name="demo", pin=pin)
    folder = tmp_path / "images" / "apptainer"
    folder.mkdir(parents=True)
    (folder / pin.ref).write_text("half")
    with pytest.raises(ImageMissing):
        resolve_image("demo", engine=apptainer_engine, workspace=tmp_path, cards={"demo": card})
