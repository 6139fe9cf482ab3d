"""The command line starts fast and every error before the start is one line, and JSON where that was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pydantic", "yaml", "rich", "jinja2", "numpy", "PIL", "aiohttp")
LOOK = """
import sys
sys.argv = ["vlmhb", *{argv!r}]
from vlmhb.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print([name for name in {heavy!r} if name in sys.modules], code, file=sys.stderr)
"""


def vlmhb(*args: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlmhb", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        check=False,
    )


@pytest.mark.parametrize(
    ("argv", "heavy"),
    [
        (["--help"], HEAVY),
        (["run", "--help"], HEAVY[1:]),  # Typer itself uses pydantic for the options of a command
        (["status", "--help"], HEAVY[1:]),
    ],
)
def test_help_imports_nothing_heavy(argv: list[str], heavy: tuple[str, ...], tmp_path: Path) -> None:
    code = LOOK.format(argv=argv, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr.strip() == "[] 0"
    assert "Usage: vlmhb" in done.stdout


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_bad_config_is_one_line_and_one_json_object(tmp_path: Path, command: str) -> None:
    done = vlmhb(command, "absent.csv", "--json", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    (shown,) = done.stdout.splitlines()
    assert json.loads(shown) == {
        "run_id": None,
        "run_dir": None,
        "report": None,
        "status": "not started",
        "exit_code": 2,
        "evaluations": [],
        "errors": [{"code": "VHB101", "message": line}],
    }


def test_each_of_several_errors_is_an_object(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("dataset;model_name\nnowhere;nobody\nnothing;nobody\n")
    done = vlmhb("run", "c.csv", "--json", cwd=tmp_path)
    errors = json.loads(done.stdout)["errors"]
    assert done.returncode == 2
    assert len(errors) >= 3
    assert {error["code"] for error in errors} == {"VHB201"}
    assert all(error["message"] in done.stderr for error in errors)


def test_an_engine_that_is_not_there_is_3(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("dataset;model_name\ndocs_mini;rapidocr\n")
    env = {"PATH": str(tmp_path)}
    done = vlmhb("run", "c.csv", "--json", "--engine", "podman", cwd=tmp_path, env=env)
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["exit_code"], shown["run_id"]) == (3, 3, None)
    assert shown["errors"][0]["code"] == "VHB301"


def test_without_json_stdout_is_empty(tmp_path: Path) -> None:
    done = vlmhb("run", "absent.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "workspace").exists()


def test_a_full_pipe_reader_may_leave(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "vlmhb", "models", "list"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert "Traceback" not in done.stderr


def test_images_build_without_a_name_says_what_to_name(tmp_path: Path) -> None:
    done = vlmhb("images", "build", cwd=tmp_path)
    assert done.returncode == 2
    assert "--for CONFIG or --all" in done.stderr
    assert not list(tmp_path.iterdir())


def test_looking_at_runs_creates_no_folder(tmp_path: Path) -> None:
    done = vlmhb("status", "-w", "absent", cwd=tmp_path)
    assert done.returncode == 2
    assert "VHB404: there is no run yet" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_metric_gets_the_nearest_names(tmp_path: Path) -> None:
    done = vlmhb("metrics", "show", "cerr", cwd=tmp_path)
    assert done.stderr.startswith("VHB201: unknown metric 'cerr'; hint: did you mean 'cer'")
