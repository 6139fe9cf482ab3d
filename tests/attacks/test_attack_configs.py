"""Run configs, prompts and price tables made to crash, hang or mislead whoever reads them: typed lines, at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from vlmhb.cards.parse import parse_file
from vlmhb.config.promptfile import read_prompt_file
from vlmhb.config.read import read_run_config
from vlmhb.errors import VlmhbError
from vlmhb.pricing.read import read_prices

AT_ONCE_S = 5.0  # each takes milliseconds; without its limit it would take minutes, or all memory
DIGITS = "9" * 5000
HEX = "0x" + "f" * 6000
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
ROW = '"dataset": "d", "model_name": "m"'


def row(field: str) -> str:
    return f'{{"evaluations": [{{{ROW}, {field}}}]}}'


def lines_of(read: Callable[[], object]) -> list[str]:
    """What the user is told. Raises whatever is no user error."""
    started = time.monotonic()
    try:
        found = read()
        errors = [error.line() for error in getattr(found, "errors", ())]
    except VlmhbError as error:
        errors = error.line().splitlines()
    assert time.monotonic() - started < AT_ONCE_S
    return errors


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


def one_refusal(errors: list[str], words: str) -> None:
    assert errors
    assert any(words in line for line in errors), errors
    assert all(line.startswith("VHB") and line.isprintable() for line in errors), errors


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", row(f'"limit": {DIGITS}'), "a whole number of thousands of digits"),
        ("a.json", row('"limit": 1e9999'), "is not a whole number"),
        ("a.json", row('"temperature": NaN'), "is not a number"),
        ("a.json", row('"temperature": -Infinity'), "is not a number"),
        ("a.json", row('"tags": "\\ud800"'), "a character that is none"),
        ("a.json", row('"dataset_path": "a\\u0000/../b"'), "a character that is none"),
        ("a.json", row('"limit": 1, "limit": 2'), "key 'limit' stands twice"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", row('"base_url": "http://a\\r\\nX-Evil: 1/"'), "is not a URL"),
        ("a.json", row('"base_url": "file:///etc/passwd"'), "is not a URL"),
        ("a.json", row('"base_url": "http://user:pass@host/"'), "holds a secret"),
        ("a.json", row('"api_key": "secret:../../etc/passwd"'), "VHB109"),
        ("a.json", row('"\\u202eemanledom": "x"'), "unknown column"),
        ("a.json", json.dumps({"matrix": {"dataset": ["d"] * 999, "model_name": ["m"] * 999}}), "combinations"),
        ("a.yaml", BOMB, "too large once its aliases are expanded"),
        ("a.yaml", "a: &x [*x]\n", "an alias that contains itself"),
        ("a.yaml", "!!python/object/apply:os.system ['touch pwned']\n", "is not allowed"),
        ("a.yaml", "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a.yaml", "{a: " * 3000 + "}" * 3000, "nested too deeply"),
        ("a.yaml", f"evaluations: [{{dataset: d, model_name: m, limit: {HEX}}}]\n", "thousands of digits"),
        ("a.yaml", "evaluations: [{dataset: d, model_name: m, limit: .inf}]\n", "is not a whole number"),
        ("a.csv", ";".join(f"c{n}" for n in range(100_000)), "100000 columns, more than 2000"),
        ("a.csv", ";".join(["dataset"] * 100_000), "100000 columns, more than 2000"),
        ("a.csv", 'dataset;model_name\n"' + "x" * 300_000 + '";m\n', "a cell is longer than"),
        ("a.csv", b"dataset;model_name\nd\0;m\n", "not UTF-8"),
        ("a.csv", b"PK\x03\x04" + bytes(99), "a spreadsheet, not text"),
    ],
)  # fmt: skip
def test_run_configs(tmp_path: Path, name: str, text: str | bytes, words: str) -> None:
    path = written(tmp_path, name, text)
    one_refusal(lines_of(lambda: read_run_config(path)), words)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("a\\ud800b {{ question }}", "a character that is none"),
        ("{{ " + "1+" * 3000 + "1 }}", "nested too deeply"),
        ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "nested too deeply"),
        (f"{{{{ {DIGITS} }}}}", "thousands of digits"),
        ("{% include '/etc/passwd'", "unexpected end of template"),
    ],
)
def test_prompt_files(tmp_path: Path, user: str, words: str) -> None:
    path = written(tmp_path, "p.json", f'{{"default": {{"user": "{user}"}}}}')
    one_refusal(lines_of(lambda: read_prompt_file(path)), words)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**10 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{% for a in range(10**9) %}{% for b in range(10**9) %}x{% endfor %}{% endfor %}",
        "{% if 'a' * 10**10 %}{{ question }}{% endif %}",
        "{{ [0] * 10**10 }}{% set x = 'a' * 10**10 %}",
        "{{ 'a' | center(10**10) }}",
    ],
)
def test_nothing_of_a_template_is_worked_out_on_the_host(tmp_path: Path, template: str) -> None:
    """Its form alone is looked at here; it is rendered, and fails, in `prepare` under limits."""
    path = written(tmp_path, "p.yaml", f'default: {{user: "{template} {{{{ metadata.x }}}}"}}\n')
    assert lines_of(lambda: read_prompt_file(path)) == []


@pytest.mark.parametrize(
    "value", [".nan", ".inf", "-1", "1e9999", HEX, DIGITS, "[[1]]", "!!python/name:os.system"]
)
def test_price_tables(tmp_path: Path, value: str) -> None:
    text = f"currency: USD\ndate: 2026-01-01\nsource: s\nmodels: {{m: {{input: {value}, output: 1}}}}\n"
    path = written(tmp_path, "prices.yaml", text)
    errors = lines_of(lambda: read_prices(path))
    one_refusal(errors, "VHB120")
    assert max(map(len, errors)) < 500 + len(str(path))


MODEL = "name: m\nframework: f\ntasks: [vqa]\nimage: i\ninterface: server\n"
SERVER = "server: {{command: [serve, '{{socket}}'], env: {{{env}}}}}\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (SERVER.format(env="LD_PRELOAD: /x.so"), "LD_PRELOAD may not come from a card"),
        (SERVER.format(env="PYTHONPATH: /x"), "PYTHONPATH may not come from a card"),
        (SERVER.format(env="VLMHB_ROOT: /"), "VLMHB_ROOT may not come from a card"),
        (SERVER.format(env='"A=B": c'), "is no name of a variable"),
        (SERVER.format(env='"A\\nB": c'), "is no name of a variable"),
        (SERVER.format(env="A: !!python/name:os.system x"), "is not allowed"),
        ("mounts: ['/:/host']\n", "knows no field mounts"),
        ("volumes: ['/var/run/docker.sock:/s']\n", "knows no field volumes"),
        ("entrypoint: [sh]\n", "knows no field entrypoint"),
        ("privileged: true\n", "knows no field privileged"),
        ("devices: [/dev/mem]\n", "knows no field devices"),
        ("user: root\n", "knows no field user"),
        ("network: host\n", "field network"),
        ("api_key: sk-0123456789abcdef01\n", "holds a key itself"),
    ],
)
def test_model_cards(tmp_path: Path, more: str, words: str) -> None:
    path = written(tmp_path, "m.yaml", MODEL + more)
    errors = lines_of(lambda: parse_file(path, kind="model"))
    one_refusal(errors, words)
    assert "sk-0123456789abcdef01" not in "".join(errors)


def test_what_a_vendors_server_may_be_told(tmp_path: Path) -> None:
    path = written(
        tmp_path, "m.yaml", MODEL + SERVER.format(env="HF_HUB_OFFLINE: '1', LD_LIBRARY_PATH: /cuda")
    )
    assert lines_of(lambda: parse_file(path, kind="model")) == []
