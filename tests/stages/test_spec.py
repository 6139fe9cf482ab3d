"""A spec comes back as the stage's own type."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from vlmhb_stages.spec import read_spec
from vlmhb_stages.specs import InferSpec, PrepareSpec, ReplayBackend, StageSpec

SPECS: list[StageSpec] = [
    PrepareSpec(loader="annotation"),
    InferSpec(backend=ReplayBackend(), model="m", model_identity="id"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stage)
def test_round_trip(tmp_path: Path, spec: StageSpec) -> None:
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    assert read_spec(tmp_path / "spec.json") == spec


def test_it_is_found_under_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMHB_ROOT", str(tmp_path))
    (tmp_path / "spec.json").write_text(SPECS[0].model_dump_json())
    assert read_spec() == SPECS[0]


@pytest.mark.parametrize(
    "text", ["{}", '{"stage": "dream"}', '{"stage": "prepare", "loader": "x", "unknown": 1}', "[]"]
)
def test_what_is_no_spec_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(ValidationError):
        read_spec(tmp_path / "spec.json")
