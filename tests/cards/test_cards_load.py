"""Cards from every source, which one wins, and the mistakes in them."""

import sys
from pathlib import Path

import pytest
from vlmhb.cards import images_dir, load_registry
from vlmhb.errors import ErrorList, VlmhbError
from vlmhb.modelcard import ModelCard

MODEL = """\
name: mine
framework: HuggingFace
interface: openai
base_url: http://127.0.0.1:8000/v1
tasks: [vqa, ocr]
decoding: {temperature: 0.5}
"""
BENCHMARK = "name: pages\nloader: jsonl\npath: data\nmetrics: [cer]\n"
METRIC = "name: mine\nclass_path: mine:score\n"
IMAGE = "name: box\ntag: example/box:1\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def lines_of(folder: Path) -> list[str]:
    with pytest.raises(ErrorList) as caught:
        load_registry(user_dirs=[folder])
    return [error.line() for error in caught.value.errors]


def test_packaged_cards_load_and_name_their_file() -> None:
    registry = load_registry()
    origins = [card.origin for card in registry.models] + [card.origin for card in registry.benchmarks]
    assert origins and all(Path(origin).is_file() for origin in origins)


def test_user_folders_with_subfolders_and_several_documents(tmp_path: Path) -> None:
    write(tmp_path / "models" / "m.yaml", f"{MODEL}---\n{MODEL.replace('mine', 'other')}")
    write(tmp_path / "benchmarks" / "b.yml", BENCHMARK)
    write(tmp_path / "images" / "box" / "image.yaml", IMAGE)
    registry = load_registry(user_dirs=[tmp_path])
    card = registry.find_model("mine", "hf")
    assert (card.framework, card.tasks, card.decoding.temperature) == ("Hugging Face", ("vqa", "ocr"), 0.5)
    assert card.origin == str(tmp_path / "models" / "m.yaml")
    assert registry.find_model("other", None).name == "other"
    assert registry.find_benchmark("pages", None).path == "data"
    assert registry.find_image("box").tag == "example/box:1"


def test_metric_cards_tell_themselves_by_their_class_path(tmp_path: Path) -> None:
    write(tmp_path / "metrics" / "m.yaml", METRIC)
    write(tmp_path / "flat.yml", METRIC.replace("mine", "other") + "version: 2\n")
    own = "name: user\nframework: F\ninterface: python\nclass_path: a:B\ntasks: [ocr]\n"
    write(tmp_path / "model.yaml", own)
    registry = load_registry(user_dirs=[tmp_path])
    assert [(card.name, card.version) for card in registry.metrics] == [("mine", None), ("other", "2")]
    assert registry.find_model("user", None).class_path == "a:B"
    assert registry.find_metric("nothing") is None


def test_mistakes_in_metric_cards(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "name: Mine\nclass_path: no_colon\ndirection: up\n")
    lines = lines_of(tmp_path)
    assert [line.split(":")[1].strip() for line in lines] == [
        "field name",
        "field class_path",
        "field direction",
    ]
    write(tmp_path / "a.yaml", METRIC)
    write(tmp_path / "b.yaml", METRIC)
    assert lines_of(tmp_path) == [
        f"VHB202: 'mine' is described twice, in {tmp_path / 'b.yaml'}; hint: the other one is in {tmp_path / 'a.yaml'}"
    ]


def test_a_flat_folder_holds_cards_of_every_kind(tmp_path: Path) -> None:
    write(
        tmp_path / "all.yaml", f"{MODEL}---\n{BENCHMARK}---\nkind: image\n{IMAGE}---\nkind: metric\n{METRIC}"
    )
    registry = load_registry(user_dirs=[tmp_path])
    assert registry.find_metric("mine")
    assert registry.find_model("mine", None) and registry.find_benchmark("pages", None)
    assert registry.find_image("box")


def test_a_later_folder_replaces_a_card_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "one" / "m.yaml", MODEL)
    write(tmp_path / "two" / "m.yaml", MODEL.replace("8000", "9000"))
    registry = load_registry(user_dirs=[tmp_path / "one", tmp_path / "two"])
    assert [card.base_url for card in registry.models if card.name == "mine"] == ["http://127.0.0.1:9000/v1"]


def test_every_mistake_of_every_file_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "name: a\ninterface: opnai\ntasks: [vqa, dance]\nframwork: hf\n")
    write(tmp_path / "b.yaml", "name: b\nname: c\n")
    write(tmp_path / "c.yaml", "just: this\n")
    write(tmp_path / "models" / "d.yaml", BENCHMARK)
    write(tmp_path / "e.yaml", MODEL + "retry:\n  attempts: many\n")
    a, c, d, e = (tmp_path / name for name in ("a.yaml", "c.yaml", "models/d.yaml", "e.yaml"))
    interfaces = (
        "'rapidocr', 'tesseract', 'transformers', 'server', 'command', 'openai', 'anthropic', 'gemini', 'replay', "
        "'upstream' or 'python'"
    )
    task_types = "'ocr', 'vqa', 'kie', 'classification', 'tables', 'parsing' or 'sorting'"
    number = "input should be a valid integer, unable to parse string as an integer"
    expected = [
        f"the model card has no field framework, in {a}, row 1",
        f"field interface: input should be {interfaces}, in {a}, row 2",
        f"field tasks.1: input should be {task_types}, in {a}, row 3",
        f"a model card knows no field framwork, in {a}, row 4; hint: did you mean 'framework'?",
        f"key 'name' stands twice, in {tmp_path / 'b.yaml'}, row 2",
        f"cannot tell what this card describes, in {c}, row 1; hint: write kind: model, benchmark, metric or image",
        f"field retry.attempts: {number}, in {e}, row 8",
        f"the model card has no field framework, in {d}, row 1",
        f"the model card has no field interface, in {d}, row 1",
        f"the model card has no field tasks, in {d}, row 1",
        f"a model card knows no field loader, in {d}, row 2",
        f"a model card knows no field metrics, in {d}, row 4",
    ]
    assert lines_of(tmp_path) == [f"VHB202: {line}" for line in expected]


def test_the_same_name_twice_in_one_folder_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", MODEL)
    write(tmp_path / "b.yaml", MODEL.replace("HuggingFace", "hf"))
    assert lines_of(tmp_path) == [
        f"VHB202: 'mine' is described twice, in {tmp_path}/b.yaml; "
        f"hint: the other one is in {tmp_path}/a.yaml"
    ]


def test_a_key_in_a_card_is_refused_and_never_repeated(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", MODEL + "api_key: canary-1234\n")
    (line,) = lines_of(tmp_path)
    assert line == (
        f"VHB202: field api_key holds a key itself, in {tmp_path}/a.yaml, row 7; hint: write secret:NAME"
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VlmhbError, match="VHB101: no such folder of cards"):
        load_registry(user_dirs=[tmp_path / "none"])


def plugin(tmp_path: Path, *, value: str, group: str = "vlmhb.models", code: str) -> None:
    """A real installed distribution, as far as importlib.metadata can tell."""
    write(tmp_path / "vlmhb_plugin_for_test.py", code)
    info = tmp_path / "vlmhb_plugin_for_test-1.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: vlmhb-plugin-for-test\nVersion: 1\n")
    write(info / "entry_points.txt", f"[{group}]\nmine = vlmhb_plugin_for_test:{value}\n")


@pytest.fixture
def plugin_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "vlmhb_plugin_for_test", raising=False)
    return tmp_path


CARD = {"name": "plugged", "framework": "hf", "interface": "replay", "tasks": ["ocr"]}


@pytest.mark.parametrize("code", [f"cards = [{CARD}]", f"def cards():\n    return ({CARD},)"])
def test_plug_ins_give_lists_or_callables(plugin_path: Path, code: str) -> None:
    plugin(plugin_path, value="cards", code=code)
    card: ModelCard = load_registry().find_model("plugged", None)
    assert card.origin == "entry point vlmhb.models: mine = vlmhb_plugin_for_test:cards"


def test_plug_ins_give_folders(plugin_path: Path) -> None:
    write(plugin_path / "cards" / "b.yaml", BENCHMARK)
    code = "from pathlib import Path\nfolder = Path(__file__).parent / 'cards'\n"
    plugin(plugin_path, value="folder", group="vlmhb.benchmarks", code=code)
    assert load_registry().find_benchmark("pages", None).origin == str(plugin_path / "cards" / "b.yaml")


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("gone", "", "does not load (AttributeError"),
        ("cards", "import no_such_module_here\n", "does not load (ModuleNotFoundError"),
        ("cards", "cards = 5\n", "gives neither a list of cards nor a folder"),
        ("cards", "cards = '/no/such/folder'\n", "'/no/such/folder' is no folder"),
        ("cards", "cards = [{'name': 'x'}]\n", "the model card has no field framework"),
        ("cards", "cards = ['x']\n", "a card is a mapping of fields"),
    ],
)
def test_broken_plug_ins_are_named(plugin_path: Path, value: str, code: str, said: str) -> None:
    plugin(plugin_path, value=value, code=code)
    with pytest.raises(ErrorList) as caught:
        load_registry()
    first = caught.value.errors[0].line()
    assert said in first
    assert f"entry point vlmhb.models: mine = vlmhb_plugin_for_test:{value}" in first


def test_images_folder_can_be_named_by_the_environment(tmp_path: Path) -> None:
    assert images_dir({"VLMHB_IMAGES": str(tmp_path)}) == tmp_path
    assert images_dir({}) == Path(__file__).parents[2] / "images"
