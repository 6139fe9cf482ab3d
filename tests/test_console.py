"""What goes where, and when it is coloured."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from vlmhb.console import Console, printable
from vlmhb.errors import BadValue, ErrorList


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ERROR = BadValue("limit is 'ten'", where="a.csv, row 3, column limit", hint="a whole number")


def console(
    *, terminal: bool = False, env: dict[str, str] | None = None
) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    return Console(out=out, err=err, env=env or {}), out, err


def test_data_goes_to_stdout_and_talk_to_stderr() -> None:
    printer, out, err = console()
    printer.data('{"a": 1}')
    printer.say("working")
    printer.warn("careful")
    assert out.getvalue() == '{"a": 1}\n'
    assert err.getvalue() == "working\nwarning: careful\n"


def test_streams_are_those_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Console()
    printer.data("x")
    printer.say("y")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("x\n", "y\n")


def test_error_without_terminal_is_exactly_its_line() -> None:
    printer, out, err = console()
    printer.error(ERROR)
    assert err.getvalue() == ERROR.line() + "\n"
    assert out.getvalue() == ""


def test_error_list_prints_one_line_each() -> None:
    printer, _, err = console()
    printer.error(ErrorList([ERROR, BadValue("second")]))
    assert err.getvalue().splitlines() == [ERROR.line(), "VHB104: second"]


def test_only_the_code_is_coloured_on_a_terminal() -> None:
    printer, _, err = console(terminal=True)
    printer.error(BadValue("second"))
    assert err.getvalue() == "\033[1;31mVHB104:\033[0m second\n"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_when_it_is_not_wanted(env: dict[str, str]) -> None:
    printer, _, err = console(terminal=True, env=env)
    printer.error(ERROR)
    printer.warn("careful")
    assert "\033" not in err.getvalue()


def test_empty_no_color_does_not_count() -> None:
    assert console(terminal=True, env={"NO_COLOR": ""})[0].colour


def test_foreign_text_cannot_steer_the_terminal() -> None:
    printer, _, err = console(terminal=True)
    printer.say("model said \033[2J\x07привет\x9b1m")
    assert err.getvalue() == "model said [2Jпривет1m\n"
    assert printable("a\tb\nc") == "a\tb\nc"


def test_table_in_a_pipe_is_tab_separated_and_one_line_a_row() -> None:
    printer, out, _ = console()
    printer.table([["qwen", "two\nlines\there"]], headers=["name", "note"])
    assert out.getvalue() == "name\tnote\nqwen\ttwo lines here\n"


def test_table_on_a_terminal_is_aligned_and_takes_no_markup() -> None:
    printer, out, _ = console(terminal=True, env={"NO_COLOR": "1"})
    printer.table([["[red]a[/red]", "1"], ["модель", "22"]], headers=["name", "n"])
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert "[red]a[/red]" in lines[1]
    assert lines[1].index("1") == lines[2].index("22")


def test_a_narrow_terminal_cuts_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printer, out, _ = console(terminal=True, env={"NO_COLOR": "1"})
    printer.table([["cc_ocr_multi_scene_ocr", "xyz" * 20]], headers=["benchmark", "about"])
    assert "cc_ocr_multi_scene_ocr" in out.getvalue()
    assert out.getvalue().count("z") == 20


def test_importing_it_does_not_load_rich() -> None:
    code = "import sys, vlmhb.console, vlmhb.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
