"""A row's prompts, examples, reasoning, schema and model parameters, found and checked before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb.cards import load_registry
from vlmhb.config import read_run_config
from vlmhb.config.resolve import ResolveResult, Roots, resolve
from vlmhb.contracts import ResolvedEvaluation
from vlmhb.prompt_list import find_prompt_files

CARDS = {
    "models/api.yaml": "name: api\nframework: vLLM\ninterface: openai\nbase_url: http://h/v1\ntasks: [vqa]\n"
    "decoding: {temperature: 0.3, max_tokens: 50}\nparams: {model: served}\n",
    "models/held.yaml": "name: held\nframework: vLLM\ninterface: openai\nbase_url: http://h/v1\ntasks: [vqa]\n"
    "capabilities: [structured]\n",
    "models/own.yaml": "name: own\nframework: mine\ninterface: python\nclass_path: a:B\nimage: i:1\ntasks: [vqa]\n"
    "params: {max_pixels: 1, dtype: bf16}\n",
    "models/old.yaml": "name: old\nframework: mine\ninterface: upstream\nimage: i:1\ntasks: [vqa]\n"
    "upstream: {module: a, class_name: B}\n",
    "benchmarks/d.yaml": "name: d\ntask_type: vqa\nloader: jsonl\npath: data\nmetrics: [cer]\n"
    "extraction: answer_marker\n",
    "benchmarks/s.yaml": "name: s\ntask_type: vqa\nloader: jsonl\npath: data\nmetrics: [cer]\n"
    "response_schema: {type: object}\nsystem_prompt: Card.\n",
}
UPSTREAM = {
    "prompt_config": {
        "system_prompt": "Ты читаешь документы.",
        "user_prompt": "{{ question }}",
        "fixed_system_prompt": None,
        "type_mapping": {"passport": {"system_prompt": "Паспорт.", "user_prompt": "Прочти {{ doc_type }}."}},
    }
}


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in CARDS.items():
            self.write(f"cards/{name}", text)
        rows = [{"id": str(n), "question": "Q", "answer": "A", "doc_class": "passport"} for n in (1, 2)]
        self.write("cards/benchmarks/data/samples.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def resolve(self, **row: Any) -> ResolveResult:
        values = {"dataset": "d", "model_name": "api", **row}
        config = self.write("run.json", json.dumps({"evaluations": [values]}, ensure_ascii=False))
        read = read_run_config(config)
        if read.config is None or read.errors:
            return ResolveResult(evaluations=(), errors=read.errors)
        return resolve(
            read.config,
            registry=load_registry(user_dirs=[self.root / "cards"]),
            roots=Roots(config_dir=self.root, cwd=self.root / "elsewhere"),
            workspace=self.root / "workspace",
        )

    def one(self, **row: Any) -> ResolvedEvaluation:
        result = self.resolve(**row)
        assert [error.line() for error in result.errors] == []
        (evaluation,) = result.evaluations
        return evaluation

    def error(self, **row: Any) -> str:
        return "\n".join(error.line() for error in self.resolve(**row).errors)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("inline", [True, False])
def test_the_prototypes_file_is_read_as_it_is(folder: Folder, wrapped: bool, inline: bool) -> None:
    shape: Any = UPSTREAM if wrapped else UPSTREAM["prompt_config"]
    folder.write("PromptCollections/VQA/p.json", json.dumps(shape))
    found = folder.one(prompt_config=shape if inline else "p.json").prompt_config
    assert found is not None
    assert (found.default.system, found.default.user) == ("Ты читаешь документы.", "{{ question }}")
    assert found.classes["passport"].user == "Прочти {{ doc_type }}."
    assert found.fixed.system is None


def test_our_own_form_in_yaml(folder: Folder) -> None:
    folder.write(
        "prompts/mine.yaml",
        "fixed: {system: S}\ndefault:\n  user: |\n    One\n    {{ question }}\n"
        "type_mapping: {passport: {user: P}}\nquestion_mapping: {passport date: {user: D}, sum: {system: ''}}\n",
    )
    evaluation = folder.one(prompt_config="mine.yaml")
    found = evaluation.prompt_config
    assert found is not None
    assert (found.fixed.system, found.default.user) == ("S", "One\n{{ question }}\n")
    assert (found.questions["passport date"].user, found.questions["sum"].system) == ("D", "")
    assert evaluation.prompt_source == "mine.yaml"


@pytest.mark.parametrize(
    ("text", "row", "what"),
    [
        ("default: {user: '{{ question }'}", 1, "user of default: unexpected '}', line 1 of the template"),
        ("default:\n  user: |\n    a\n    {% if %}\n", 2, "line 2 of the template"),
        ("default: {user: 'Q: {question}'}", 1, "{question} would be sent as it stands"),
        ("defualt: {user: x}", 1, "unknown key 'defualt'"),
        (
            "default: {user: x}\ntype_mapping:\n  passport: {usr: x}",
            3,
            "unknown key 'usr' of class 'passport'",
        ),
        ("default: {user: 5}", 1, "user of default is no text"),
        ("default: x", 1, "default is not a mapping"),
        ("default: {user: x}\nuser_prompt: y", 2, "user_prompt stands twice"),
        ("default: {user: x, user: y}", 1, "key 'user' stands twice"),
    ],
)
def test_a_mistake_names_the_file_and_the_row(folder: Folder, text: str, row: int, what: str) -> None:
    folder.write("p.yaml", text)
    line = folder.error(prompt_config="p.yaml")
    assert line.startswith("VHB111: ")
    assert what in line
    assert f"p.yaml, row {row}" in line


def test_all_mistakes_at_once(folder: Folder) -> None:
    folder.write("p.yaml", "default: {user: '{{ a'}\ntype_mapping: {x: {user: '{% b'}}\n")
    assert folder.error(prompt_config="p.yaml").count("VHB111") == 2


def test_two_who_decide_are_refused(folder: Folder) -> None:
    user, system = {"default": {"user": "x"}}, {"fixed": {"system": "x"}}
    assert "both prompt and prompt_config" in folder.error(prompt_config=user, prompt="y")
    folder.write("SystemPrompts/1.txt", "S")
    assert "both system_prompt and prompt_config" in folder.error(prompt_config=system, system_prompt="1.txt")
    assert folder.one(prompt_config=user, system_prompt="1.txt").system_prompt == "S"
    assert folder.one(prompt_config=system, prompt="y").prompt == "y"


def test_a_class_that_no_sample_has_is_told(folder: Folder) -> None:
    evaluation = folder.one(prompt_config={"type_mapping": {"pasport": {"user": "x"}}})
    assert any(
        "no sample has the doc_class 'pasport'; did you mean 'passport'" in text
        for text in evaluation.warnings
    )


def test_keys_that_no_sample_has_are_told_once_with_the_values_there_are(folder: Folder) -> None:
    prompts = {
        "type_mapping": {"pasport": {"user": "x"}, "invoice": {"user": "x"}, "passport": {"user": "x"}},
        "question_mapping": {"passport dat": {"user": "x"}},
    }
    of_class, of_question = folder.one(prompt_config=prompts).warnings
    assert "no sample has the doc_class 'pasport', 'invoice'; did you mean 'passport'?" in of_class
    assert "the dataset has: 'passport' (type_mapping)" in of_class
    assert "no sample has the question 'passport dat'" in of_question
    behind_a_filter = folder.one(prompt_config=prompts, filter_doc_class="passport").warnings
    assert behind_a_filter == (of_class, of_question)


def test_a_variable_that_no_sample_has_is_refused_before_anything_starts(folder: Folder) -> None:
    folder.write(
        "p.yaml", "default:\n  user: '{{ questoin }}'\nfixed: {system: '{% if zone %}a{% endif %}'}\n"
    )
    first, second = folder.error(prompt_config="p.yaml").splitlines()
    assert first.startswith(
        "VHB111: user of default: 'questoin' is undefined: no sample of the dataset has it"
    )
    assert "p.yaml, row 2" in first and "did you mean 'question'?" in first
    assert (
        "system of fixed: 'zone' is undefined" in second and "a template knows: question, choices" in second
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ question }} {{ choices | length }} {{ doc_type }} {{ metadata.zone is defined }}",
        "{% if zone is defined %}{{ zone }}{% endif %}",
        "{{ zone | default('here') }}",
        "{% set zone = 1 %}{{ zone }}{% for a in range(2) %}{{ a }}{% endfor %}",
    ],
)
def test_a_variable_that_is_asked_for_first_may_be_missing(folder: Folder, text: str) -> None:
    assert folder.one(prompt_config={"default": {"user": text}}).warnings == ()


def test_a_variable_of_the_samples_own_metadata(folder: Folder) -> None:
    config = {"default": {"user": "{{ language }}"}}
    assert "'language' is undefined" in folder.error(prompt_config=config)
    row = {"id": "1", "question": "Q", "answer": "A", "language": "de"}
    folder.write("cards/benchmarks/data/samples.jsonl", json.dumps(row) + "\n")
    card = (
        "name: d\ntask_type: vqa\nloader: jsonl\npath: data\nmetrics: [cer]\nparams: {metadata: [language]}\n"
    )
    folder.write("cards/benchmarks/d.yaml", card)
    assert folder.one(prompt_config=config).warnings == ()


def test_a_variable_of_a_dataset_that_only_prepare_reads_is_a_warning(folder: Folder) -> None:
    card = "name: p\ntask_type: vqa\nloader: parquet\npath: data\nmetrics: [cer]\nparams: {metadata: [language]}\n"
    folder.write("cards/benchmarks/p.yaml", card)
    prompts = {"default": {"user": "{{ questoin }} {{ language }}"}}
    (warning,) = folder.one(dataset="p", prompt_config=prompts).warnings
    assert "a template needs 'questoin'" in warning and "did you mean 'question'?" in warning


def test_a_file_that_is_not_there(folder: Folder) -> None:
    folder.write("prompts/receipts.yaml", "default: {user: x}")
    assert "did you mean 'receipts.yaml'" in folder.error(prompt_config="reciepts.yaml")
    assert "VHB104: no file 'none.jsonl'" in folder.error(few_shot="none.jsonl")
    assert "VHB104: no file 'none.json'" in folder.error(response_schema="none.json")


def test_examples(folder: Folder) -> None:
    path = folder.write("e.jsonl", "{}")
    evaluation = folder.one(few_shot="e.jsonl", few_shot_n=1)
    assert evaluation.few_shot == path
    assert "few_shot names no file" in folder.error(few_shot_n=1)
    assert "few_shot_n must be greater than or equal to 1" in folder.error(few_shot="e.jsonl", few_shot_n=0)
    assert "would take examples for pages" in folder.error(few_shot="e.jsonl", model_name="old")


@pytest.mark.parametrize("word", ["on", True, "Yes", "да"])
def test_reasoning_by_a_word(folder: Folder, word: object) -> None:
    sentence = folder.one(chain_of_thought=word).chain_of_thought
    assert sentence is not None
    assert sentence.endswith("ANSWER:")


def test_reasoning_in_ones_own_words(folder: Folder) -> None:
    told = "Сначала рассуждай. ANSWER: в конце"
    evaluation = folder.one(chain_of_thought=told)
    assert (evaluation.chain_of_thought, evaluation.warnings) == (told, ())
    assert folder.one(chain_of_thought="off").chain_of_thought is None
    assert folder.one().chain_of_thought is None
    assert "is no sentence" in folder.error(chain_of_thought="onn")


def test_how_the_answer_is_read_has_to_fit(folder: Folder) -> None:
    whole = folder.one(chain_of_thought="on", extraction="none").warnings
    assert "the whole reply is scored, its reasoning as well; set extraction to answer_marker" in whole[0]
    other = folder.one(chain_of_thought="Think first please.").warnings
    assert "does not ask for ANSWER:" in other[0]


SCHEMA = {"type": "object", "properties": {"total": {"type": "string"}}}


def test_schemas(folder: Folder) -> None:
    folder.write("schema.json", json.dumps(SCHEMA))
    for value in ("schema.json", SCHEMA, json.dumps(SCHEMA)):
        evaluation = folder.one(response_schema=value, model_name="held")
        assert (evaluation.response_schema, evaluation.warnings) == (SCHEMA, ())
    of_card = folder.one(dataset="s", model_name="held")
    assert (of_card.response_schema, of_card.default_response_schema) == (None, {"type": "object"})
    assert "so the schema is not sent" in folder.one(response_schema=SCHEMA).warnings[0]
    assert "no JSON schema: 'txt' is not valid" in folder.error(response_schema={"type": "txt"})
    assert "not a JSON object" in folder.error(response_schema=str(folder.write("a.json", "[1]")))


def test_model_params_over_the_cards(folder: Folder) -> None:
    evaluation = folder.one(model_name="own", model_params={"max_pixels": 9, "temperature": 0.7})
    assert evaluation.model.params == {"max_pixels": 9, "dtype": "bf16"}
    assert evaluation.decoding.temperature == 0.7
    row = folder.one(model_name="own", model_params={"temperature": 0.7, "max_tokens": 9}, temperature=0.1)
    assert (row.decoding.temperature, row.decoding.max_tokens) == (0.1, 9)


def test_model_params_that_nobody_would_hear(folder: Folder) -> None:
    assert folder.one(model_params={"model": "other", "top_p": 0.5}).model.params == {"model": "other"}
    line = folder.error(model_params={"max_pixels": 9})
    assert line.startswith("VHB110: 'api' is behind a URL, where max_pixels is not sent")
    assert "temperature" in folder.error(model_name="own", model_params={"temperature": "hot"})


def test_model_params_in_a_csv(folder: Folder) -> None:
    config = folder.write(
        "run.csv", 'dataset;model_name;model_params\nd;own;"{""max_pixels"": 3}"\nd;own;max_pixels=3\n'
    )
    read = read_run_config(config)
    assert read.config is not None
    result = resolve(
        read.config,
        registry=load_registry(user_dirs=[folder.root / "cards"]),
        roots=Roots(config_dir=folder.root, cwd=folder.root),
        workspace=folder.root / "workspace",
    )
    assert result.evaluations[0].model.params["max_pixels"] == 3
    (error,) = result.errors
    assert "VHB104: not JSON" in error.line()
    assert "row 3, column model_params" in error.line()


def test_the_prototypes_run_config_of_version_0_2(folder: Folder) -> None:
    run = {"dataset": "d", "model_name": "own", "model_params": {"max_pixels": 5}, **UPSTREAM}
    read = read_run_config(folder.write("BenchmarkRunConfig.json", json.dumps(run)))
    assert (read.errors, read.config is not None) == ((), True)
    assert read.config is not None
    (row,) = read.config.rows
    assert json.loads(row.model_params or "") == {"max_pixels": 5}
    assert json.loads(row.prompt_config or "") == UPSTREAM["prompt_config"]


def test_the_files_that_a_row_can_name(folder: Folder) -> None:
    folder.write("PromptCollections/VQA/c.csv", "prompt;doc_class_question_type\nW;a b\n")
    folder.write("PromptCollections/VQA/broken.csv", "x;y\n1;2\n")
    folder.write("PromptCollections/one.txt", "Read.")
    folder.write("prompts/p.yaml", "default: {user: x}\ntype_mapping: {a: {user: y}}")
    folder.write("prompts/not_a_prompt.yaml", "a: 1")
    folder.write("SystemPrompts/1.txt", "S")
    found = find_prompt_files(Roots(config_dir=folder.root, cwd=folder.root / "elsewhere"))
    assert [(item.kind, item.name, item.column) for item in found] == [
        ("collection", "VQA/broken.csv", "prompt_collection"),
        ("collection", "VQA/c.csv", "prompt_collection"),
        ("one prompt", "one.txt", "prompt_collection"),
        ("prompt config", "p.yaml", "prompt_config"),
        ("system prompt", "1.txt", "system_prompt"),
    ]
    holds = {item.name: item.holds for item in found}
    assert (holds["VQA/c.csv"], holds["p.yaml"]) == ("1 keys", "1 classes, 0 questions, default")
    assert holds["VQA/broken.csv"].startswith("VHB104")
