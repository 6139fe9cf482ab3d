"""The copy of a config that a run keeps has no path of a webhook in it, however that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from vlmhb.config import read_run_config
from vlmhb.configcopy import HIDDEN, keep_config, masked
from vlmhb.runs import RunRecord
from vlmhb.store.workspace import Workspace

CANARY = "canary-5f3a"
URL = f"https://hooks.example.org/services/T0/{CANARY}?b=1"
ROWS = "evaluations:\n- {dataset: d, model_name: m}\n"
ESCAPED = URL.replace("/", "\\/")


def kept(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    config = read_run_config(path).config
    assert config is not None and config.alerts.webhook is not None
    keep_config(config, folder=folder / "run")
    return (folder / "run" / f"config{path.suffix}").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", f"# told to us\n{ROWS}alerts: {{webhook: '{URL}'}}  # was {URL}\n"),
        ("a.yaml", f'{ROWS}alerts:\n  webhook: "https://hooks.example.org/serv\\x69ces/T0/{CANARY}?b=1"\n'),
        (
            "a.yaml",
            f'{ROWS}alerts:\n  webhook: "https://hooks.example.org/\\\n    services/T0/{CANARY}?b=1"\n',
        ),
        (
            "a.json",
            f'{{"evaluations": [{{"dataset": "d", "model_name": "m"}}], "alerts": {{"webhook": "{ESCAPED}"}}}}',
        ),
    ],
)
def test_the_path_of_a_webhook_is_hidden(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "run").mkdir()
    copy = kept(tmp_path, name, text)
    assert CANARY not in copy
    told = yaml.safe_load(copy)
    assert told["alerts"] == {"webhook": f"https://hooks.example.org/{HIDDEN}"}
    assert told["evaluations"] == [{"dataset": "d", "model_name": "m"}]


def test_all_else_is_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    text = f"# mine\n{ROWS}alerts: {{webhook: secret:HOOK}}\n"
    assert kept(tmp_path, "a.yaml", text) == text
    assert kept(tmp_path, "b.yaml", text.replace("secret:HOOK", f"'{URL}'")).startswith(
        "# mine\nevaluations:\n- {dataset"
    )


def test_a_host_alone_tells_no_secret() -> None:
    assert masked("https://example.org") == "https://example.org"
    assert masked(f"https://user:{CANARY}@example.org") == f"https://example.org/{HIDDEN}"
    assert masked(f"https://example.org?token={CANARY}") == f"https://example.org/{HIDDEN}"


def test_no_file_of_a_run_has_the_canary(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{ROWS}alerts: {{webhook: '{URL}'}}\n")
    config = read_run_config(path).config
    assert config is not None
    record = RunRecord(Workspace.open(tmp_path / "workspace"), "a-1")
    record.begin(config, plan=[], engine="process", command=["vlmhb", "run", "a.yaml"])
    record.end([], status="done", exit_code=0)
    files = [file for file in (tmp_path / "workspace").rglob("*") if file.is_file()]
    assert any(file.name == "config.yaml" for file in files)
    assert [file for file in files if CANARY.encode() in file.read_bytes()] == []
