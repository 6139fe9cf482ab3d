"""Worked examples before the question: how they are shown, which ones, and that none of them is a sample."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vlmhb_stages.contracts import Sample
from vlmhb_stages.infer.body import ChatRequest, turns
from vlmhb_stages.specs import PromptConfig

if TYPE_CHECKING:
    from conftest import Bench, Prepared

LONG = "A paragraph of a contract that nobody would write twice word for word, of 2024."


class Examples:
    """A folder with a file of examples and their images, seen by `prepare` as a mount."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        folder.mkdir()
        for number in (1, 2):
            bench.image(f"images/{number}.png", shade=number * 60)
        bench.rows(sample(1), sample(2))

    def image(self, name: str, *, shade: int) -> None:
        source = self.bench.image(f"../{self.folder.name}/{name}", shade=shade)
        assert source.resolve().parent == self.folder.resolve()

    def prepare(self, *examples: dict[str, Any] | str, **spec: Any) -> Prepared:
        lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in examples]
        path = self.folder / "examples.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return self.bench.prepare(few_shot=str(path), **spec)


def sample(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "image": f"images/{number}.png",
        "question": "Total?",
        "answer": f"{number}0.00",
        "doc_class": "invoice",
        "question_type": "total",
        **more,
    }


@pytest.fixture
def world(bench: Bench, tmp_path: Path) -> Examples:
    return Examples(bench, tmp_path / "shots")


def told(found: Sample) -> list[tuple[str, str, int]]:
    return [(one.role, one.content, one.images or 0) for one in found.messages]


def test_examples_are_turns_before_the_question(world: Examples) -> None:
    world.image("a.png", shade=5)
    world.image("b.png", shade=6)
    done = world.prepare(
        {"question": "Date?", "answer": "1.1.2024", "images": ["a.png", "b.png"]},
        {"question": "Sum?", "answer": "7"},
        system_prompt="Be exact.",
        template="Q: {question}",
    )
    assert done.code == 0, done.events
    assert told(done.samples[0]) == [
        ("system", "Be exact.", 0),
        ("user", "Q: Date?", 2),
        ("assistant", "1.1.2024", 0),
        ("user", "Q: Sum?", 0),
        ("assistant", "7", 0),
        ("user", "Q: Total?", 1),
    ]


def test_each_message_is_sent_with_its_own_images(world: Examples) -> None:
    world.image("a.png", shade=5)
    done = world.prepare({"question": "Date?", "answer": "1.1.2024", "image": "a.png"})
    found = done.samples[1]
    assert [image.path for image in found.own_images] == ["2.png"]
    shown = found.images[0]
    assert (shown.root, (done.out / "inputs/media" / shown.path).exists()) == ("inputs", True)
    request = ChatRequest(sample=found, request_hash="h", data_urls=(b"shown", b"own"))
    assert [turn.images for turn in turns(request)] == [(b"shown",), (), (b"own",)]


def test_a_sample_without_images_takes_none_of_the_examples(world: Examples) -> None:
    world.image("a.png", shade=5)
    world.bench.rows({"id": "t", "question": "Why?", "answer": "so"})
    done = world.prepare({"question": "Date?", "answer": "1.1.2024", "image": "a.png"})
    (found,) = done.samples
    assert found.own_images == ()
    assert [len(images) for images in found.images_by_message] == [1, 0, 0]


def test_which_examples(world: Examples) -> None:
    examples = [{"question": f"Q{number}", "answer": "A"} for number in range(30)]

    def shown(**spec: Any) -> list[str]:
        found = world.prepare(*examples, limit=1, **spec).samples[0].messages
        return [one.content for one in found[:-1] if one.role == "user"]

    assert len(shown()) == 30
    assert shown(few_shot_n=2) == ["Q0", "Q1"]
    drawn = shown(few_shot_n=2, seed=7)
    assert drawn == shown(few_shot_n=2, seed=7) != ["Q0", "Q1"]
    assert drawn == sorted(drawn, key=lambda name: int(name[1:]))


def test_the_examples_are_part_of_the_prompts_version(world: Examples) -> None:
    def version(answer: str) -> str | None:
        return world.prepare({"question": "Q", "answer": answer}, limit=1).samples[0].prompt_sha256

    assert version("a") == version("a") != version("b")


def test_reasoning_is_asked_for_in_every_turn(world: Examples) -> None:
    done = world.prepare({"question": "Q", "answer": "First ...\nANSWER: A"}, chain_of_thought="Think first.")
    users = [one.content for one in done.samples[0].messages if one.role == "user"]
    assert users == ["Q\nThink first.", "Total?\nThink first."]


def test_a_system_template_may_know_more_than_an_example_has(world: Examples) -> None:
    prompts = PromptConfig.model_validate(
        {"default": {"system": "For {{ doc_class }}.", "user": "{{ question }}"}}
    )
    done = world.prepare({"question": "Sum?", "answer": "7"}, prompt_config=prompts)
    assert [one.content for one in done.samples[0].messages] == ["For invoice.", "Sum?", "7", "Total?"]


KINDS = PromptConfig.model_validate(
    {
        "classes": {"invoice": {"user": "Invoice, {{ question }}"}},
        "questions": {"date": {"user": "Which date?"}},
        "default": {"user": "{{ question }}"},
    }
)


def test_an_example_is_asked_as_a_sample_of_its_kind(world: Examples) -> None:
    done = world.prepare(
        {"question": "Sum?", "answer": "7", "doc_class": "invoice"},
        {"answer": "1.1.2024", "question_type": "date"},
        prompt_config=KINDS,
    )
    users = [one.content for one in done.samples[0].messages if one.role == "user"]
    assert users == ["Invoice, Sum?", "Which date?", "Invoice, Total?"]


@pytest.mark.parametrize(
    ("prompts", "what"),
    [
        (KINDS, "samples are asked by their kind, and it has none"),
        (
            PromptConfig.model_validate({"default": {"user": "Read it."}}),
            "its question is not in what would be sent",
        ),
        (
            PromptConfig.model_validate({"default": {"user": "{{ question }} {{ doc_class }}"}}),
            "'doc_class' is undefined",
        ),
    ],
)
def test_an_example_never_stands_below_another_question(
    world: Examples, prompts: PromptConfig, what: str
) -> None:
    done = world.prepare({"question": "Sum?", "answer": "7"}, prompt_config=prompts)
    assert done.code == 2
    assert "examples.jsonl, row 1" in done.fatal["message"]
    assert what in done.fatal["message"]


def test_an_example_without_a_question_is_asked_what_everybody_is(world: Examples) -> None:
    done = world.prepare({"answer": "text"}, prompt="Read the page.")
    assert [one.content for one in done.samples[0].messages] == ["Read the page.", "text", "Read the page."]
    lost = world.prepare({"answer": "text"}, task_type="vqa")
    assert "it has no question, and nobody says what to ask" in lost.fatal["message"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "row 1: not JSON"),
        ("[]", "row 1: not a JSON object"),
        ('{"question": "Q", "answer": "A", "imgae": "x.png"}', "row 1: unknown key imgae"),
        ('{"question": "Q"}', "row 1: answer is no text"),
        ('{"question": "Q", "answer": 5}', "row 1: answer is no text"),
        ('{"question": " ", "answer": "A"}', "row 1: question is no text"),
        ('{"question": "Q", "answer": "A", "images": [5]}', "row 1: images is no list of paths"),
        ('{"question": "Q", "answer": "A", "image": "x.png", "images": []}', "row 1: both image and images"),
        ('{"question": "Q", "answer": "A", "image": "none.png"}', "row 1: none.png: no such file"),
        ('{"question": "Q", "answer": "A", "image": "../dataset/images/1.png"}', "leads out of the dataset"),
        ("", "has no examples"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(world: Examples, line: str, what: str) -> None:
    done = world.prepare(line)
    assert done.code == 2
    assert what in done.fatal["message"]


def test_more_than_there_are(world: Examples) -> None:
    done = world.prepare({"question": "Q", "answer": "A"}, few_shot_n=2)
    assert done.fatal["message"] == "few_shot_n is 2, but examples.jsonl has 1 examples"


# --- leaks -------------------------------------------------------------------------------------


def leak(done: Prepared) -> str:
    assert (done.code, done.fatal["code"]) == (2, "VHB112")
    message: str = done.fatal["message"]
    return message


def test_an_image_of_a_sample_is_refused_whatever_its_name(world: Examples) -> None:
    shutil.copy(world.bench.root / "images/2.png", world.folder / "other.png")
    message = leak(world.prepare({"question": "Q", "answer": "A", "image": "other.png"}))
    assert "examples.jsonl, row 1, shows the same image" in message
    assert "sample s2 (samples.jsonl, row 2)" in message


def test_an_id_of_a_sample_is_refused(world: Examples) -> None:
    done = world.prepare({"id": "s2", "question": "Q", "answer": "A"})
    assert "has the id of sample s2 (samples.jsonl, row 2)" in leak(done)
    assert "leave id out" in done.fatal["hint"]


def test_words_of_a_sample_without_images_are_refused(world: Examples) -> None:
    world.bench.rows({"id": "t", "question": "Сколько  ВСЕГО?", "answer": "10,00 €"})
    done = world.prepare({"question": "сколько всего", "answer": "10,00 €"})
    assert "asks and answers the same as sample t (samples.jsonl, row 1)" in leak(done)


def test_samples_beyond_the_limit_count_for_ids_and_words(world: Examples) -> None:
    assert leak(world.prepare({"id": "s2", "question": "Q", "answer": "A"}, limit=1))


def test_samples_behind_a_filter_may_be_examples(world: Examples) -> None:
    world.bench.rows(sample(1), sample(2, doc_class="letter"))
    shutil.copy(world.bench.root / "images/2.png", world.folder / "other.png")
    example = {"id": "s2", "question": "Total?", "answer": "20.00", "image": "other.png"}
    assert world.prepare(example, filter_doc_class="invoice").code == 0


def test_words_of_a_sample_over_another_image_are_told(world: Examples) -> None:
    world.image("a.png", shade=5)
    done = world.prepare({"question": "total", "answer": "20.00", "image": "a.png"})
    assert done.code == 0
    assert [text for text in done.warnings if "1 sample has the words of an example" in text]


def test_a_long_answer_is_told_whatever_was_asked(world: Examples) -> None:
    world.bench.rows(sample(1, answer=LONG), sample(2))
    done = world.prepare({"question": "Read it.", "answer": LONG.upper()})
    assert [text for text in done.warnings if "row 1 and sample s1" in text]


def test_other_examples_are_no_leaks(world: Examples) -> None:
    world.image("a.png", shade=5)
    done = world.prepare({"id": "x9", "question": "Total?", "answer": "21.00", "image": "a.png"})
    assert (done.code, done.warnings) == (0, [])
