"""CSV files as people save them."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb.errors import ConfigUnreadable, NoRows, VlmhbError, WrongEncoding
from vlmhb.reading.table import Table, read_table


def table_of(tmp_path: Path, data: str | bytes) -> Table:
    path = tmp_path / "t.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path)


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_saved_in_any_way_it_is_the_same_table(tmp_path: Path, bom: str, end: str, delimiter: str) -> None:
    lines = [delimiter.join(cells) for cells in (["a", "b"], ["1", "2"], ["3", ""])]
    table = table_of(tmp_path, bom + end.join(lines))
    assert table.header == ("a", "b")
    assert [row.cells for row in table.rows] == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]
    assert [row.line for row in table.rows] == [2, 3]
    assert table.errors == ()


def test_line_numbers_count_the_lines_inside_quotes(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a;b\r\n"x\r\ny\r\nz";1\r\n\r\n;;\r\nlast;2')
    assert [(row.line, row.cells["a"]) for row in table.rows] == [(2, "x\r\ny\r\nz"), (7, "last")]


def test_long_and_short_rows_are_errors_with_their_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a;b;c\n1;2\n1;2;3;4\n1;2;3\n1;2;3;;;\n")
    assert [error.line() for error in table.errors] == [
        f"VHB104: the row has 2 cells, the header has 3, in {tmp_path}/t.csv, row 2; "
        "hint: add the missing delimiters",
        f"VHB104: the row has 4 cells, the header has 3, in {tmp_path}/t.csv, row 3; "
        'hint: put a cell that holds the delimiter in quotes: "..."',
    ]
    assert [row.line for row in table.rows] == [4, 5]


def test_a_quote_that_is_never_closed_does_not_swallow_the_file_silently(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a;b\n1;2\n"3;4\n5;6\n')
    assert [row.cells["a"] for row in table.rows] == ["1"]
    assert [error.line() for error in table.errors] == [
        f'VHB104: a cell opens a quote (") and never closes it, in {tmp_path}/t.csv, row 3; '
        'hint: a quote inside a quoted cell is written twice ("")'
    ]


def test_rows_after_a_badly_quoted_one_are_read(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a;b\n"x"y;2\n5;6\n')
    assert [row.cells["a"] for row in table.rows] == ["5"]
    assert "row 2" in table.errors[0].line()


def test_other_encodings_name_row_and_column_and_keep_the_good_rows(tmp_path: Path) -> None:
    table = table_of(tmp_path, "model;класс\nx;1\n".encode() + "y;паспорт\nz;счёт\n".encode("cp1251"))
    assert isinstance(table.errors[0], WrongEncoding)
    assert table.errors[0].line() == (
        "VHB102: text is not UTF-8 (looks like Windows-1251) in 2 rows, "
        f"in {tmp_path}/t.csv, row 3, column класс; hint: save the file as UTF-8 "
        "(Excel: Save As, type 'CSV UTF-8'; or: iconv -f cp1251 -t utf-8 old > new)"
    )
    assert [row.cells["model"] for row in table.rows] == ["x"]


def test_utf16_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongEncoding, match="looks like UTF-16"):
        table_of(tmp_path, "a;b\n1;2\n".encode("utf-16"))
    with pytest.raises(WrongEncoding, match="zero bytes"):
        table_of(tmp_path, "a;b\n1;2\n".encode("utf-16-le"))


def test_a_workbook_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongEncoding, match="a spreadsheet, not text"):
        table_of(tmp_path, b"PK\x03\x04\x14\x00")


def test_a_byte_order_mark_may_stand_twice(tmp_path: Path) -> None:
    assert table_of(tmp_path, "\ufeff\ufeffa;b\n1;2\n".encode()).header == ("a", "b")


@pytest.mark.parametrize("first", ["sep=,", '"sep=,"', "sep=,\r"])
def test_excels_own_first_line_says_the_delimiter(tmp_path: Path, first: str) -> None:
    table = table_of(tmp_path, f"{first}\na,b;c\n1,2\n".encode())
    assert (table.header, table.header_line) == (("a", "b;c"), 2)
    assert [(row.line, row.cells) for row in table.rows] == [(3, {"a": "1", "b;c": "2"})]


def test_a_column_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a;b;a\n1;2;3\n")
    assert [error.what for error in table.errors] == ["column 'a' stands twice in the header"]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ConfigUnreadable, match="cannot read it"):
        read_table(tmp_path)
    with pytest.raises(NoRows, match="the file is empty"):
        table_of(tmp_path, "\ufeff\r\n")


@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_table_or_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    with suppress(VlmhbError):
        table_of(tmp_path_factory.mktemp("fuzz"), data)
