"""Values of model cards that look like secrets: one line warns of them, references are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb.cards import load_registry
from vlmhb.config import read_run_config
from vlmhb.config.resolve import ResolveResult, Roots, resolve

CARD = "name: m\nframework: F\nimage: i:1\ntasks: [ocr]\n"
SERVER = CARD + "interface: server\nserver:\n  command: [serve{more}]\n  env: {{{env}}}\n"
OWN = CARD + "interface: python\nclass_path: a:B\nparams: {{{params}}}\n"


def resolved(folder: Path, card: str) -> ResolveResult:
    (folder / "models").mkdir()
    (folder / "models/m.yaml").write_text(card)
    (folder / "u.csv").write_text("dataset;model_name\ndocs_mini;m\n")
    config = read_run_config(folder / "u.csv").config
    assert config is not None
    registry = load_registry(user_dirs=[folder])
    roots = Roots(config_dir=folder, cwd=folder)
    return resolve(config, registry=registry, roots=roots, workspace=folder / "w")


@pytest.mark.parametrize(
    ("card", "name"),
    [
        (SERVER.format(env="HF_TOKEN: canary", more=""), "server.env.HF_TOKEN"),
        (
            SERVER.format(env="my_api_key: canary, DB_PASSWORD: canary", more=""),
            "my_api_key, server.env.DB_PASSWORD",
        ),
        (SERVER.format(env="OTHER: hf_canary0123456789abcdef", more=""), "server.env.OTHER"),
        (SERVER.format(env="", more=", --api-key, canary"), "--api-key of the command"),
        (OWN.format(params="access_token: canary"), "params.access_token"),
    ],
)
def test_a_literal_secret_is_told_in_one_line_and_never_repeated(
    tmp_path: Path, card: str, name: str
) -> None:
    result = resolved(tmp_path, card)
    assert result.errors == ()
    (warning,) = result.evaluations[0].warnings
    assert name in warning and "may be a secret, and is stored as it stands" in warning
    assert "canary" not in warning


@pytest.mark.parametrize(
    "card",
    [
        SERVER.format(env="VLLM_TOKEN_LIMIT: '5', KEYBOARD: de, TOKENIZERS_PARALLELISM: 'false'", more=""),
        SERVER.format(env="", more=", --tokenizer, x, sk-learn"),
        OWN.format(params="pad_token: <pad>, max_tokens: 5, tokenizer: x, key: total"),
    ],
)
def test_words_of_models_are_no_secrets(tmp_path: Path, card: str) -> None:
    assert resolved(tmp_path, card).evaluations[0].warnings == ()


@pytest.mark.parametrize(
    "card",
    [SERVER.format(env="HF_TOKEN: secret:HF_TOKEN", more=""), OWN.format(params="token: secret:HF_TOKEN")],
)
def test_a_reference_that_nobody_would_replace_is_refused(tmp_path: Path, card: str) -> None:
    (error,) = resolved(tmp_path, card).errors
    assert error.line().startswith("VHB110: ") and "secret:NAME is not replaced here" in error.line()
