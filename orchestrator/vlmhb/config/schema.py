"""The JSON Schema of JSON and YAML run configs, made from the row model, so that it cannot go stale."""

from __future__ import annotations

import json
from typing import Any, get_args

from vlmhb_stages.specs import Overflow

from vlmhb.contracts import EngineName, EvaluationRow

from .columns import KINDS, MEANINGS, REQUIRED
from .limits import BUDGET_SCOPES, SCOPES
from .rows import AGGREGATORS, PROFILES
from .serving import Mode


def run_config_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. `mark`: a column is semantic (changes results) or runtime."""
    refs = {name: {"$ref": f"#/$defs/{name}"} for name in KINDS}
    axes = {
        name: {"anyOf": [ref, {"type": "array", "items": ref, "minItems": 1}]} for name, ref in refs.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "VLMHyperBench run config",
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["evaluations"]}, {"required": ["matrix"]}],
        "properties": {
            "$schema": {"type": "string", "description": "this schema, for editors"},
            "defaults": _row(refs, description="values for every evaluation that does not give its own"),
            "evaluations": {"type": "array", "items": _row(refs, description="one model on one benchmark")},
            "matrix": _row(axes, description="every combination of the listed values"),
            "engine": {"type": "string", "enum": list(get_args(EngineName))},
            "scheduler": {"type": "string", "enum": ["local"]},
            "budget": _budget(),
            "prices": {
                "type": "string",
                "description": "price table: a file, or a name in <workspace>/prices",
            },
            "alerts": _alerts(),
        },
        "$defs": _columns(),
    }


def schema_text() -> str:
    """The file `user_configs/run_config.schema.json`."""
    return json.dumps(run_config_schema(), ensure_ascii=False, indent=2) + "\n"


def _row(columns: dict[str, Any], *, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": columns,
    }


def _budget() -> dict[str, Any]:
    amount = {"type": ["string", "number"]}
    scopes = {scope: {**amount, "description": BUDGET_SCOPES[scope]} for scope in SCOPES}
    return {
        "description": "most that may be spent: one amount for the run, or amounts by scope",
        "anyOf": [amount, {"type": "object", "additionalProperties": False, "properties": scopes}],
    }


def _alerts() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "who is told when a budget reaches 50, 80, 95 or 100 %",
        "additionalProperties": False,
        "properties": {
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "description": "program and arguments; the message is JSON on its standard input",
            },
            "webhook": {
                "type": "string",
                "description": "URL, or secret:NAME; the message is POSTed as JSON",
            },
        },
    }


def _columns() -> dict[str, Any]:
    properties = EvaluationRow.model_json_schema()["properties"]
    columns = {name: _column(name, properties[name]) for name in KINDS}
    columns["metrics_profile"]["enum"] = [*PROFILES, None]
    columns["metrics_aggregators"]["anyOf"][0]["items"] = {"enum": [*AGGREGATORS, "overall"]}
    columns["mode"]["enum"] = [*get_args(Mode), None]
    columns["overflow"]["anyOf"][0]["items"] = {"enum": [*get_args(Overflow)]}
    columns["api_key"]["anyOf"][0]["pattern"] = "^secret:"
    return columns


def _column(name: str, property_: dict[str, Any]) -> dict[str, Any]:
    """Nothing is required here: it may come from `defaults`. A list may be one bare word."""
    column = {key: value for key, value in property_.items() if key not in ("title", "default")}
    kinds = column.get("anyOf", [])
    if any(kind.get("type") == "array" for kind in kinds):
        column["anyOf"] = [*kinds, {"type": "string"}]
    if KINDS[name] == "mapping":
        column["anyOf"] = [*kinds, {"type": "object"}]
    needed = " (required, here or in defaults)" if name in REQUIRED else ""
    return {"description": MEANINGS[name] + needed, **column}
