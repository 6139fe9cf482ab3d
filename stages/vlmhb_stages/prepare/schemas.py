"""The JSON schema that an answer has to follow: the row's, else the sample's own, else the card's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.specs import PrepareSpec


def check_schemas(spec: PrepareSpec) -> None:
    """Raises `PrepareFailed` for a schema that is none."""
    for schema in (spec.response_schema, spec.default_response_schema):
        if schema is None:
            continue
        try:
            validator_for(schema).check_schema(schema)
        except SchemaError as error:
            place = "/".join(str(step) for step in error.absolute_path)
            raise PrepareFailed(
                f"response_schema is no JSON schema: {error.message}{f', at {place}' if place else ''}",
                code="VHB104",
            ) from error


def response_schema(own: Mapping[str, Any] | None, *, spec: PrepareSpec) -> dict[str, Any] | None:
    """For a sample whose dataset gives it `own`."""
    if spec.response_schema is not None:
        return spec.response_schema
    return dict(own) if own is not None else spec.default_response_schema
