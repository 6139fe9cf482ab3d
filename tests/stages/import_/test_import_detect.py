"""Formats are told apart by content; what is none of them is refused, however it is made."""

from __future__ import annotations

import json
import zipfile

import pytest
from import_bench import Bench, workbook
from vlmhb_stages.import_ import archive
from vlmhb_stages.import_.detect import detect
from vlmhb_stages.import_.rows import BadSource


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"doc_id": 0, "resps": ["a"]}', "lmms-eval"),
        ('\ufeff\n{"index": 0, "model_output": {}}\n{', "evalscope"),
        ('{"index": 0, "sample_score": {}}', "evalscope"),
        ('{"version": 2, "eval": {}, "samples": []}', "inspect"),
        ('{\n  "version": 2,\n  "status": "success",\n  "eval": {', "inspect"),
        ('[\n {"index": 0, "prediction": "a"}\n]', "vlmevalkit"),
        ('[{"index": 0, "prediction": "a"}]', "vlmevalkit"),
        ('{"index": {"0": 1}, "prediction": {"0": "a"}}', "vlmevalkit"),
        ("index\tquestion\tprediction\n", "vlmevalkit"),
        ("id;model_answer\n", "upstream"),
        ("\ufeffsample_id;answer\n", "upstream"),
        ('"id","model_answer"\r\n', "upstream"),
        ('{"sample_id": "a", "text": "b"}', "jsonl"),
        ('{"id": "a", "model_answer": "b"}', "jsonl"),
    ],
)
def test_known(bench: Bench, content: str, name: str) -> None:
    bench.source.write_text(content, encoding="utf-8")
    assert detect(bench.source) == name


@pytest.mark.parametrize(
    "content", ["", "hello", "a;b\n", "a\tb\n", "{}", "[1]", '{"id": 1}', "{not json", "1\n"]
)
def test_unknown(bench: Bench, content: str) -> None:
    bench.source.write_text(content)
    with pytest.raises(BadSource, match="not recognised") as error:
        detect(bench.source)
    assert "name it: vlmevalkit" in error.value.hint


def test_zip_files(bench: Bench) -> None:
    workbook(bench.source, cells=[])
    assert detect(bench.source) == "vlmevalkit"
    with zipfile.ZipFile(bench.source, "w") as file:
        file.writestr("header.json", "{}")
    assert detect(bench.source) == "inspect"
    with zipfile.ZipFile(bench.source, "w") as file:
        file.writestr("x", "{}")
    with pytest.raises(BadSource, match="not recognised"):
        detect(bench.source)
    bench.source.write_bytes(b"PK and nothing else")
    with pytest.raises(BadSource, match="not a readable zip"):
        detect(bench.source)


def test_a_member_larger_than_any_log_is_not_unpacked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER", 1000)
    with zipfile.ZipFile(bench.source, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", json.dumps({"eval": "x" * 2000}))
    bench.samples(["0"])
    assert bench.run() == 2
    assert "more than 1000" in bench.fatal["message"]


def test_a_sheet_that_would_blow_up_its_entities(bench: Bench) -> None:
    entities = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    bomb = f'{entities}<worksheet><row><c t="str"><v>&b;</v></c></row></worksheet>'
    with zipfile.ZipFile(bench.source, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
        file.writestr("xl/worksheets/sheet1.xml", bomb)
    bench.samples(["0"])
    assert bench.run() == 2
    assert "document type" in bench.fatal["message"]
    with zipfile.ZipFile(bench.source, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
        file.writestr("xl/worksheets/sheet1.xml", "<worksheet><row>")
    assert bench.run() == 2
    assert "not XML" in bench.fatal["message"]


def test_a_sheet_in_an_encoding_that_nobody_reads(bench: Bench) -> None:
    bench.samples(["0"])
    with zipfile.ZipFile(bench.source, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
        file.writestr("xl/worksheets/sheet1.xml", '<?xml version="1.0" encoding="utf-7"?><worksheet/>')
    assert bench.run() == 2
    assert "not XML" in bench.fatal["message"]


def test_an_unknown_format_and_broken_samples(bench: Bench) -> None:
    bench.samples(["0"])
    bench.lines([{"sample_id": "0", "text": "x"}])
    assert bench.run("helm") == 2
    assert "unknown format 'helm'" in bench.fatal["message"]
    (bench.root / "in" / "inputs" / "samples.jsonl").write_text('{"sample_id": 1}\n')
    assert bench.run() == 2
    assert "is not what prepare writes" in bench.fatal["message"]
