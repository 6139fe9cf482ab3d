"""Every extraction takes the answer it promises, says when there is none, and cannot be made slow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vlmhb_benchmarks.extraction import EXTRACTIONS, UnknownExtraction, get_extraction
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.base import Context

CHOICES = Context(choices=("Paris", "London", "a cat and a dog", "cat"))
CLASSES = Context(choices=("passport", "invoice", "СНИЛС"))


def take(name: str, reply: str, context: Context | None = None) -> str:
    """The extracted text, with a `!` before it where the rule missed."""
    found = get_extraction(name).rule(reply, context or Context())
    return found.text if found.found else f"!{found.text}"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Thinking.\nANSWER: 42", "42"),
        ("answer: **Paris**\nmore", "Paris"),
        ("ANSWER:\n 7 ", "7"),
        ("ANSWER: a\nANSWER: b", "b"),
        ("forty-two", "!forty-two"),
    ],
)
def test_answer_marker(reply: str, found: str) -> None:
    assert take("answer_marker", reply) == found


def test_required_marker_leaves_nothing_without_one() -> None:
    assert take("answer_marker_required", "42") == "!"
    assert take("answer_marker_required", "ANSWER: 42") == "42"


@pytest.mark.parametrize(("reply", "found"), [("a\nb \n\n", "b"), ("a", "a"), (" \n ", "!"), ("", "!")])
def test_last_line(reply: str, found: str) -> None:
    assert take("last_line", reply) == found


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (r"so \boxed{42}.", "42"),
        (r"\boxed{1} then \boxed{\frac{a}{b}}", r"\frac{a}{b}"),
        (r"\fbox{ B }", "B"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{1} and \boxed{cut", "1"),
        (r"\boxed{cut", r"!\boxed{cut"),
        ("none", "!none"),
    ],
)
def test_boxed(reply: str, found: str) -> None:
    assert take("boxed", reply) == found


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('{"a": 1.50}', '{"a": 1.50}'),
        ('Here:\n```json\n{"a": "x"}\n```\nDone', '{"a": "x"}'),
        ('the value {"a": [1, 2]} it is', '{"a": [1, 2]}'),
        ('[{"a": 1}]', '[{"a": 1}]'),
        ("no json", "!no json"),
    ],
)
def test_json(reply: str, found: str) -> None:
    assert take("json", reply) == found


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B. London", "B"),
        ("London", "B"),
        ("london.", "B"),
        ("The answer is (C).", "C"),
        ("The correct answer is: B", "B"),
        ("Answer: **D**", "D"),
        ("Ответ: B", "B"),
        ("Option A is right.", "A"),
        (r"We get \boxed{C}", "C"),
        ("Looking at it, I choose B because of the river.", "B"),
        ("It shows London at night.", "B"),
        ("It is a cat and a dog.", "C"),
        ("A", "A"),
        ("A.", "A"),
    ],
)
def test_choice_letter(reply: str, letter: str) -> None:
    assert take("choice_letter", reply, CHOICES) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "A dog is there.",
        "A man holds an umbrella",
        "I think so",
        "A or B",
        "Either (A) or (B)",
        "Paris, not London",
        "VITAMIN A",
        "grade-A meat",
        "E",
        "Sorry, I cannot help.",
        "",
    ],
)
def test_no_letter_is_guessed(reply: str) -> None:
    """Neither the article nor the pronoun is a letter, and of two letters none is chosen."""
    context = Context(choices=("one", "two", "three", "four")) if "Paris" not in reply else CHOICES
    expected = "A" if reply == "VITAMIN A" else None
    found = take("choice_letter", reply, context)
    assert found == (expected or "!")


def test_letters_without_known_choices() -> None:
    assert take("choice_letter", "The answer is C") == "C"
    assert take("choice_letter", "Z") == "!"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("(A) is wrong, so (B)", "B"),
        ("B because of it", "B"),
        ("The answer is C.", "C"),
        ("I would say that the picture shows london today", "B"),
        ("A dog and nothing else than that is here", "!"),
        ("London", "!"),
        ("NASA says no", "!"),
    ],
)
def test_mmmu_choices(reply: str, letter: str) -> None:
    assert take("mmmu", reply, Context(choices=("Paris", "London", "Rome", "Oslo"))) == letter


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("We add. The result is 1,234.5", "1234.5"),
        ("x = 3 + 4 = 7", "7"),
        ("Therefore the final answer is blue whale.", "blue whale"),
        ("It is red. It could be green", "green"),
        ("nothing here", "!nothing here"),
    ],
)
def test_mmmu_open(reply: str, found: str) -> None:
    assert take("mmmu", reply) == found


@pytest.mark.parametrize(
    ("metadata", "reply", "found"),
    [
        ({"answer_type": "integer"}, "There are 14 of them.", "14"),
        ({"answer_type": "integer"}, "The answer is 3.0", "3"),
        ({"answer_type": "integer"}, "From 10, the answer is 7.\nChecked.", "7"),
        ({"answer_type": "float", "precision": "1.0"}, "It is 1.26", "1.3"),
        ({"answer_type": "float", "precision": "2"}, "$1,001.456", "1001.46"),
        ({"answer_type": "float"}, "−0.5", "-0.5"),
        ({"answer_type": "list"}, "between [1, 2] and [2007, 2008].", "[2007, 2008]"),
        ({"answer_type": "text"}, 'The answer is "Sunny".', "Sunny"),
        ({"answer_type": "integer"}, "none", "!none"),
    ],
)
def test_mathvista(metadata: dict[str, str], reply: str, found: str) -> None:
    assert take("mathvista", reply, Context(metadata=metadata)) == found


def test_mathvista_gives_the_text_of_the_choice() -> None:
    assert take("mathvista", "The answer is (B)", CHOICES) == "London"
    assert take("mathvista", "Paris or London", CHOICES) == "!Paris or London"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("Yes, there is a cat.", "yes"),
        ("No, there is not.", "no"),
        ("Да, есть", "yes"),
        ("Нет.", "no"),
        ("The answer is Yes.", "yes"),
        ("There is no evidence, so Yes", "yes"),
        ("there is no evidence", "!"),
        ("Yes and No", "yes"),
        ("I say Yes or No", "!"),
        ("Nothing", "!"),
        ("", "!"),
    ],
)
def test_yes_no(reply: str, found: str) -> None:
    assert take("yes_no", reply) == found


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (" 1 \n", "invoice"),
        ("2", "СНИЛС"),
        ("3", "!None"),
        ("invoice", "!None"),
        ("1.", "!None"),
        ("", "!None"),
    ],
)
def test_class_index(reply: str, found: str) -> None:
    assert take("class_index", reply, CLASSES) == found


def test_class_index_without_classes_is_the_number() -> None:
    assert take("class_index", "07") == "7"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('{"ordered_pages": [2, 1, 4, 3]}', "[2, 1, 4, 3]"),
        ('Sure:\n```json\n{"ordered_pages": ["2", "1"]}\n```', "[2, 1]"),
        ("```\n[3, 1, 2]\n```", "[3, 1, 2]"),
        ("The order is [4, 1] as pages 1 to 4 show", "[4, 1]"),
        ("3, 1, 2", "[3, 1, 2]"),
        ("page 2 then page 1", "[2, 1]"),
        ('{"ordered_pages": "x"}', "!"),
        ("none", "!"),
    ],
)
def test_page_order(reply: str, found: str) -> None:
    assert take("page_order", reply) == found


def test_names_versions_and_unknown_ones() -> None:
    assert [rule.name for rule in EXTRACTIONS][:2] == ["none", "answer_marker"]
    assert len({rule.name for rule in EXTRACTIONS}) == len(EXTRACTIONS)
    for rule in EXTRACTIONS:
        assert get_extraction(f"{rule.name.upper()}@{rule.version}") is rule
        assert rule.description and rule.source and rule.on_miss
    with pytest.raises(UnknownExtraction, match="choice_letter"):
        get_extraction("choice-letter")
    with pytest.raises(UnknownExtraction):
        get_extraction("boxed@9")


@pytest.mark.parametrize("rule", EXTRACTIONS, ids=lambda rule: rule.name)
@settings(deadline=None, max_examples=80, derandomize=True)
@given(
    reply=st.one_of(
        st.text(max_size=60), st.lists(st.sampled_from([*'AB()[]{}".:\\*`1,-= \n', r"\boxed{", "is "]))
    ),
    choices=st.lists(st.text(max_size=5), max_size=4),
)
def test_any_reply_gives_a_text(rule: object, reply: object, choices: list[str]) -> None:
    text = reply if isinstance(reply, str) else "".join(map(str, reply if isinstance(reply, list) else []))
    for context in (
        Context(choices=tuple(choices)),
        *(Context(metadata={"answer_type": kind, "precision": "2"}) for kind in ("integer", "float", "list")),
    ):
        found = rule.rule(text, context)  # type: ignore[attr-defined]  # an Extraction; pytest hides its type
        assert isinstance(found.text, str)


HOSTILE = [
    "{" * 40_000,
    "[" * 40_000,
    '{"' * 20_000,
    "```" * 13_000,
    "(" * 40_000,
    "A " * 20_000,
    "(A) (B) " * 5_000,
    "answer is " * 4_000,
    "answer" + " " * 40_000 + "x",
    "1" * 40_000,
    "1," * 20_000,
    "1.1" * 13_000,
    "-" * 40_000,
    r"\boxed{" * 6_000,
    r"\boxed" + " " * 40_000,
    "is " * 13_000,
    "*" * 40_000,
    "ANSWER:" * 6_000,
    "ANSWER:" + "\n" * 40_000,
    " " * 40_000,
    "Yes-No " * 6_000,
    "[1, 2" * 8_000,
    '"' * 40_000,
]


@pytest.mark.parametrize("rule", [rule.name for rule in EXTRACTIONS])
@pytest.mark.parametrize("reply", HOSTILE, ids=lambda reply: reply[:8].strip() or "blanks")
@pytest.mark.timeout(10)
def test_long_replies_end(rule: str, reply: str) -> None:
    """Backtracking would take hours for these, not seconds."""
    for context in (Context(), CHOICES, Context(metadata={"answer_type": "integer"})):
        assert isinstance(get_extraction(rule).rule(reply, context).text, str)


@pytest.mark.parametrize(("kind", "found"), [("integer", "!1e999"), ("float", "!1e999"), ("text", "1e999")])
def test_a_number_that_no_float_holds_is_none(kind: str, found: str) -> None:
    assert take("mathvista", "1e999", Context(metadata={"answer_type": kind})) == found


@pytest.mark.parametrize("rule", ["choice_letter", "mathvista"])
def test_a_choice_beyond_the_letters_has_none(rule: str) -> None:
    context = Context(choices=tuple(f"class {number} of papers" for number in range(30)))
    assert not get_extraction(rule).rule("it is class 29 of papers", context).found
    assert get_extraction(rule).rule("it is class 3 of papers", context).found


def test_page_order_is_what_the_ranking_metrics_read() -> None:
    text = take("page_order", '```json\n{"ordered_pages": [2, 1, 3]}\n```')
    assert get_metric("page_accuracy").score(text, ["[2, 1, 3]"]).value == 1.0
    assert get_metric("page_accuracy").score(text, ["[1, 2, 3]"]).value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("metric", "answer", "references", "value"),
    [
        ("relaxed_accuracy", "0.28", ["0.28"], 1.0),
        ("exact_match", "0.28", ["0.28"], 1.0),
        ("substring_match", "0.28", ["0.28"], 1.0),
        ("substring_match", "I counted 17 items", ["7"], 0.0),
        ("exact_match", "I counted 17 items", ["7"], 0.0),
        ("relaxed_accuracy_strict", "I counted 17 items", ["7"], 0.0),
        ("token_f1", "I counted 17 items", ["7"], 0.0),
        ("vqa_accuracy", "I counted 17 items", ["7"] * 10, 0.0),
    ],
)
def test_numbers_are_whole_numbers(metric: str, answer: str, references: list[str], value: float) -> None:
    assert get_metric(metric).score(answer, references).value == value
