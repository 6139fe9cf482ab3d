"""Whether an answer is data at all: JSON or not, and JSON that keeps to its schema or not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vlmhb_benchmarks.metrics.base import Context, Flag, Metric, MetricInfo, SampleScore, ratio, undefined
from vlmhb_benchmarks.metrics.json_answer import find_typed_json

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class JsonValid:
    """1 if the answer holds a JSON object or array. References play no part. Parts: value, 1."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        found = find_typed_json(prediction) is not None
        return _binary(found, references, flag=None if found else "invalid_json")

    def missing(self, references: Sequence[str]) -> SampleScore:
        return _binary(False, references, flag=None)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


@dataclass(frozen=True, kw_only=True)
class StructuralFidelity:
    """1 if the answer holds JSON that is valid against the schema. Parts: value, 1.

    Unbound it takes the sample's own schema (`Context.response_schema`); without one it asks for JSON only and
    flags the sample `no_schema`, as 'nothing was checked' must not look like 'it holds'."""

    info: MetricInfo
    schema: str | None = None  # JSON text; a given one wins over the sample's

    def in_context(self, context: Context) -> Metric:
        if self.schema is not None or context.response_schema is None:
            return self
        return replace(self, schema=json.dumps(context.response_schema, sort_keys=True))

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        value = find_typed_json(prediction)
        if value is None:
            return _binary(False, references, flag="invalid_json")
        if self.schema is None:
            return _binary(True, references, flag="no_schema")
        holds = _is_valid(value, schema=self.schema)
        if holds is None:
            return undefined("invalid_reference")
        return _binary(holds, references, flag=None if holds else "invalid_structure")

    def missing(self, references: Sequence[str]) -> SampleScore:
        return _binary(False, references, flag=None)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def _binary(holds: bool, references: Sequence[str], *, flag: Flag | None) -> SampleScore:
    matched = references[0] if references else None
    return SampleScore(value=float(holds), parts=(float(holds), 1.0), matched_reference=matched, flag=flag)


def _is_valid(value: Any, *, schema: str) -> bool | None:
    """None: the schema is none, refers to what is not in it or to itself for ever. The benchmark's mistake, not the
    answer's; but `multipleOf` raises for an answer's NaN and infinity, which no schema means."""
    from jsonschema import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        return bool(_validator(schema).is_valid(value))
    except (SchemaError, Unresolvable, RecursionError):
        return None
    except (OverflowError, ValueError):
        return False


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """Raises `jsonschema.SchemaError`."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    document = json.loads(schema)
    Draft202012Validator.check_schema(document)
    # An empty registry: a `$ref` to somewhere else must not be fetched.
    return Draft202012Validator(document, registry=Registry())


def from_schema(schema: Schema, *, name: str, version: str = "1") -> StructuralFidelity:
    """A structural fidelity against `schema`, for a metric module of one's own.

    Raises `jsonschema.SchemaError` for a schema that is none."""
    _validator(json.dumps(schema, sort_keys=True))
    info = replace(STRUCTURAL_FIDELITY.info, name=name, version=version, params={"schema": dict(schema)})
    return StructuralFidelity(info=info, schema=json.dumps(schema, sort_keys=True))


def from_pydantic(model: type[BaseModel], *, name: str, version: str = "1") -> StructuralFidelity:
    """As `from_schema`, with the JSON schema of a pydantic model.

    `INVOICE_OK = from_pydantic(Invoice, name="invoice_ok")` is the metric `my_file.py:INVOICE_OK`. Validators written
    in Python are no part of a JSON schema, so they are not checked."""
    return from_schema(model.model_json_schema(), name=name, version=version)


def _info(name: str, *, what: str, source: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="empty or missing answer: 0; references play no part",
        binary=True,
        deviations=deviations,
    )


JSON_VALID = JsonValid(
    info=_info(
        "json_valid",
        what="1 if the answer holds a JSON object or array: bare, in a code fence or inside prose",
        source="RFC 8259, with line breaks inside texts and NaN forgiven",
        deviations="single quotes, trailing commas and JSON that is cut off are not JSON",
    )
)
STRUCTURAL_FIDELITY = StructuralFidelity(
    info=_info(
        "structural_fidelity",
        what="1 if the answer holds JSON that is valid against the sample's response schema",
        source="JSON Schema, draft 2020-12; VLMHyperBench metric registry 1.0.0, StructuralFidelityMetric",
        deviations=(
            "code fences and prose around the JSON are forgiven (the prototype's fails on them); no schema: JSON or "
            "not, flagged no_schema; the prototype's second metric of this name (Jaccard of keys) is not this one"
        ),
    )
)
