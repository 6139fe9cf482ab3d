"""pip is asked for wheels of the image's Python, not of the host's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from demo_card import make_card
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import BuildFailed
from vlmhb.images.base import Base
from vlmhb.images.container_build import build_argv
from vlmhb.images.steps import run_step
from vlmhb.images.wheels import Target, source_words

BOOKWORM = Target(python="3.11", machine="x86_64", glibc="2.36")


def test_platforms_reach_from_the_images_glibc_down() -> None:
    tags = BOOKWORM.platforms()
    assert tags[0] == "manylinux_2_36_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"} <= set(tags)
    assert "manylinux_2_37_x86_64" not in tags
    assert "manylinux2014_aarch64" in Target(python="3.11", machine="aarch64", glibc="2.17").platforms()
    assert "manylinux2014_x86_64" not in Target(python="3.11", machine="x86_64", glibc="2.12").platforms()


def test_pip_words_name_the_interpreter() -> None:
    words = BOOKWORM.pip_words()
    assert words[:4] == ("--python-version", "3.11", "--implementation", "cp")
    assert [words[i + 1] for i, word in enumerate(words) if word == "--abi"] == ["cp311", "abi3", "none"]


def test_a_wheelhouse_means_no_index(tmp_path: Path) -> None:
    assert source_words(None) == ()
    assert source_words(tmp_path) == ("--no-index", "--find-links", str(tmp_path))


@pytest.mark.parametrize(("packages", "has_network"), [((), False), (("tesseract-ocr",), True)])
def test_only_debian_packages_give_a_build_network(
    packages: tuple[str, ...], has_network: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:canary@proxy")
    card = make_card(tmp_path).model_copy(update={"system_packages": packages})
    base = Base(ref="base:1", digest="sha256:0", target=BOOKWORM)
    argv = build_argv(card, engine=ContainerEngine(name="docker"), base=base, context=tmp_path)
    assert ("none" in argv) is not has_network
    assert ("https_proxy" in argv) is has_network
    assert "canary" not in " ".join(argv)


def test_a_failed_step_says_what_and_why(tmp_path: Path) -> None:
    script = "print('ERROR: no matching wheel'); print('done'); raise SystemExit(1)"
    with pytest.raises(BuildFailed, match=r"fetching: ERROR: no matching wheel, in .*log; hint: look"):
        run_step([sys.executable, "-c", script], what="fetching", log=tmp_path / "log", hint="look")


def test_a_step_that_does_not_end_is_killed(tmp_path: Path) -> None:
    script = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    with pytest.raises(BuildFailed, match=r"no end after 1 s"):
        run_step([sys.executable, "-c", script], what="waiting", log=tmp_path / "log", timeout_s=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "log").read_text()), 0)
