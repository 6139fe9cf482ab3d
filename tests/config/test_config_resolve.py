"""From rows to evaluations: T1, T2, T5, T6, T9 as far as names and files go, and every mistake in them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from vlmhb.cards import Registry, load_registry
from vlmhb.config import read_run_config
from vlmhb.config.resolve import ResolveResult, Roots, resolve
from vlmhb.contracts import ResolvedEvaluation
from vlmhb.modelcard import UpstreamClass

MODELS = """\
name: ocr-engine
framework: Tesseract
interface: tesseract
image: tesseract
tasks: [ocr]
concurrency: 2
---
name: chat
framework: vLLM
interface: openai
base_url: http://127.0.0.1:8000/v1
api_key: secret:CARD_KEY
tasks: [vqa, kie, ocr]
decoding: {temperature: 0.3, max_tokens: 50, seed: 7}
retry: {attempts: 9}
---
name: chat-nowhere
framework: vLLM
interface: openai
tasks: [vqa]
---
name: from-file
framework: replay
interface: replay
tasks: [vqa]
---
name: heavy
framework: hf
interface: python
class_path: mine:Model
image: mine:1
tasks: [vqa]
weights: heavy-7b
"""
BENCHMARKS = """\
name: pages
task: OCR
task_type: ocr
loader: jsonl
path: pages-data
prompt: Read it.
system_prompt: Be exact.
metrics: [CER, wer]
primary: WER
max_tokens: 99
---
name: brought
task: OCR
task_type: ocr
loader: sroie
metrics: [cer]
"""
VLM_BASE = """\
framework;model_family;model_name;docker_image;git_python_package;python_package;module;class_name
Hugging Face;Qwen2-VL;Qwen2-VL-2B-Instruct;qwen2:1;git+a@1;model_qwen2_vl;models;Qwen2_VLModel
Hugging Face;Qwen2.5-VL;Qwen2.5-VL-3B-Instruct;ghcr.io/qwen2.5-vl:0.1;git+b@1;model_qwen2_5_vl;models;Qwen2_5_VLModel
"""
ANNOTATION = """\
data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox
1;clean;images/1.jpg;Q;A;passport;Фамилия;[1, 2, 3, 4]
1;clean;images/1.jpg;Q;A;passport;Имя;[1, 2, 3, 4]
2;clean;images/2.jpg;Q;A;invoice;Номер счета;[1, 2, 3, 4]
2;clean;images/2.jpg;Q;A;invoice;Имя;[1, 2, 3, 4]
"""
COLLECTION = """\
prompt;doc_class_question_type;cer
Напиши Фамилия.;passport Фамилия;0.0
;passport Имя;0.0
"Номер; какой?";invoice Номер счета;0.1
Имя?;invoice Имя;0.1
later;invoice Имя;0.2"""


class World:
    """A user's folder with the prototype's files, cards of his own, and a workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("cards/models/m.yaml", MODELS)
        self.write("cards/benchmarks/b.yaml", BENCHMARKS)
        self.write("vlmhyperbench/vlm_base.csv", "\ufeff" + VLM_BASE)
        self.write("cards/benchmarks/pages-data/samples.jsonl", "{}\n")
        self.dataset("vlmhyperbench/data_dirs/Datasets/VQA/demo_mini")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def dataset(self, name: str, file: str = "annotation.csv") -> Path:
        return self.write(f"{name}/{file}", "\ufeff" + ANNOTATION.replace("\n", "\r\n")).parent

    def resolve(self, header: str, *rows: str) -> ResolveResult:
        config = self.write("u.csv", "\n".join([header, *rows]))
        read = read_run_config(config)
        assert read.errors == () and read.config is not None
        roots = Roots(config_dir=self.root, cwd=self.root / "elsewhere")
        every = load_registry(user_dirs=[self.root / "cards"], vlm_base=roots.vlm_base)
        registry = Registry(  # without the packaged cards, which would change the hints
            models=tuple(card for card in every.models if card.origin.startswith(str(self.root))),
            benchmarks=tuple(card for card in every.benchmarks if card.origin.startswith(str(self.root))),
        )
        return resolve(read.config, registry=registry, roots=roots, workspace=self.root / "workspace")

    def one(self, header: str, row: str) -> ResolvedEvaluation:
        result = self.resolve(header, row)
        assert [error.line() for error in result.errors] == []
        (evaluation,) = result.evaluations
        return evaluation

    def errors(self, header: str, *rows: str) -> list[str]:
        lines = [error.line() for error in self.resolve(header, *rows).errors]
        return [line.replace(f"{self.root}/", "") for line in lines]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ids(result: ResolveResult) -> Sequence[str]:
    return [evaluation.id for evaluation in result.evaluations]


UPSTREAM = "dataset;task;framework;model_name;prompt_collection;metrics"


def test_t1_a_row_of_the_prototype(world: World) -> None:
    found = world.one(UPSTREAM, "demo_mini;VQA;HuggingFace ;Qwen2.5-VL-3B-Instruct;;['WER', 'CER', 'BLEU']")
    assert found.id == "demo_mini-qwen2.5-vl-3b-instruct"
    assert (found.model.interface, found.model.image) == ("upstream", "ghcr.io/qwen2.5-vl:0.1")
    expected = UpstreamClass(python_package="model_qwen2_5_vl", module="models", class_name="Qwen2_5_VLModel")
    assert found.model.upstream == expected
    assert found.dataset_path == world.root / "vlmhyperbench/data_dirs/Datasets/VQA/demo_mini"
    assert (found.benchmark.loader, found.benchmark.task, found.benchmark.task_type) == (
        "annotation",
        "VQA",
        "vqa",
    )
    assert found.metrics == ("wer", "cer", "bleu")
    assert (found.primary, found.profile, found.error_policy) == ("wer", "default", "continue")
    assert found.aggregators == ("by_id", "by_doc_question", "by_doc_type", "general")
    assert found.warnings == ()


def test_t2_the_rows_image_overrides_and_task_defaults_to_vqa(world: World) -> None:
    found = world.one("dataset;framework;model_name;docker_image", "demo_mini;hf;Qwen2-VL-2B-Instruct;own:1")
    assert (found.model.image, found.benchmark.task) == ("own:1", "VQA")


def test_t2c_no_metrics_anywhere_skips_the_evaluation_with_a_warning(world: World) -> None:
    found = world.one("dataset;model_name;metrics", "demo_mini;Qwen2-VL-2B-Instruct;")
    assert (found.metrics, found.primary) == ((), None)
    assert found.warnings == (
        f"{world.root}/u.csv, row 2, column metrics: no metrics, so the answers will not be evaluated",
    )
    assert world.one("dataset;model_name;metrics", "demo_mini;Qwen2-VL-2B-Instruct;[]").warnings == ()


def test_t2d_all_unknown_names_at_once_and_the_good_row_is_kept(world: World) -> None:
    header = "dataset;framework;model_name;metrics"
    rows = [
        "demo_mini;hf;Qwen2.5-VL-3B;['CER']",
        "demo_mni;vLLM;Qwen2-VL-2B-Instruct;['CRE', 'WER', 'xyzzy']",
        "demo_mini;hf;Qwen2-VL-2B-Instruct;['CER']",
    ]
    assert world.errors(header, *rows) == [
        "VHB201: no model 'Qwen2.5-VL-3B', in u.csv, row 2, column model_name; "
        "hint: did you mean 'Qwen2.5-VL-3B-Instruct' or 'Qwen2-VL-2B-Instruct'?",
        "VHB201: no model 'Qwen2-VL-2B-Instruct' with framework 'vLLM', in u.csv, row 3, column model_name; "
        "hint: its framework is 'Hugging Face'",
        "VHB201: no benchmark 'demo_mni', in u.csv, row 3, column dataset; hint: did you mean 'demo_mini'?",
        "VHB201: unknown metric 'CRE', in u.csv, row 3, column metrics; hint: did you mean 'cer'?",
        "VHB201: unknown metric 'xyzzy', in u.csv, row 3, column metrics; hint: vlmhb metrics list shows all",
    ]
    assert ids(world.resolve(header, *rows)) == ["demo_mini-qwen2-vl-2b-instruct"]


def test_ids_are_unique_and_do_not_depend_on_broken_rows(world: World) -> None:
    header = "dataset;model_name;metrics"
    good, bad = "demo_mini;Qwen2-VL-2B-Instruct;CER", "demo_mini;Qwen2-VL-2B-Instruct;CRE"
    name = "demo_mini-qwen2-vl-2b-instruct"
    assert ids(world.resolve(header, good, good, good)) == [name, f"{name}-2", f"{name}-3"]
    assert ids(world.resolve(header, good, bad, good)) == [name, f"{name}-3"]


def test_a_card_with_its_defaults_and_the_rows_values_over_them(world: World) -> None:
    found = world.one("dataset;model_name", "pages;chat")
    assert found.dataset_path == world.root / "cards/benchmarks/pages-data"
    assert (found.prompt, found.system_prompt) == ("Read it.", "Be exact.")
    assert (found.metrics, found.primary) == (("cer", "wer"), "wer")
    assert found.decoding.model_dump(include={"temperature", "max_tokens", "seed"}) == {
        "temperature": 0.3,
        "max_tokens": 99,
        "seed": 7,
    }
    assert (found.base_url, found.api_key, found.retry.attempts) == (
        "http://127.0.0.1:8000/v1",
        "secret:CARD_KEY",
        9,
    )
    header = "dataset;model_name;temperature;max_tokens;seed;prompt;base_url;api_key;concurrency;metrics;error_policy"
    found = world.one(header, "pages;chat;0;5;1;Say;https://x/v1;secret:MINE;4;CER;tolerate:3")
    assert (found.decoding.temperature, found.decoding.max_tokens, found.decoding.seed) == (0.0, 5, 1)
    assert (found.prompt, found.base_url, found.api_key) == ("Say", "https://x/v1", "secret:MINE")
    assert (found.concurrency, found.metrics, found.primary) == (4, ("cer",), "cer")
    assert found.error_policy == "tolerate:3%"


@pytest.mark.parametrize("place", ["pages-data", "workspace/datasets/pages-data"])
def test_a_cards_data_may_lie_beside_the_config_or_in_the_workspace(world: World, place: str) -> None:
    (world.root / "cards/benchmarks/pages-data/samples.jsonl").unlink()
    (world.root / "cards/benchmarks/pages-data").rmdir()
    world.write(f"{place}/samples.jsonl", "{}\n")
    assert world.one("dataset;model_name", "pages;chat").dataset_path == world.root / place


def test_dishonest_pairs_are_refused(world: World) -> None:
    assert world.errors("dataset;model_name;metrics", "demo_mini;ocr-engine;CER") == [
        "VHB203: model 'ocr-engine' takes ocr, benchmark 'demo_mini' asks vqa, in u.csv, row 2, column model_name; "
        "hint: choose a model that takes vqa: vlmhb models list"
    ]
    assert world.one("dataset;model_name", "pages;ocr-engine").concurrency == 2


OLD = ["Datasets", "data_dirs/Datasets", "vlmhyperbench/data_dirs/Datasets", "vlmhyperbench/Datasets"]


@pytest.mark.parametrize("layout", OLD)
@pytest.mark.parametrize("base", ["", "elsewhere"])
@pytest.mark.parametrize("file", ["annotation.csv", "annotations.csv"])
def test_every_layout_of_the_prototype(world: World, layout: str, base: str, file: str) -> None:
    folder = world.dataset(Path(base, layout, "VQA", "other").as_posix(), file)
    found = world.one("dataset;task;model_name;metrics", "other;VQA;Qwen2-VL-2B-Instruct;CER")
    assert (found.dataset_path, found.benchmark.loader) == (folder, "annotation")


@pytest.mark.parametrize(
    ("files", "path", "loader", "task_type"),
    [
        (["data/annotation.csv"], "data", "annotation", "vqa"),
        (["data/mine.csv"], "data/mine.csv", "annotation", "vqa"),
        (["data/samples.jsonl"], "data", "jsonl", "vqa"),
        (["data/x.jsonl"], "data/x.jsonl", "jsonl", "vqa"),
        (["data/x.tsv"], "data/x.tsv", "tsv", "vqa"),
        (["data/img/1.jpg", "data/box/1.csv"], "data", "sroie", "ocr"),
        (["elsewhere/data/samples.jsonl"], "data", "jsonl", "vqa"),
    ],
)
def test_a_path_without_a_card(
    world: World, files: list[str], path: str, loader: str, task_type: str
) -> None:
    for file in files:
        world.write(file, "x")
    found = world.one("dataset;model_name;dataset_path;metrics", f"mine;chat;{path};CER")
    assert (found.benchmark.name, found.benchmark.loader, found.benchmark.task_type) == (
        "mine",
        loader,
        task_type,
    )
    base = world.root / ("elsewhere" if files[0].startswith("elsewhere") else "")
    assert found.dataset_path == base / path


def test_a_path_with_a_card_keeps_the_cards_metrics(world: World) -> None:
    world.write("receipts/img/1.jpg", "x")
    found = world.one("dataset;model_name;dataset_path", "brought;ocr-engine;receipts")
    assert (found.dataset_path, found.metrics, found.benchmark.loader) == (
        world.root / "receipts",
        ("cer",),
        "sroie",
    )


def test_datasets_that_are_not_there(world: World) -> None:
    world.write("junk/readme.md", "x")
    world.dataset("Datasets/Weighing/scales")
    header = "dataset;task;model_name;dataset_path;metrics"
    rows = [
        "brought;;ocr-engine;;",
        "mine;;chat;no/such;CER",
        "mine;;chat;junk;CER",
        "pages;VQA;chat;;CER",
        "scales;Weighing;chat;;CER",
        "zzzzzzz;;chat;;CER",
    ]
    assert world.errors(header, *rows) == [
        "VHB204: the data of benchmark 'brought' are not here, in u.csv, row 2, column dataset; "
        "hint: give their folder in the column dataset_path",
        "VHB204: no file or folder 'no/such', in u.csv, row 3, column dataset_path; "
        "hint: relative paths start at the current folder or at the config's",
        "VHB205: no known dataset in junk, in u.csv, row 4, column dataset_path; hint: known: annotation.csv, "
        "samples.jsonl, .tsv, parquet and arrow files, PDF or image files beside their texts, the folders of SROIE, "
        "FUNSD, XFUND, CORD and COCO-Text, <class>/images and <class>/jsons; any of them in a .zip or .tar",
        "VHB201: benchmark 'pages' has no task 'VQA', in u.csv, row 5, column task; hint: its task is 'OCR'",
        "VHB104: task 'Weighing' cannot be run, in u.csv, row 6, column task; "
        "hint: known: ocr, vqa, kie, classification, tables, parsing, sorting, rpoclassification, rposorting",
        "VHB201: no benchmark 'zzzzzzz', in u.csv, row 7, column dataset; "
        "hint: make a card, a folder Datasets/VQA/zzzzzzz, or give the column dataset_path",
    ]


def test_a_card_without_data_gives_way_to_a_folder_of_that_name_aloud(world: World) -> None:
    world.dataset("Datasets/OCR/brought")
    found = world.one("dataset;task;model_name;metrics", "brought;OCR;chat;CER")
    assert found.benchmark.loader == "annotation"
    assert "is used, not the card of that name" in found.warnings[0]
    world.dataset("Datasets/OCR/pages")
    found = world.one("dataset;task;model_name;metrics", "pages;OCR;chat;CER")
    assert found.benchmark.loader == "jsonl"
    assert "the card's data are used, not the folder" in found.warnings[0]


# --- prompts -----------------------------------------------------------------------------------

DATA = "vlmhyperbench/data_dirs"
PROMPTED = "dataset;task;model_name;prompt_collection;metrics;filter_doc_class;filter_question_type"


@pytest.mark.parametrize(
    ("place", "cell"),
    [
        (f"{DATA}/PromptCollections/VQA/demo_mini/X.csv", "demo_mini/X.csv"),
        (f"{DATA}/PromptCollections/VQA/demo_mini/X.csv", "VQA/demo_mini/X.csv"),
        ("vlmhyperbench/PromptCollection/VQA/X.csv", "X.csv"),
        ("vlmhyperbench/PromptCollection/VQA/X.csv", "vlmhyperbench/PromptCollection/VQA/X.csv"),
        ("elsewhere/PromptCollections/X.csv", "X.csv"),
        ("prompts/X.csv", "prompts/X.csv"),
    ],
)
@pytest.mark.parametrize("bom", ["\ufeff", ""])
def test_t6_a_collection_is_found_and_read(world: World, place: str, cell: str, bom: str) -> None:
    world.write(place, bom + COLLECTION.replace("\n", "\r\n"))
    found = world.one(PROMPTED, f"demo_mini;VQA;chat;{cell};CER;;")
    assert found.prompts == {
        "passport Фамилия": "Напиши Фамилия.",
        "passport Имя": "",
        "invoice Номер счета": "Номер; какой?",
        "invoice Имя": "Имя?",
    }
    assert found.prompt is None


def test_t6_all_missing_keys_are_told_before_anything_runs(world: World) -> None:
    world.write(f"{DATA}/PromptCollections/VQA/X.csv", "prompt;doc_class_question_type\nA;passport Имя\n")
    assert world.errors(PROMPTED, "demo_mini;VQA;chat;X.csv;CER;;") == [
        "VHB108: the prompt collection X.csv has no prompt for 'passport Фамилия'; 'invoice Номер счета'; "
        "'invoice Имя', in u.csv, row 2, column prompt_collection; "
        "hint: add these keys; an empty prompt means the dataset's own question"
    ]
    assert world.one(PROMPTED, "demo_mini;VQA;chat;X.csv;CER;passport;Имя").prompts == {"passport Имя": "A"}


@pytest.mark.parametrize(
    ("filters", "line"),
    [
        (
            "pasport;",
            "VHB104: no sample has 'pasport', in u.csv, row 2, column filter_doc_class; "
            "hint: did you mean 'passport'?",
        ),
        (
            "passport;Имя ",
            "VHB104: no sample has 'Имя ', in u.csv, row 2, column filter_question_type; hint: did you mean 'Имя'?",
        ),
        (
            "passport;Номер счета",
            "VHB104: no sample passes both filters, in u.csv, row 2, column filter_question_type",
        ),
    ],
)
def test_t5_filters_that_select_nothing(world: World, filters: str, line: str) -> None:
    assert world.errors(PROMPTED, f"demo_mini;VQA;chat;;CER;{filters}") == [line]


def test_t5_filters_that_select_something(world: World) -> None:
    for filters in ("passport;", ";Имя", "passport;Имя"):
        world.one(PROMPTED, f"demo_mini;VQA;chat;;CER;{filters}")


def test_a_text_file_is_one_prompt_kept_whole(world: World) -> None:
    world.write(f"{DATA}/PromptCollections/VQA/p.txt", '\ufeff Первая\r\n\r\n{"a": 1}\r\n')
    world.write(f"{DATA}/SystemPrompts/1.txt", "Be\nbrief.\n")
    found = world.one(
        "dataset;task;model_name;prompt_collection;system_prompt;metrics",
        "demo_mini;VQA;chat;p.txt;1.txt;CER",
    )
    assert (found.prompt, found.prompts) == (' Первая\n\n{"a": 1}\n', {})
    assert found.system_prompt == "Be\nbrief.\n"


def test_prompt_files_that_are_wrong(world: World) -> None:
    world.write(f"{DATA}/PromptCollections/VQA/good.csv", COLLECTION)
    world.write(f"{DATA}/PromptCollections/VQA/columns.csv", "promt;key\na;b\n")
    (world.root / DATA / "PromptCollections/VQA/windows.csv").write_bytes(
        "prompt;doc_class_question_type\nЧто?;a b\n".encode("cp1251")
    )
    world.write(f"{DATA}/SystemPrompts/one.txt", "x")
    header = "dataset;task;model_name;prompt_collection;system_prompt;prompt;metrics"
    rows = [
        "demo_mini;VQA;chat;god.csv;on.txt;;CER",
        "demo_mini;VQA;chat;columns.csv;;;CER",
        "demo_mini;VQA;chat;windows.csv;;;CER",
        "demo_mini;VQA;chat;good.csv;;text;CER",
    ]
    place = f"{DATA}/PromptCollections/VQA"
    lines = world.errors(header, *rows)
    assert lines[:4] + lines[5:] == [
        "VHB104: no prompt collection 'god.csv', in u.csv, row 2, column prompt_collection; "
        "hint: did you mean 'good.csv'?",
        "VHB104: no system prompt file 'on.txt', in u.csv, row 2, column system_prompt; "
        "hint: did you mean 'one.txt'?",
        f"VHB104: no column 'prompt' in the prompt collection, in {place}/columns.csv, row 1; "
        "hint: the header has: promt, key",
        f"VHB104: no column 'doc_class_question_type' in the prompt collection, in {place}/columns.csv, row 1; "
        "hint: the header has: promt, key",
        "VHB104: both prompt and prompt_collection are given, in u.csv, row 5, column prompt; "
        "hint: empty one of them",
    ]
    assert lines[4].startswith(
        f"VHB102: text is not UTF-8 (looks like Windows-1251), in {place}/windows.csv, row 2, column prompt; hint: "
    )


# --- models ------------------------------------------------------------------------------------


def test_weights_and_servers(world: World) -> None:
    header = "dataset;task;model_name;weights;base_url;metrics"
    assert world.errors(
        header,
        "demo_mini;VQA;heavy;;;CER",
        "demo_mini;VQA;heavy;other;;CER",
        "demo_mini;VQA;chat-nowhere;;;CER",
    ) == [
        "VHB104: the weights 'heavy-7b' of model 'heavy' are not here, in u.csv, row 2, column model_name; "
        "hint: put them at workspace/models/heavy-7b or give the column weights",
        "VHB104: the weights 'other' of model 'heavy' are not here, in u.csv, row 3, column weights; "
        "hint: put them at workspace/models/other or give the column weights",
        "VHB105: model 'chat-nowhere' needs the URL of its server, in u.csv, row 4, column base_url; "
        "hint: write http://host:port/v1",
    ]
    world.write("workspace/models/heavy-7b/w.bin", "x")
    world.write("own/w.bin", "x")
    assert world.one(header, "demo_mini;VQA;heavy;;;CER").weights == world.root / "workspace/models/heavy-7b"
    assert world.one(header, "demo_mini;VQA;heavy;own/w.bin;;CER").weights == world.root / "own/w.bin"


# --- evaluate only -----------------------------------------------------------------------------

EVALUATE = "dataset;task;framework;model_name;metrics;only_evaluate_metrics;answers_file"


@pytest.mark.parametrize("folder", ["vlmhyperbench/ModelsAnswers", f"{DATA}/ModelsAnswers"])
@pytest.mark.parametrize(
    "cell", ["x.csv", "/workspace/ModelsAnswers/x.csv", "/workspace/data_dirs/model_answers/x.csv"]
)
def test_t9_an_answers_file_is_found_by_its_name(world: World, folder: str, cell: str) -> None:
    path = world.write(f"{folder}/x.csv", "id;model_answer\n0;a\n")
    found = world.one(EVALUATE, f"demo_mini;VQA;Hugging Face;Qwen2-VL-2B-Instruct;['CER'];True;{cell}")
    assert found.answers_file == path
    model = found.model
    assert (model.interface, model.image, model.upstream, model.gpus) == ("replay", None, None, 0)
    assert (model.name, model.framework) == ("Qwen2-VL-2B-Instruct", "Hugging Face")


def test_t9_a_model_that_no_card_knows_can_be_evaluated(world: World) -> None:
    world.write("a.csv", "id;model_answer\n0;a\n")
    found = world.one(EVALUATE, "demo_mini;VQA;HuggingFace;Gone-7B;['CER'];True;a.csv")
    assert (found.model.name, found.model.framework, found.model.interface) == (
        "Gone-7B",
        "Hugging Face",
        "replay",
    )


def test_t9_the_newest_answers_of_the_same_dataset_model_and_task(world: World) -> None:
    folder = f"{DATA}/ModelsAnswers"
    model = "Qwen2-VL-2B-Instruct"
    names = [
        f"demo_mini_Hugging_Face_{model}_VQA_answers_20250601_052520.csv",
        f"demo_mini_MODELFRAMEWORK_{model}_VQA_answers_20250701_052520.csv",
        f"demo_mini_vLLM_{model}_VQA_answers_20250901_000000.csv",
        f"demo_mini_Hugging_Face_{model}-AWQ_VQA_answers_20250901_000000.csv",
        f"demo_mini_Hugging_Face_{model}_RPO_answers_20250901_000000.csv",
        f"demo_Hugging_Face_{model}_VQA_answers_20250901_000000.csv",
        f"demo_mini_more_Hugging_Face_{model}_VQA_answers_20250901_000000.csv",
    ]
    for name in names:
        world.write(f"{folder}/{name}", "id;model_answer\n0;a\n")
    found = world.one(EVALUATE, f"demo_mini;VQA;Hugging Face;{model};['CER'];True;")
    assert found.answers_file == world.root / folder / names[1]
    assert found.warnings == (
        f"{world.root}/u.csv, row 2, column answers_file: {names[1]} is evaluated, the newest of 2",
    )


def test_answers_that_are_not_there_or_not_wanted(world: World) -> None:
    world.write(f"{DATA}/ModelsAnswers/answers_1.csv", "id;model_answer\n")
    rows = [
        "demo_mini;VQA;;chat;CER;True;answer_1.csv",
        "demo_mini;VQA;;chat;CER;True;",
        "demo_mini;VQA;;chat;CER;False;answers_1.csv",
    ]
    assert world.errors(EVALUATE, *rows) == [
        "VHB104: no answers file 'answer_1.csv', in u.csv, row 2, column answers_file; "
        "hint: did you mean 'answers_1.csv'?",
        "VHB105: no answers file to evaluate: no ModelsAnswers/demo_mini_<framework>_chat_VQA_answers_<time>.csv, "
        "in u.csv, row 3, column answers_file; hint: name the file",
        "VHB104: an answers file is given, but the model is to run, in u.csv, row 4, column answers_file; "
        "hint: set only_evaluate_metrics to True, or empty this cell",
    ]


def test_a_replay_model_takes_an_answers_file(world: World) -> None:
    path = world.write("a.csv", "id;model_answer\n0;a\n")
    found = world.one(EVALUATE, "demo_mini;VQA;;from-file;CER;False;a.csv")
    assert found.answers_file == path


def test_roots_around_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    roots = Roots.around(Path("sub/u.csv"))
    assert (roots.config_dir, roots.cwd) == (tmp_path / "sub", tmp_path)
    assert roots.bases[:2] == (tmp_path / "sub", tmp_path / "sub/data_dirs")
    assert roots.vlm_base is None


def test_resolving_writes_nothing(world: World) -> None:
    before = sorted(world.root.rglob("*"))
    world.one(UPSTREAM, "demo_mini;VQA;hf;Qwen2-VL-2B-Instruct;;CER")
    assert sorted(world.root.rglob("*")) == sorted([*before, world.root / "u.csv"])


@pytest.mark.parametrize(
    ("task", "task_type", "target"),
    [("RPOClassification", "classification", "classes"), ("RPOSorting", "sorting", "order")],
)
def test_the_prototypes_page_sets(world: World, task: str, task_type: str, target: str) -> None:
    for name in ("images/1/1.jpg", "jsons/1.json", "classes.json"):
        world.write(f"Datasets/{task}/rpo_set/{name}", "{}")
    header = "dataset;task;model_name;metrics"
    found = world.one(header, f"rpo_set;{task};Qwen2-VL-2B-Instruct;page_accuracy").benchmark
    assert (found.loader, found.task, found.task_type) == ("rpo", task, task_type)
    assert found.params == {"target": target}


def test_an_archive_is_left_to_prepare(world: World) -> None:
    world.write("packed.zip", "PK")
    found = world.one("dataset;model_name;dataset_path;metrics", "mine;chat;packed.zip;CER")
    assert (found.benchmark.loader, found.benchmark.task) == ("auto", "VQA")


def test_a_card_that_leaves_its_loader_open_is_told_here_but_for_archives(world: World) -> None:
    """The images of a JSONL file are part of its identity only where somebody knows that it is one."""
    card = "name: open\ntask: OCR\ntask_type: ocr\nloader: auto\nprompt: Read.\nmetrics: [cer]\n"
    world.write("cards/benchmarks/open.yaml", card)
    for path in ("data/x.jsonl", "receipts/img/1.jpg", "receipts/box/1.csv", "packed.zip"):
        world.write(path, "x")
    places = {"data/x.jsonl": "jsonl", "receipts": "sroie", "packed.zip": "auto"}
    header = "dataset;model_name;dataset_path"
    found = {place: world.one(header, f"open;chat;{place}").benchmark.loader for place in places}
    assert found == places
    world.write("junk/readme.md", "x")
    (error,) = world.errors(header, "open;chat;junk")
    assert error.startswith("VHB205: no known dataset in junk, in u.csv, row 2, column dataset_path")


@pytest.mark.parametrize("model", ["ocr-engine", "chat"])
def test_new_task_types_are_refused_by_models_that_do_not_take_them(world: World, model: str) -> None:
    world.dataset("Datasets/tables/t")
    (error,) = world.errors("dataset;task;model_name;metrics", f"t;tables;{model};CER")
    assert error.startswith(f"VHB203: model '{model}' takes ")
    assert "asks tables" in error
