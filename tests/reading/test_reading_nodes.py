"""JSON and YAML with lines: equal data, the right lines, faults instead of surprises."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vlmhb.reading.jsonnodes import parse_json
from vlmhb.reading.nodes import SyntaxFault
from vlmhb.reading.yamlnodes import parse_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES, indent=st.sampled_from([None, 2]))
def test_json_gives_the_same_data_as_the_standard_parser(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert parse_json(text).plain() == json.loads(text)


def test_json_lines_and_raw_numbers() -> None:
    node = parse_json('{\n  "a": 0.50,\n  "b": [\n    1,\n    true, null, "x\\ny"]\n}\n')
    assert node.fields is not None
    assert (node.fields["a"].text, node.line_at(["a"])) == ("0.50", 2)
    assert [item.text for item in node.fields["b"].items or ()] == ["1", "true", None, "x\ny"]
    assert (node.line_at(["b", 1]), node.line_at(["b", 9, "zz"])) == (5, 3)


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ('{"a": 1,\n"a": 2}', "key 'a' stands twice", 2),
        ('{"a": 1\n"b": 2}', "not JSON: expected ',' or '}'", 2),
        ("[1,\n]", "not JSON: a ',' before ']'", 1),
        ("{a: 1}", 'not JSON: expected a key in quotes (")', 1),
        ('{"a" 1}', "not JSON: expected ':' after key 'a'", 1),
        ("[1]\n[2]", "text after the end of the JSON value", 2),
        ("[1, x]", "not JSON: expecting value", 1),
        ("", "not JSON: expecting value", 1),
        ("[" * 100, "nested too deeply", 1),
    ],
)
def test_json_faults(text: str, what: str, line: int) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse_json(text)
    assert (caught.value.what, caught.value.line) == (what, line)


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), inner, max_size=4
            )
        ),
        max_leaves=12,
    ).filter(lambda value: value is not None)
)
def test_yaml_gives_the_same_data_as_the_standard_parser(value: Any) -> None:
    text = yaml.safe_dump(value)
    assert [node.plain() for node in parse_yaml(text)] == [yaml.safe_load(text)]


def test_yaml_lines_raw_scalars_and_dates() -> None:
    (node,) = parse_yaml("a: 0044\nb:\n  - 2024-01-01\n  - no\n")
    assert node.fields is not None
    assert node.fields["a"].text == "0044"
    assert node.plain()["b"] == ["2024-01-01", False]
    assert node.line_at(["b", 1]) == 4


def test_yaml_documents_and_merges() -> None:
    first, second = parse_yaml("---\n---\na: 1\n---\nbase: &b {x: 1, y: 2}\nall: {<<: *b, y: 3}\n")
    assert first.plain() == {"a": 1}
    assert second.plain()["all"] == {"x": 1, "y": 3}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a: 1\na: 2\n", "key 'a' stands twice", 2),
        ("a: [1\nb: 2\n", "not YAML: expected ',' or ']', but got ':'", 2),
        ("\ta: 1\n", "not YAML: found character '\\t' that cannot start any token", 1),
        ("a: &x [*x]\n", "an alias that contains itself", 1),
        (
            "a: !!python/object:os.system {}\n",
            "tag 'tag:yaml.org,2002:python/object:os.system' is not allowed",
            1,
        ),
        ("a: !mine 1\n", "tag '!mine' is not allowed", 1),
        ("[a]: 1\n", "a key must be plain text", 1),
        (BOMB, "too large once its aliases are expanded", None),
        ("a: \x00\n", None, None),
    ],
)
def test_yaml_faults(text: str, what: str | None, line: int | None) -> None:
    with pytest.raises(SyntaxFault) as caught:
        [node.plain() for node in parse_yaml(text)]
    if what is not None:
        assert caught.value.what == what
    if line is not None:
        assert caught.value.line == line
