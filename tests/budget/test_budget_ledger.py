"""The ledger's files: what cannot be read is told, and never taken for nothing spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from vlmhb.budget.ledger import Entry, Ledger
from vlmhb.errors import BadLedger

TODAY = date(2026, 3, 1)
ENTRY = Entry(
    run="r", evaluation="e", artifact="a", currency="USD", owner="my-host-17-99", began=1, touched=2, spent=3
)


def written(folder: Path) -> Path:
    with Ledger(folder).editing() as books:
        books.day(TODAY).entries["one"] = ENTRY
    return folder / f"{TODAY}.json"


def test_it_reads_what_it_writes(tmp_path: Path) -> None:
    written(tmp_path)
    assert Ledger(tmp_path).read(TODAY).entries == {"one": ENTRY}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-40],
        lambda text: text.replace("3", '"much"'),
        lambda text: text.replace('"spent": 3', '"spent": NaN'),
        lambda text: text.replace("my-host-17-99", "me"),
        lambda text: text.replace('"owner"', '"keeper"'),
    ],
)
def test_a_damaged_file_is_not_nothing_spent(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = written(tmp_path)
    damaged = change(path.read_text())
    path.write_text(damaged)
    with (
        pytest.raises(BadLedger, match="what was spent on that day is not known"),
        Ledger(tmp_path).editing(),
    ):
        Ledger(tmp_path).read(TODAY)
    assert path.read_text() == damaged


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / f"{TODAY}.json").mkdir()
    with pytest.raises(BadLedger):
        Ledger(tmp_path).read(TODAY)


def test_the_version_stands_beside_the_day(tmp_path: Path) -> None:
    value = json.loads(written(tmp_path).read_text())
    assert (value["version"], value["date"]) == (1, "2026-03-01")
