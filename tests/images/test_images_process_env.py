"""Environments of the `process` engine: built from a wheelhouse, found by content, never half there."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo_card import make_card, make_wheel
from vlmhb.command import run_command
from vlmhb.engines.process import ProcessEngine
from vlmhb.errors import BadCard, BuildFailed, ImageMissing
from vlmhb.images.build import build_image
from vlmhb.images.process_env import MARKER, env_path
from vlmhb.images.resolve import list_images, resolve_image

ENGINE = ProcessEngine()


def test_build_resolve_and_build_again(tmp_path: Path) -> None:
    card = make_card(tmp_path / "images")
    wheels = make_wheel(tmp_path / "wheels").parent
    workspace, log = tmp_path / "ws", tmp_path / "log"
    cards = {"demo": card}

    with pytest.raises(ImageMissing) as error:
        resolve_image("demo", engine=ENGINE, workspace=workspace, cards=cards)
    assert error.value.hint == "vlmhb images build demo --engine process"

    built = build_image(card, engine_name="process", wheelhouse=wheels, workspace=workspace, log=log)
    spec = resolve_image("demo", engine=ENGINE, workspace=workspace, cards=cards)
    assert (built.digest, built.ref) == (spec.identity, str(spec.env))
    assert spec.env is not None
    said = run_command([str(spec.env / "bin/python3"), "-c", "import vlmhb_demo; print(vlmhb_demo.VERSION)"])
    assert said.stdout == "1.0\n"
    assert [row.state for row in list_images(cards, engine=ENGINE, workspace=workspace)] == ["built"]

    before = log.read_text()
    build_image(card, engine_name="process", wheelhouse=wheels, workspace=workspace, log=log)
    assert log.read_text() == before  # nothing was done a second time

    (spec.env / MARKER).unlink()  # as if the first build had been killed
    assert [row.state for row in list_images(cards, engine=ENGINE, workspace=workspace)] == ["missing"]
    assert build_image(card, engine_name="process", wheelhouse=wheels, workspace=workspace, log=log) == built


def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    first = env_path(make_card(tmp_path / "a"), workspace=tmp_path)
    assert env_path(make_card(tmp_path / "b"), workspace=tmp_path) == first
    assert env_path(make_card(tmp_path / "c", version="2.0"), workspace=tmp_path) != first


def test_finish_script_runs_in_the_new_environment_and_counts_for_its_identity(tmp_path: Path) -> None:
    plain = env_path(make_card(tmp_path / "plain"), workspace=tmp_path)
    card = make_card(tmp_path / "images")
    script = Path(card.origin).parent / "finish.py"
    script.write_text(
        "import pathlib, sys, vlmhb_demo\npathlib.Path(sys.prefix, 'finished').write_text('yes')\n"
    )
    wheels = make_wheel(tmp_path / "wheels").parent
    built = build_image(
        card, engine_name="process", wheelhouse=wheels, workspace=tmp_path, log=tmp_path / "log"
    )
    assert (Path(built.ref) / "finished").read_text() == "yes"
    assert Path(built.ref).name != plain.name
    script.write_text("raise SystemExit('no such library')\n")
    with pytest.raises(BuildFailed, match="finishing demo: no such library"):
        build_image(card, engine_name="process", wheelhouse=wheels, workspace=tmp_path, log=tmp_path / "log")


def test_a_failed_build_is_one_line_and_leaves_no_image(tmp_path: Path) -> None:
    card = make_card(tmp_path / "images")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BuildFailed) as error:
        build_image(card, engine_name="process", wheelhouse=empty, workspace=tmp_path, log=tmp_path / "log")
    assert "\n" not in error.value.line()
    assert "vlmhb-demo" in error.value.line()
    with pytest.raises(ImageMissing):
        resolve_image("demo", engine=ENGINE, workspace=tmp_path, cards={"demo": card})


def test_foreign_images_need_a_container_engine(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match="cannot run on the engine"):
        resolve_image("vllm/vllm-openai:v1", engine=ENGINE, workspace=tmp_path, cards={})


def test_card_without_a_lock(tmp_path: Path) -> None:
    card = make_card(tmp_path)
    (tmp_path / "demo/requirements.lock").unlink()
    with pytest.raises(BadCard, match=r"requirements\.lock"):
        build_image(card, engine_name="process", workspace=tmp_path, log=tmp_path / "log")
