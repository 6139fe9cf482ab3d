"""The published JSON Schema, and the marks that fingerprints rely on."""

import json
from pathlib import Path

import pytest
from vlmhb.config.columns import KINDS, MEANINGS
from vlmhb.config.schema import run_config_schema, schema_text
from vlmhb.contracts import EvaluationRow

PUBLISHED = Path(__file__).parents[2] / "user_configs" / "run_config.schema.json"


@pytest.mark.parametrize("name", EvaluationRow.model_fields)
def test_every_field_is_marked_semantic_or_runtime(name: str) -> None:
    extra = EvaluationRow.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    assert extra.get("mark") in ("semantic", "runtime")


def test_the_published_file_is_what_the_code_says() -> None:
    hint = "python -c 'from vlmhb.config.schema import schema_text as t; print(t(), end=\"\")'"
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), f"write it anew: {hint} > {PUBLISHED}"


def test_every_column_is_described_and_marked() -> None:
    columns = run_config_schema()["$defs"]
    assert list(columns) == list(KINDS) == list(MEANINGS)
    assert all(column["description"] and column["mark"] for column in columns.values())
    assert columns["limit"]["anyOf"][0] == {"minimum": 1, "type": "integer"}
    assert {"type": "string"} in columns["metrics"]["anyOf"]


def test_columns_of_few_words_list_them() -> None:
    columns = run_config_schema()["$defs"]
    assert columns["mode"]["enum"] == ["throughput", "benchmark", None]
    assert columns["overflow"]["anyOf"][0]["items"] == {"enum": ["shrink_images", "drop_oldest_turns"]}


def test_no_reference_leads_nowhere() -> None:
    schema = run_config_schema()
    text = json.dumps(schema)
    for part in text.split('"$ref": "#/$defs/')[1:]:
        assert part.split('"')[0] in schema["$defs"]


def test_the_reference_names_every_column() -> None:
    reference = (PUBLISHED.parents[1] / "docs" / "config.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`{name}`" not in reference] == []
