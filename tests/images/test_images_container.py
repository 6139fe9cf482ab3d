"""Images built by real engines with no network, and found again by content."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from demo_card import make_card, make_wheel
from vlmhb.engines.base import ContainerTask
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import BuildFailed, ImageMissing
from vlmhb.images.base import OFFICIAL, OWN
from vlmhb.images.container_build import build_container_image
from vlmhb.images.inputs import inputs_sha256
from vlmhb.images.pins import read_pin
from vlmhb.images.resolve import list_images, resolve_image

TAG = f"vlmhb-test/demo:{os.getpid()}"


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=[pytest.mark.podman, pytest.mark.slow]),
    ]
)
def engine(request: pytest.FixtureRequest) -> ContainerEngine:
    found = request.getfixturevalue(f"{request.param}_engine")
    if not any(found.image_id(ref) for ref in (OFFICIAL, OWN)):
        pytest.skip(f"{found.name} has no Python base image: images/base/make_base.py makes one")
    return found


def test_build_run_and_build_again(engine: ContainerEngine, tmp_path: Path) -> None:
    card = make_card(tmp_path / "images", tag=TAG)
    wheels = make_wheel(tmp_path / "wheels").parent
    options = {"engine": engine, "base": None, "wheelhouse": wheels, "workspace": tmp_path}
    try:
        pin = build_container_image(card, log=tmp_path / "log", **options)
        cards = {"demo": card}
        warnings: list[str] = []
        spec = resolve_image("demo", engine=engine, workspace=tmp_path, cards=cards, warn=warnings.append)
        assert (spec.identity, spec.ref, warnings) == (pin.digest, TAG, [])
        assert read_pin(tmp_path, engine=engine.name, name="demo") == pin
        assert _version_inside(engine, spec, log=tmp_path / "run.log") == "1.0\n"

        assert build_container_image(card, log=tmp_path / "second", **options) == pin
        assert not (tmp_path / "second").exists()  # nothing was done

        (tmp_path / "images/demo/requirements.lock").write_text("vlmhb-demo==2.0\n")
        resolve_image(TAG, engine=engine, workspace=tmp_path, cards=cards, warn=warnings.append)
        assert "built from other files" in warnings[0]
        (row,) = list_images(cards, engine=engine, workspace=tmp_path)
        assert row.state == "stale"
        with pytest.raises(BuildFailed, match=r"vlmhb-demo==2\.0"):
            build_container_image(card, log=tmp_path / "third", **options)
    finally:
        engine.cli("image", "rm", TAG)


def test_image_that_is_not_here(engine: ContainerEngine, tmp_path: Path) -> None:
    card = make_card(tmp_path, tag="vlmhb-test/never:1")
    with pytest.raises(ImageMissing) as error:
        resolve_image("demo", engine=engine, workspace=tmp_path, cards={"demo": card})
    assert error.value.hint == f"vlmhb images build demo --engine {engine.name}"
    with pytest.raises(ImageMissing) as error:
        resolve_image("other/image:1", engine=engine, workspace=tmp_path, cards={})
    assert error.value.hint == f"{engine.name} pull other/image:1"


def test_base_without_python_is_refused(engine: ContainerEngine, tmp_path: Path) -> None:
    card = make_card(tmp_path)
    with pytest.raises(BuildFailed, match="neither here nor reachable"):
        build_container_image(
            card,
            engine=engine,
            base="localhost:1/no/such:1",
            wheelhouse=tmp_path,
            workspace=tmp_path,
            log=tmp_path / "log",
        )


def test_description_does_not_make_an_image_stale(tmp_path: Path) -> None:
    card = make_card(tmp_path)
    before = inputs_sha256(card)
    (tmp_path / "demo/image.yaml").write_text("name: demo\ntag: x\ndescription: other words\n")
    assert inputs_sha256(card) == before
    (tmp_path / "demo/Dockerfile").write_text("FROM scratch\n")
    assert inputs_sha256(card) != before


def _version_inside(engine: ContainerEngine, spec, *, log: Path) -> str:
    code = "import vlmhb_demo; print(vlmhb_demo.VERSION)"
    task = ContainerTask(name=f"vlmhb-test-demo-{os.getpid()}", image=spec, command=("python3", "-c", code))
    handle = engine.start(task, log=log)
    while (ended := handle.poll()) is None:
        time.sleep(0.05)
    assert ended.code == 0
    return log.read_text()
