"""What `vlmhb logs -f` prints of files that grow, are cut, or are not whole yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb.cli.logs import _Printer


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_each_file_has_a_line_that_names_it_when_the_speaker_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("a\n")
    two.write_text("")
    printer = _Printer()
    printer.show(one, title="e infer")
    printer.show(two, title="e model server")
    assert printed(capsys) == f"--- e infer ({one})\na\n--- e model server ({two})\n"
    for path, text in ((one, "b\n"), (one, "c\n"), (two, "d\n")):
        with path.open("a") as file:
            file.write(text)
    printer.show(one, title="e infer")
    printer.show(two, title="e model server")
    printer.show(two, title="e model server")
    assert printed(capsys) == f"--- e infer ({one})\nb\nc\n--- e model server ({two})\nd\n"


def test_a_log_that_was_cut_is_read_from_its_new_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("long " * 100)
    printer = _Printer()
    printer.show(log, title="t")
    log.write_text("new\n")
    printer.show(log, title="t")
    assert printed(capsys).endswith("new\n")


def test_half_a_letter_waits_for_its_other_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, whole = tmp_path / "log.txt", "да\n".encode()
    log.write_bytes(whole[:3])
    printer = _Printer()
    printer.show(log, title="t")
    with log.open("ab") as file:
        file.write(whole[3:])
    printer.show(log, title="t")
    assert printed(capsys) == f"--- t ({log})\nда\n"


def test_one_server_of_several_evaluations_is_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, link = tmp_path / "log.txt", tmp_path / "link.txt"
    log.write_text("x\n")
    link.symlink_to(log)
    printer = _Printer()
    printer.show(log, title="a model server")
    printer.show(link, title="b model server")
    assert printed(capsys).count("x\n") == 1


def test_a_log_that_is_not_there_yet_is_no_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _Printer().show(tmp_path / "absent", title="t")
    assert printed(capsys) == ""
