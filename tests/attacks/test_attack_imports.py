"""Other tools' result files made to crash, hang or mislead `vlmhb import`: VHB206, or rows taken as what they are."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from import_bench import Bench, workbook, zstandard_zip

AT_ONCE_S = 10.0
GOOD = {"index": "a", "prediction": "yes"}
SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<!DOCTYPE x [<!ENTITY a0 "ha">{ENTITIES}]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a9 SYSTEM "file:///etc/passwd">]>'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.samples(["a", "b"])
    return made


def lines(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text.encode("utf-8", "surrogatepass"))


def raw(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def rows(xml: str) -> str:
    return f"<worksheet {SPACE}><sheetData>{xml}</sheetData></worksheet>"


def sheet(xml: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", f"<workbook {SPACE}/>")
            archive.writestr("xl/worksheets/sheet1.xml", xml)

    return write


def swollen(path: Path) -> None:
    """Two gigabytes of zeros that say so; what a header lies about is read no further than it says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/workbook.xml", f"<workbook {SPACE}/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"x")
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: at + 24] + (1 << 31).to_bytes(4, "little") + data[at + 28 :])


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


REFUSED: dict[str, Callable[[Path], object]] = {
    "a nest": lines('{"index": "a", "prediction": ' + nested(90_000) + "}\n"),
    "a number of 5000 digits": lines('{"index": "a", "prediction": ' + "9" * 5000 + "}\n"),
    "a list of nothing": lines("[[[[]]]]"),
    "a pickle": raw(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch pwned\x85R."),
    "a torch file": raw(b"PK\x03\x04" + bytes(60) + b"archive/data.pkl"),
    "zeros": raw(bytes(1 << 20)),
    "a zip of nothing": raw(b"PK\x05\x06" + bytes(18)),
    "a sheet of a billion laughs": sheet(LAUGHS + rows("<row><c><v>&a9;</v></c></row>")),
    "a sheet that reads a file": sheet(OUTSIDE + rows("<row><c><v>&a9;</v></c></row>")),
    "a sheet of one tag in another": sheet("<a>" * 100_000),
    "a sheet that unpacks": swollen,
    "a shared string that is none": sheet(rows('<row><c t="s"><v>99999999999</v></c></row>')),
    "an Inspect log of nests": lambda path: zstandard_zip(path, {"header.json": [], "samples/a_epoch_1.json": []}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(bench: Bench, name: str) -> None:
    REFUSED[name](bench.source)
    started = time.monotonic()
    assert bench.run() == 2
    assert time.monotonic() - started < AT_ONCE_S
    message = bench.fatal["message"]
    assert "\n" not in message
    assert len(message) < 1000
    assert "root:" not in message
    assert not (bench.root / "out" / "answers.jsonl").exists()
    assert not list(Path.cwd().glob("pwned"))


@pytest.mark.parametrize("tokens", [10**400, 10**30, -1, 1.5, True, "7", [], float("inf"), float("nan")])
def test_numbers_that_are_none_are_not_taken(bench: Bench, tokens: object) -> None:
    """Counts and durations of a foreign file go into sums and into the report."""
    record = {
        **GOOD,
        "sample_id": "a",
        "status": "ok",
        "text": "yes",
        "output_tokens": tokens,
        "latency_s": tokens,
    }
    bench.source.write_text(json.dumps(record) + "\n", encoding="utf-8")
    code = bench.run("jsonl")
    if code:
        assert bench.fatal["message"]
        return
    answer = bench.answers["a"]
    assert answer.text == "yes"
    assert answer.output_tokens is None or 0 <= answer.output_tokens <= 10**9
    assert answer.latency_s is None or 0 <= answer.latency_s < float("inf")


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), -(10**400)])
def test_metrics_of_another_tool(bench: Bench, value: object) -> None:
    record = {"index": "a", "prediction": "yes", "hit": value}
    bench.source.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert bench.run("jsonl", id_key="index") in (0, 2)
    if (bench.root / "out" / "summary.json").exists():
        assert bench.summary.metrics == {}


HOSTILE = (
    "=cmd|'/c calc'!A1",
    "@SUM(1)",
    "<script>alert(1)</script>",
    "\x1b[2J\x9b",
    "\u202eevil",
    "{{ 7 * 7 }}",
    "../../x",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_answers_stay_what_they_are(bench: Bench, text: str) -> None:
    bench.lines([{"sample_id": "a", "status": "ok", "text": text}])
    assert bench.run("jsonl") == 0
    assert bench.texts[0] == text


def test_a_cell_far_to_the_right_takes_no_memory(bench: Bench) -> None:
    cells = "".join(f'<row r="{n}"><c r="ZZZ{n}"><v>1</v></c></row>' for n in range(1, 20_000))
    sheet(rows(cells))(bench.source)
    started = time.monotonic()
    assert bench.run() == 2
    assert time.monotonic() - started < AT_ONCE_S


def test_a_formula_is_read_as_its_text(bench: Bench) -> None:
    header = ['<c r="{r}" t="s"><v>0</v></c>', '<c r="{r}" t="s"><v>1</v></c>']
    cells = ['<c r="{r}" t="s"><v>2</v></c>', '<c r="{r}"><f>cmd|x!A1</f><v>0</v></c>']
    workbook(bench.source, cells=[header, cells], strings=["index", "prediction", "a"])
    assert bench.run("vlmevalkit", ids="id") == 0
    assert bench.texts[0] == "=cmd|x!A1"
