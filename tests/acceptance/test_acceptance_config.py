"""Configs as people really save them, through the real command line: one line per mistake, nothing left behind."""

import json
from pathlib import Path

import pytest
from e2e_world import World

HEAD = "dataset;model_name;limit\n"


def refused(world: World, text: str | bytes, *, name: str = "my.csv") -> list[str]:
    """The lines of a refusal: exit code 2, no traceback, no workspace."""
    world.make(pages=1)
    (world.workspace / "envs").unlink(missing_ok=True)
    world.workspace.rmdir()
    (world.root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = world.call(config=name)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not world.workspace.exists()
    return done.stderr.splitlines()


@pytest.fixture
def bare_world(tmp_path: Path) -> World:
    """Nothing of it is ever started."""
    return World(root=tmp_path, engine="process", envs=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ((HEAD + "pages;page-model;1\n").encode("utf-16"), "VHB102: text is not UTF-8 (looks like UTF-16)"),
        ((HEAD + "pages;page-model;1\n").encode("utf-16-le"), "VHB102: text is not UTF-8 (it has zero bytes"),
        (b"PK\x03\x04\x14\x00\x06\x00", "VHB102: this is a spreadsheet, not text"),
        ("dataset|model_name\npages|page-model\n", "VHB105: no column of a run config"),
        ("# mine\n" + HEAD + "pages;page-model;1\n", "VHB105: no column of a run config"),
        (HEAD + "pages;page-model;1,000\n", "VHB104: '1,000' is not a clear whole number"),
        (HEAD + "pages;page-model;=1+1\n", "VHB104: '=1+1' is not a whole number"),
        (HEAD + f"{'x' * 5000};page-model;1\n", "VHB201: no benchmark 'xxx"),
        ('dataset;model_name\npages;"page\nmodel\u200b2"\n', r"VHB201: no model 'page\nmodel\u200b2'"),
        ("dataset;model_name;budget\npages;page-model;5 $\n", "VHB104: budget '5 $' is not an amount"),
        (
            "dataset;model_name;replicas\npages;page-model;0\n",
            "VHB104: replicas must be greater than or equal to 1",
        ),
    ],
)
def test_a_mistake_is_one_line(bare_world: World, text: str | bytes, said: str) -> None:
    (line,) = refused(bare_world, text)
    assert line.startswith(said)
    assert "my.csv" in line


@pytest.mark.parametrize("field", ["prompt", "dataset", "dataset_path"])
@pytest.mark.parametrize("value", ["a\ud800", "a\x00b"])
def test_characters_that_are_none_are_refused(bare_world: World, field: str, value: str) -> None:
    row = {"dataset": "pages", "model_name": "page-model", field: value}
    (line,) = refused(bare_world, json.dumps({"evaluations": [row]}), name="my.json")
    assert line.startswith("VHB104: the value has a character that is none")
    assert f"column {field}" in line


def test_ten_thousand_mistakes_do_not_flood_the_terminal(bare_world: World) -> None:
    lines = refused(bare_world, HEAD + "pages;page-model;x\n" * 10_000)
    assert len(lines) == 101
    assert lines[-1] == "VHB001: 9900 more errors are not shown; hint: mend the first ones"


def test_a_budget_for_an_unknown_scope_is_refused(bare_world: World) -> None:
    value = {"budget": {"runs": 5}, "evaluations": [{"dataset": "pages", "model_name": "page-model"}]}
    (line,) = refused(bare_world, json.dumps(value), name="my.json")
    assert line.startswith("VHB103: a budget has no scope 'runs'")
    assert line.endswith("hint: did you mean 'run'?")


@pytest.mark.parametrize("data", ["\ufeff\ufeff" + HEAD, "sep=;\r\n" + HEAD, "\ufeffsep=;\n" + HEAD])
def test_what_excel_adds_does_no_harm(process_world: World, data: str) -> None:
    process_world.make(pages=2)
    text = data + "pages;page-model\u200b;1\n"
    (process_world.root / "my.csv").write_text(text, encoding="utf-8", newline="")
    assert process_world.plan(config="my.csv")["pages-page-model", "prepare"]["decision"] == "run"


def test_a_price_table_that_is_not_there_is_refused(bare_world: World) -> None:
    value = {"prices": "p.yaml", "evaluations": [{"dataset": "pages", "model_name": "page-model"}]}
    (line,) = refused(bare_world, json.dumps(value), name="my.json")
    assert line.startswith("VHB120: there is no price table 'p.yaml', in ")


def test_odd_names_of_files_and_models(process_world: World) -> None:
    """Commas, quotes, colons, blanks, line ends and other scripts in paths; markup and slashes in names."""
    process_world.make(pages=2)
    odd = process_world.root / 'мои данные, v1:2 "x"\nend'
    process_world.data.rename(odd)
    link = process_world.root / "link"
    link.symlink_to(odd)
    names = ["<script>alert(1)</script>", "../../up", "x" * 300, "report"]
    process_world.make_cards({name.replace("/", "_")[:40]: {} for name in names})
    for name in names:
        path = process_world.root / "cards" / "models" / f"{name.replace('/', '_')[:40]}.yaml"
        path.write_text(json.dumps({**json.loads(path.read_text()), "name": name, "params": {"of": name}}))
    process_world.config(
        *({"dataset": "pages", "model_name": name, "dataset_path": str(link)} for name in names)
    )
    summary = process_world.run()
    assert {item["status"] for item in summary["evaluations"]} == {"done"}
    assert "<script>alert" not in Path(summary["report"]).read_text(encoding="utf-8")
    assert not list(process_world.root.glob("**/up"))
    assert not (process_world.root.parent / "up").exists()
