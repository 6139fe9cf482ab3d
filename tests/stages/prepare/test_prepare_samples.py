"""What is selected, what is asked, what is kept, and that labels stay apart."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Bench

QUESTIONS = ("Серия и номер паспорта", "Фамилия", "Имя", "Отчество", "Дата", "Пол", "Место")


@pytest.fixture
def demo(bench: Bench) -> Bench:
    """22 rows as in the prototype's demo: two passports of 7 questions, then one invoice of 8."""
    asked = [("passport", question) for question in QUESTIONS * 2]
    asked += [("invoice", f"Поле {number}") for number in range(8)]
    for number in range(3):
        bench.image(f"images/{number}.png", shade=number)
    bench.annotation(
        *(
            f"{n};s;images/{n // 7 % 3}.png;Вопрос {n}?;canary{n};{kind};{question};[1, 2, 3, 4]"
            for n, (kind, question) in enumerate(asked)
        )
    )
    return bench


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, list(range(22))),
        ({"filter_doc_class": "passport"}, list(range(14))),
        ({"filter_question_type": "Имя"}, [2, 9]),
        ({"filter_doc_class": "passport", "filter_question_type": "Серия и номер паспорта"}, [0, 7]),
    ],
)
def test_filters_keep_the_ids_of_the_whole_file(demo: Bench, filters: dict[str, Any], ids: list[int]) -> None:
    done = demo.prepare(loader="annotation", **filters)
    assert done.code == 0
    assert [sample.sample_id for sample in done.samples] == [str(number) for number in ids]
    assert [label.sample_id for label in done.labels] == [str(number) for number in ids]
    assert [label.references for label in done.labels] == [(f"canary{number}",) for number in ids]


def test_numeric_looking_filters_are_texts(bench: Bench) -> None:
    bench.image("i/a.png")
    bench.annotation("1;s;i/a.png;q;a;1;t;", "1;s;i/a.png;q;a;1.0;t;", "1;s;i/a.png;q;a;01;t;")
    assert [s.sample_id for s in bench.prepare(loader="annotation", filter_doc_class="1").samples] == ["0"]


def test_a_filter_without_a_match_says_what_there_is(demo: Bench) -> None:
    done = demo.prepare(loader="annotation", filter_doc_class="Passport")
    assert (done.code, done.fatal["code"]) == (2, "VHB205")
    assert "Passport" in done.fatal["message"]
    assert "passport Фамилия" in done.fatal["hint"]


def test_a_raised_limit_keeps_the_earlier_lines(demo: Bench) -> None:
    demo.image("other/x.png")
    with (demo.root / "annotation.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n23;s;other/x.png;q;a;invoice;t;")
    (demo.root / "annotation.csv").rename(demo.root / "labels.csv")
    params = {"file": "labels.csv"}
    few = demo.prepare(loader="annotation", params=params, limit=3, filter_question_type="Имя")
    many = demo.prepare(loader="annotation", params=params)
    assert len(few.samples) == 2
    lines = (many.out / "inputs/samples.jsonl").read_text(encoding="utf-8")
    assert all(
        line in lines for line in (few.out / "inputs/samples.jsonl").read_text(encoding="utf-8").splitlines()
    )
    assert few.media == many.media


def test_question_of_the_dataset_prompt_and_system_prompt(demo: Bench) -> None:
    plain = demo.prepare(loader="annotation", limit=1).samples[0].messages
    assert [(message.role, message.content) for message in plain] == [("user", "Вопрос 0?")]
    given = demo.prepare(
        loader="annotation", limit=1, prompt="Прочитай", system_prompt="Ты OCR.\nКратко."
    ).samples[0]
    assert [(m.role, m.content) for m in given.messages] == [
        ("system", "Ты OCR.\nКратко."),
        ("user", "Прочитай"),
    ]


def test_prompt_collection_beats_prompt_and_an_empty_cell_means_the_question(demo: Bench) -> None:
    prompts = {f"passport {question}": f"Напиши: {question}" for question in QUESTIONS}
    prompts["passport Имя"] = ""
    done = demo.prepare(loader="annotation", prompts=prompts, prompt="никогда", filter_doc_class="passport")
    texts = [sample.messages[-1].content for sample in done.samples]
    assert texts[:3] == ["Напиши: Серия и номер паспорта", "Напиши: Фамилия", "Вопрос 2?"]


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        (
            {"template": "Q: {question} {x} {{}}\nA:"},
            ["Q: Сумма {question}? {x} {{}}\nA:", "Q: b\nA. да\nB. нет {x} {{}}\nA:"],
        ),
        (
            {"template": "T {question}", "prompts": {" ": "", "c ": "Напиши"}},
            ["T Сумма {question}?", "T Напиши\nA. да\nB. нет"],
        ),
        ({"template": "T {question}", "prompt": "Как есть"}, ["Как есть", "Как есть\nA. да\nB. нет"]),
        ({"template": "{question}{question}"}, ["Сумма {question}?" * 2, "b\nA. да\nB. нет" * 2]),
    ],
)
def test_a_template_stands_around_questions_and_collections_alone(
    bench: Bench, spec: dict[str, Any], texts: list[str]
) -> None:
    bench.rows(
        {"question": "Сумма {question}?", "answer": "x"},
        {"question": "b", "answer": "x", "choices": ["да", "нет"], "doc_class": "c"},
    )
    done = bench.prepare(**spec)
    assert [sample.messages[-1].content for sample in done.samples] == texts


def test_a_template_without_a_place_for_the_question_is_refused(bench: Bench) -> None:
    bench.rows({"question": "q", "answer": "x"})
    done = bench.prepare(template="Answer: {Question}")
    assert (done.code, done.fatal["code"]) == (2, "VHB202")


def test_a_page_that_asks_nothing_gets_no_template(bench: Bench) -> None:
    bench.rows({"answer": "x"}, {"answer": "y", "question": "q"})
    ocr = bench.prepare(template="Q: {question}", task_type="ocr")
    assert [sample.messages[-1].content[:10] for sample in ocr.samples] == ["Transcribe", "Q: q"]
    vqa = bench.prepare(template="Q: {question}", task_type="vqa")
    assert vqa.samples[0].error is not None and "no question" in vqa.samples[0].error.message


def test_all_missing_prompt_keys_are_listed_and_nothing_is_written(demo: Bench) -> None:
    done = demo.prepare(loader="annotation", prompts={"passport Фамилия": "x"}, limit=1)
    assert (done.code, done.fatal["code"]) == (2, "VHB108")
    for key in ("passport Имя", "passport Пол", "invoice Поле 0", "invoice Поле 7"):
        assert key in done.fatal["message"]
    assert "passport Фамилия" not in done.fatal["message"]
    assert not (done.out / "inputs").exists()


def test_keys_of_rows_outside_the_filter_are_not_missed(demo: Bench) -> None:
    done = demo.prepare(loader="annotation", prompts={"passport Имя": "x"}, filter_question_type="Имя")
    assert done.code == 0


def test_choices_are_lines_below_the_question(bench: Bench) -> None:
    bench.rows({"id": "a", "question": "Что это?", "answer": "A", "choices": ["чек", "паспорт"]})
    (sample,) = bench.prepare(task_type="classification").samples
    assert sample.messages[0].content == "Что это?\nA. чек\nB. паспорт"
    assert sample.choices == ("чек", "паспорт")


def test_nobody_asks(bench: Bench) -> None:
    bench.rows({"id": "a", "answer": "x"}, {"id": "b", "question": "?", "answer": "x"})
    ocr = bench.prepare(task_type="ocr").samples[0]
    assert "reading order" in ocr.messages[0].content
    vqa = bench.prepare(task_type="vqa").samples[0]
    assert vqa.error is not None
    assert (vqa.error.kind, "row 1" in vqa.error.message) == ("bad_sample", True)


def test_a_schema_and_metadata_come_through(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "string", "maxLength": 5}}}
    bench.rows({"id": "a", "question": "q", "answer": "x", "response_schema": schema, "language": "ru"})
    done = bench.prepare()
    assert done.samples[0].response_schema == schema
    assert done.samples[0].metadata == done.labels[0].metadata == {"language": "ru"}


def test_labels_never_reach_the_inputs(demo: Bench) -> None:
    done = demo.prepare(loader="annotation")
    written = b"".join(path.read_bytes() for path in (done.out / "inputs").rglob("*") if path.is_file())
    assert b"canary" not in written
    assert b"[1, 2, 3, 4]" not in written
    assert b"canary21" in (done.out / "labels/labels.jsonl").read_bytes()


def test_texts_survive_to_the_byte(bench: Bench) -> None:
    texts = ["0044", "12.50", "", "True", "N/A", 'ООО "Ромашка"; Москва\nстр2', "a\r\nb", "\u2028", "й"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\n")
    writer.writerows(["1", "s", "i/a.png", text or "?", text, "c", "t", ""] for text in texts)
    bench.image("i/a.png")
    bench.annotation(buffer.getvalue())
    done = bench.prepare(loader="annotation")
    assert [label.references[0] for label in done.labels] == texts
    assert [sample.messages[0].content for sample in done.samples] == [text or "?" for text in texts]


def test_duplicate_ids_name_both_rows(bench: Bench) -> None:
    bench.rows(*({"id": id_, "question": "q", "answer": "x"} for id_ in ("a", "b", "a")))
    done = bench.prepare(limit=1)
    assert done.code == 2
    assert done.fatal["message"] == "sample id a stands twice, in samples.jsonl, rows 1 and 3"


def test_an_empty_dataset_and_a_broken_one_are_fatal(bench: Bench) -> None:
    bench.rows()
    assert bench.prepare().fatal["message"] == "the file is empty, in samples.jsonl"
    (bench.root / "samples.jsonl").write_text("\n \n", encoding="utf-8")
    assert bench.prepare().code == 2
    missing = bench.prepare(loader="annotation")
    assert (missing.code, missing.fatal["code"]) == (2, "VHB205")
    assert missing.fatal["hint"]


def test_damaged_rows_cost_one_sample_each_and_filters_do_not_hide_them(bench: Bench) -> None:
    bench.image("i/a.png")
    bench.annotation("1;s;i/a.png;q;a;c;t;", "1;s;i/a.png;q;a;b;c;t;", "1;s;i/a.png;q;a;c;t;")
    done = bench.prepare(loader="annotation")
    assert [sample.error and sample.error.kind for sample in done.samples] == [None, "bad_sample", None]
    assert done.labels[1].references == ()
    assert done.warnings[0].startswith("1 of 3 samples cannot be used (bad_sample)")
    filtered = bench.prepare(loader="annotation", filter_doc_class="c")
    assert len(filtered.samples) == 2
    assert filtered.warnings == [
        "1 damaged rows did not reach the filters; first: "
        "annotation.csv, row 3: 9 cells where the header has 8"
    ]


def test_each_kind_of_problem_is_told_with_its_own_first_sample(bench: Bench) -> None:
    bench.image("i/a.png")
    bench.annotation("1;s;i/none.png;q;a;c;t;", "1;s;i/a.png;q;a;b;c;t;", "1;s;i/a.png;q;a;c;t;")
    warnings = bench.prepare(loader="annotation").warnings
    assert warnings[0] == (
        "1 of 3 samples cannot be used (bad_image); first: annotation.csv, row 2: i/none.png: no such file"
    )
    assert warnings[1].startswith(
        "1 of 3 samples cannot be used (bad_sample); first: annotation.csv, row 3: "
    )


def test_samples_without_an_image_are_told(bench: Bench) -> None:
    bench.image("images/a.png")
    asked = {"question": "q", "answer": "a"}
    bench.rows({"image": "images/a.png", **asked}, {"img": "images/a.png", **asked})
    assert bench.prepare().warnings == ["1 sample has no image; first: samples.jsonl, row 2"]


def test_output_is_the_same_bytes_each_time_and_leftovers_go(demo: Bench) -> None:
    first = demo.prepare(loader="annotation")
    (first.out / "inputs/media").mkdir()
    (first.out / "inputs/media/.partial").write_bytes(b"torn")
    before = (first.out / "inputs/samples.jsonl").read_bytes()
    again = demo.prepare(loader="annotation", out=first.out)
    assert (again.out / "inputs/samples.jsonl").read_bytes() == before
    assert not list((again.out / "inputs").rglob(".partial"))
    line = before.decode().splitlines()[0]
    assert list(json.loads(line)) == sorted(json.loads(line))


def test_progress_at_most_once_a_second(demo: Bench) -> None:
    ticks = iter(range(1000))
    demo.clock = lambda: next(ticks) * 0.25
    done = demo.prepare(loader="annotation")
    progress = [event for event in done.events if event["type"] == "progress"]
    assert [event["done"] for event in progress[:-1]] == [2, 6, 10, 14, 18, 22]
    assert progress[-1] | {"t": 0} == {
        "t": 0,
        "type": "progress",
        "done": 22,
        "total": 22,
        "ok": 22,
        "error": 0,
    }
    assert sum(event["type"] == "heartbeat" for event in done.events) == 5
    assert done.events[-1]["type"] == "end"
