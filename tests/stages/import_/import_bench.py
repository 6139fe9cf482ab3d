"""A `/vlmhb` folder for the import stage in a test, and foreign files as their tools write them."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow
from vlmhb_stages.contracts import AnswerRecord, ImportSummary, Message, Sample
from vlmhb_stages.events import EventWriter
from vlmhb_stages.import_ import run
from vlmhb_stages.specs import ImportSpec

# Texts that some reader or writer is known to change.
AWKWARD = (
    "NA", "None", "null", "", "007", "1.50", "True", "=1+1", "@SUM(A1)", " padded ", "a,b;c\td", 'q"uo"te', '"',
    "line\nfeed", "CR\rLF\r\nend\r", "\x01\x02\x0b\x1f", "Ёжик «ё»", "й й", "🙂", "a\u2028b\u2029c\x85d", "_x000D_",
    "ы" * 40_000,
)  # fmt: skip


@dataclass
class Bench:
    """`ids` are the benchmark's sample ids, whose questions are `Question <id>?`."""

    root: Path

    def __post_init__(self) -> None:
        for folder in ("in/inputs", "out"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    @property
    def source(self) -> Path:
        return self.root / "in" / "source"

    def samples(self, ids: Sequence[str], questions: Mapping[str, str] | None = None) -> None:
        lines = [
            Sample(
                sample_id=name,
                messages=(Message(role="user", content=(questions or {}).get(name, f"Question {name}?")),),
            ).model_dump_json()
            for name in ids
        ]
        path = self.root / "in" / "inputs" / "samples.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def lines(self, records: Sequence[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self.source.write_bytes(text.encode())

    def run(self, format_: str = "auto", **changes: Any) -> int:
        events = EventWriter(self.root / "out" / "events.jsonl")
        spec = ImportSpec(format=format_, **changes)
        code = run(spec, events=events, resolve=lambda path: self.root / path.removeprefix("/vlmhb/"))
        events.close()
        return code

    @property
    def answers(self) -> dict[str, AnswerRecord]:
        text = (self.root / "out" / "answers.jsonl").read_bytes().decode()
        records = [AnswerRecord.model_validate_json(line) for line in text.split("\n") if line]
        return {record.sample_id: record for record in records}

    @property
    def texts(self) -> list[str | None]:
        return [record.text for record in self.answers.values()]

    @property
    def statuses(self) -> dict[str, str]:
        return {name: record.status for name, record in self.answers.items()}

    @property
    def summary(self) -> ImportSummary:
        return ImportSummary.model_validate_json((self.root / "out" / "summary.json").read_bytes())

    @property
    def fatal(self) -> dict[str, Any]:
        lines = (self.root / "out" / "events.jsonl").read_text(encoding="utf-8").splitlines()
        event: dict[str, Any] = json.loads(lines[-1])
        assert event["type"] == "fatal" and event["code"] == "VHB206"
        return event


def workbook(path: Path, *, cells: Sequence[Sequence[str]], strings: Sequence[str] = ()) -> None:
    """An .xlsx as XlsxWriter lays it out. `cells` are the inner XML of `<c …>`; `{n}` is where `r` goes."""
    rows = "".join(
        f'<row r="{number}">{"".join(cell.format(r=f"{chr(65 + at)}{number}") for at, cell in enumerate(row))}</row>'
        for number, row in enumerate(cells, start=1)
    )
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    table = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", f"<workbook {space}/>")
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{table}</sst>")
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>"
        )


def zstandard_zip(path: Path, members: Mapping[str, Any]) -> None:
    """A zip file whose members are compressed by Zstandard (method 93), as inspect_ai writes its logs."""
    body, directory = b"", b""
    for name, value in members.items():
        data = json.dumps(value).encode()
        sink = pyarrow.BufferOutputStream()
        with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        packed, encoded = sink.getvalue().to_pybytes(), name.encode()
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(encoded), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + encoded
        body += b"PK\x03\x04" + common + encoded + packed
    count = len(members)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
