"""Prompt configs: who decides what is asked, what a template can know, and the version that every sample carries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vlmhb_stages.contracts import PromptVersion, Sample
from vlmhb_stages.specs import TEMPLATE_NAMES, PromptConfig

if TYPE_CHECKING:
    from conftest import Bench

SECRET = "9f31-secret-reference"


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "image": f"images/{number}.png",
        "question": "Total?",
        "answer": SECRET,
        "doc_class": "invoice",
        "question_type": "total",
        **more,
    }


def config(**parts: Any) -> PromptConfig:
    return PromptConfig.model_validate(parts)


@pytest.fixture
def asked(bench: Bench) -> Bench:
    for number in (1, 2, 3):
        bench.image(f"images/{number}.png", shade=number * 40)
    bench.rows(row(1), row(2, doc_class="паспорт", question_type="дата"), row(3, doc_class="letter"))
    return bench


def texts(sample: Sample) -> list[str]:
    return [f"{message.role}: {message.content}" for message in sample.messages]


LEVELS = {
    "fixed": {"user": "fixed"},
    "questions": {"invoice total": {"user": "pair"}, "total": {"user": "type"}},
    "classes": {"invoice": {"user": "class"}},
    "default": {"user": "default"},
}


@pytest.mark.parametrize(
    ("without", "text"),
    [
        ((), "fixed"),
        (("fixed",), "pair"),
        (("fixed", "pair"), "type"),
        (("fixed", "questions"), "class"),
        (("fixed", "questions", "classes"), "default"),
        (("fixed", "questions", "classes", "default"), "Total?"),
    ],
)
def test_who_decides(asked: Bench, without: tuple[str, ...], text: str) -> None:
    left = {name: value for name, value in LEVELS.items() if name not in without}
    if "pair" in without:
        left["questions"] = {"total": {"user": "type"}}
    done = asked.prepare(prompt_config=config(**left), limit=1)
    assert texts(done.samples[0]) == [f"user: {text}"]


def test_the_two_messages_are_decided_each_for_itself(asked: Bench) -> None:
    prompts = config(
        default={"system": "S", "user": "U {{ question }}"},
        classes={"invoice": {"system": "of invoices"}, "паспорт": {"user": "Дата: {{ doc_class }}"}},
    )
    done = asked.prepare(prompt_config=prompts, system_prompt="the card's")
    assert texts(done.samples[0]) == ["system: of invoices", "user: U Total?"]
    assert texts(done.samples[1]) == ["system: S", "user: Дата: паспорт"]
    assert texts(done.samples[2]) == ["system: S", "user: U Total?"]


def test_an_empty_system_prompt_is_none(asked: Bench) -> None:
    done = asked.prepare(prompt_config=config(fixed={"system": ""}), system_prompt="the card's", limit=1)
    assert texts(done.samples[0]) == ["user: Total?"]


def test_without_a_config_the_card_decides_as_ever(asked: Bench) -> None:
    done = asked.prepare(template="Q: {question} A:", system_prompt="Be exact.", limit=1)
    assert texts(done.samples[0]) == ["system: Be exact.", "user: Q: Total? A:"]
    assert done.samples[0].messages[0].images is None


def test_what_a_template_knows(asked: Bench) -> None:
    names = ("doc_class", "doc_type", "question_type", "metadata.doc_class", "images", "choices | length")
    template = "|".join(f"{{{{ {name} }}}}" for name in names)
    done = asked.prepare(prompt_config=config(default={"user": template}), limit=1)
    assert texts(done.samples[0]) == ["user: invoice|invoice|total|invoice|1|0"]


def test_every_name_that_the_host_lets_through_is_known(asked: Bench) -> None:
    text = " ".join(f"{{{{ {name} is defined }}}}" for name in (*TEMPLATE_NAMES, "typo"))
    done = asked.prepare(prompt_config=config(default={"user": text}))
    assert texts(done.samples[0]) == [f"user: {'True ' * len(TEMPLATE_NAMES)}False"]


def test_choices_stand_below_the_question_unless_the_template_lists_them(bench: Bench) -> None:
    bench.image("images/1.png")
    bench.rows(row(1, choices=["5", "6"]))
    listed = bench.prepare(prompt_config=config(default={"user": "{{ question }}"}))
    assert texts(listed.samples[0]) == ["user: Total?\nA. 5\nB. 6"]
    own = bench.prepare(prompt_config=config(default={"user": "{{ question }} {{ choices | join('/') }}"}))
    assert texts(own.samples[0]) == ["user: Total? 5/6"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ references }}",
        "{{ reference }}",
        "{{ answer }}",
        "{{ label }}",
        "{{ metadata.answer }}",
        "{{ metadata['references'] }}",
        "{{ sample }}",
        "{{ raw }}",
    ],
)
def test_no_name_leads_to_a_label(asked: Bench, template: str) -> None:
    done = asked.prepare(prompt_config=config(default={"user": template}), prompt_source="mine.yaml")
    assert done.code == 2
    assert done.fatal["code"] == "VHB111"
    assert "mine.yaml: user of default, line 1" in done.fatal["message"]
    assert "sample s1" in done.fatal["message"]


def test_everything_that_a_template_can_print_has_no_label_in_it(asked: Bench) -> None:
    """All variables of a template, dumped by the template itself."""
    names = ("metadata", "question", "choices", "doc_class", "doc_type", "question_type", "images")
    dump = " ".join(f"{{{{ {name} | tojson }}}}" for name in names)
    done = asked.prepare(prompt_config=config(default={"user": dump, "system": dump}))
    assert done.code == 0
    assert SECRET not in (done.out / "inputs/samples.jsonl").read_text(encoding="utf-8")
    assert SECRET not in (done.out / "inputs/prompts.jsonl").read_text(encoding="utf-8")
    assert [label.references for label in done.labels] == [(SECRET,)] * 3


def test_all_wrong_templates_are_told_at_once_and_nothing_is_written(asked: Bench) -> None:
    prompts = config(
        default={"user": "{{ question"},
        classes={"invoice": {"system": "a\n{% for %}"}},
        questions={"total": {"user": "{% include 'x' %}"}},
    )
    done = asked.prepare(prompt_config=prompts, prompt_source="p.yaml")
    assert (done.code, done.fatal["code"]) == (2, "VHB111")
    message = done.fatal["message"]
    assert "user of default, line 1" in message
    assert "system of class 'invoice', line 2" in message
    assert "user of question 'total', line 1: a template cannot load another one" in message
    assert not (done.out / "inputs").exists()


def test_a_question_that_gets_lost_is_told(asked: Bench) -> None:
    lost = asked.prepare(prompt_config=config(default={"user": "Read it."}))
    assert any("questions of 3 samples are not in what is sent" in text for text in lost.warnings)
    by_question = asked.prepare(prompt_config=config(questions={"total": {"user": "The total?"}}))
    assert by_question.warnings == []  # that template is of that question


def test_keys_of_a_config_that_no_sample_has_are_told(asked: Bench) -> None:
    prompts = config(
        classes={"invoise": {"user": "{{ question }}"}, "letter": {"user": "{{ question }}"}},
        questions={"total": {"user": "{{ question }}"}, "letter date": {"user": "{{ question }}"}},
    )
    of_class, of_question = asked.prepare(prompt_config=prompts, loader="auto", limit=1).warnings
    assert of_class.startswith(
        "no sample has the doc_class 'invoise' of the prompt config; the dataset has: "
    )
    assert "'invoice', 'паспорт', 'letter'" in of_class
    assert of_question.startswith("no sample has the question 'letter date' of the prompt config")
    assert asked.prepare(prompt_config=prompts).warnings == []  # the host has read such a file and told it


def test_a_damaged_row_needs_no_template(asked: Bench) -> None:
    asked.rows(row(1), {"id": "s2", "image": "images/none.png", "question": "Q", "answer": "A"})
    done = asked.prepare(prompt_config=config(default={"user": "{{ metadata.question_type }}"}))
    assert done.code == 0
    assert done.samples[1].error is not None
    assert done.samples[1].prompt_sha256 is None


def versions(out: Path) -> list[PromptVersion]:
    lines = (out / "inputs/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    return [PromptVersion.model_validate_json(line) for line in lines]


def test_every_sample_carries_the_version_of_its_prompt(asked: Bench) -> None:
    prompts = config(
        default={"user": "{{ question }}!"}, classes={"letter": {"user": "Letter: {{ question }}"}}
    )
    done = asked.prepare(prompt_config=prompts, system_prompt="S")
    first, second, third = (sample.prompt_sha256 for sample in done.samples)
    assert first == second != third
    found = {version.sha256: version for version in versions(done.out)}
    assert set(found) == {first, third}
    assert first is not None
    assert (found[first].samples, found[first].system, found[first].user) == (2, "S", "{{ question }}!")
    assert found[first].language == "jinja"


def test_the_version_is_of_the_template_and_not_of_the_question(asked: Bench) -> None:
    def only(**spec: Any) -> str | None:
        (version,) = {sample.prompt_sha256 for sample in asked.prepare(**spec).samples}
        return version

    asked.rows(row(1, question="One?"), row(2, question="Two?"))
    plain = only()
    assert plain == only(limit=1) == only(filter_doc_class="invoice")
    others = [
        only(system_prompt="S"),
        only(template="{question}."),
        only(prompt="Whole."),
        only(chain_of_thought="Think first."),
        only(prompt_config=config(default={"user": "{{ question }}"})),
    ]
    assert len({plain, *others}) == 6


def test_reasoning_is_asked_for_at_the_end(asked: Bench) -> None:
    done = asked.prepare(chain_of_thought="Сначала подумай.", template="[{question}]", limit=1)
    assert texts(done.samples[0]) == ["user: [Total?]\nСначала подумай."]


SCHEMA = {"type": "object", "properties": {"total": {"type": "string"}}}


def test_whose_schema_holds(bench: Bench) -> None:
    bench.image("images/1.png")
    bench.image("images/2.png", shade=9)
    own = {"type": "object", "title": "own"}
    bench.rows(row(1, response_schema=own), row(2))
    card = bench.prepare(default_response_schema=SCHEMA)
    assert [sample.response_schema for sample in card.samples] == [own, SCHEMA]
    of_row = bench.prepare(default_response_schema={}, response_schema=SCHEMA)
    assert [sample.response_schema for sample in of_row.samples] == [SCHEMA, SCHEMA]


def test_a_schema_that_is_none(asked: Bench) -> None:
    done = asked.prepare(response_schema={"properties": {"a": {"type": "txt"}}})
    assert (done.code, done.fatal["code"]) == (2, "VHB104")
    assert "at properties/a/type" in done.fatal["message"]


def test_equal_input_gives_equal_bytes(asked: Bench) -> None:
    prompts = config(default={"user": "{{ metadata | tojson }} {{ question }}"})
    runs = [asked.prepare(prompt_config=prompts, chain_of_thought="Think so.") for _ in range(2)]
    for name in ("samples.jsonl", "prompts.jsonl"):
        one, two = ((run.out / "inputs" / name).read_bytes() for run in runs)
        assert one == two
    assert json.loads(one.splitlines()[0])["samples"] == 3
