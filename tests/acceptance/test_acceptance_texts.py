"""V5, U3, B7: texts survive byte for byte, answers are joined by id, and a report needs no network."""

import json
import re
from pathlib import Path

from e2e_world import World

TEXTS = [
    "NA",
    "None",
    "null",
    "",
    "007",
    "1.50",
    "x" * 40_000,
    "line one\r\nline two",
    "bell \x07 and tab \t",
    "Ёжик «в тумане»",
    "=SUM(A1)",
    '"quoted"; semicolon',
    "  padded  ",
]


def replay(world: World, answers: Path) -> dict[str, object]:
    row = {
        "dataset": "pages",
        "model_name": "page-model",
        "only_evaluate_metrics": True,
        "answers_file": str(answers),
    }
    world.config({**row, "metrics": ["exact_match", "cer"]})
    return world.run()


def test_v5_texts_survive_byte_for_byte(process_world: World) -> None:
    world = process_world
    world.make(pages=len(TEXTS))
    answers = world.root / "answers.jsonl"
    lines = [{"sample_id": f"p{number:03d}", "text": text} for number, text in enumerate(TEXTS)]
    answers.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    summary = replay(world, answers)
    assert [item["text"] for item in world.predictions(summary)] == TEXTS


def test_u3_answers_in_another_order_are_joined_by_id(process_world: World) -> None:
    world = process_world
    world.make(pages=5)
    answers = world.root / "answers.csv"
    rows = [f"{line['id']};{line['answer']}" for line in reversed(world.samples())]
    answers.write_text("id;model_answer\n" + "\n".join(rows) + "\n", encoding="utf-8-sig")
    summary = replay(world, answers)
    assert {item["name"]: item["value"] for item in world.metrics(summary)["metrics"]} == {
        "exact_match": 1.0,
        "cer": 0.0,
    }


def test_b7_the_report_names_no_address_outside_itself(process_world: World) -> None:
    process_world.make(pages=3, questions={0: "RAISE"})
    summary = process_world.run(expect=4)
    html = Path(str(summary["report"])).read_text(encoding="utf-8")
    assert re.findall(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}/|@import|url\((?!#|data:)", html) == []
    assert re.findall(r"""(?:src|href)=["'](?!#|data:)""", html) == []
