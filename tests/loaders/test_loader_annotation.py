"""The prototype's annotation.csv: ids, quoting, line ends, and texts kept to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageFile, LoaderError, load

HEADER = "data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox"
ROWS = (
    "1;test_clean;images/1.jpg;Напиши Фамилия;Карбаинов;passport;Фамилия;[780, 110, 1060, 170]",
    "1;test_clean;images/1.jpg;Напиши Имя;Алексей;passport;Имя;[1, 2, 3, 4]",
    "2;clean;images/2.jpg;Номер;0044;invoice;Номер счет-фактуры;",
)


def write(folder: Path, *, rows: tuple[str, ...] = ROWS, end: str = "\r\n", bom: bool = True) -> Path:
    text = end.join((HEADER, *rows))
    path = folder / "annotation.csv"
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    return path


def test_a_row_becomes_a_sample(tmp_path: Path) -> None:
    write(tmp_path)
    first = next(iter(load("annotation", tmp_path, {})))
    assert first.sample_id == "0"
    assert first.question == "Напиши Фамилия"
    assert first.references == ("Карбаинов",)
    assert first.images == (ImageFile(path="images/1.jpg"),)
    assert first.metadata == {
        "data_index": "1",
        "split": "test_clean",
        "doc_class": "passport",
        "question_type": "Фамилия",
    }
    assert first.label_metadata == {"answer_bbox": "[780, 110, 1060, 170]"}
    assert (first.file, first.row) == ("annotation.csv", 2)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("bom", [True, False])
def test_bom_and_line_ends_change_nothing(tmp_path: Path, end: str, bom: bool) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(tmp_path / "a")
    write(tmp_path / "b", end=end, bom=bom)
    assert list(load("annotation", tmp_path / "a", {})) == list(load("annotation", tmp_path / "b", {}))


def test_the_id_is_the_position_and_not_data_index(tmp_path: Path) -> None:
    write(tmp_path)
    assert [sample.sample_id for sample in load("annotation", tmp_path, {})] == ["0", "1", "2"]


def test_blank_lines_have_no_position(tmp_path: Path) -> None:
    write(tmp_path, rows=(ROWS[0], "", ROWS[2], ""))
    samples = list(load("annotation", tmp_path, {}))
    assert [(sample.sample_id, sample.row) for sample in samples] == [("0", 2), ("1", 4)]


@pytest.mark.parametrize(
    "text", ["0044", "12.50", "1", "", "True", "N/A", "None", "null", " пробелы ", "[1, 2]", "ё\u00a0й"]
)
def test_answers_that_look_like_something_else_stay_texts(tmp_path: Path, text: str) -> None:
    write(tmp_path, rows=(f"1;s;i.jpg;q;{text};c;t;",))
    (sample,) = load("annotation", tmp_path, {})
    assert sample.references == (text,)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quotes_delimiters_and_newlines_inside_a_cell(tmp_path: Path, newline: str) -> None:
    cell = f'"ООО ""Ромашка""; Москва{newline}стр2"'
    write(tmp_path, rows=(f"1;s;i.jpg;q;{cell};c;t;", ROWS[1]))
    first, second = load("annotation", tmp_path, {})
    assert first.references == (f'ООО "Ромашка"; Москва{newline}стр2',)
    assert (second.sample_id, second.row) == ("1", 4)


def test_both_file_names_of_the_prototype_are_found(tmp_path: Path) -> None:
    write(tmp_path).rename(tmp_path / "annotations.csv")
    assert len(list(load("annotation", tmp_path, {}))) == 3


def test_the_file_itself_may_be_the_dataset(tmp_path: Path) -> None:
    path = write(tmp_path).rename(tmp_path / "anything")
    assert len(list(load("annotation", path, {}))) == 3


def test_params_file_delimiter_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("image,question,gold,doc_class,question_type\na.png,q,g,c,t\n", encoding="utf-8")
    params = {"file": "x.csv", "delimiter": ",", "columns": {"image_path": "image", "answer": "gold"}}
    (sample,) = load("annotation", tmp_path, params)
    assert sample.references == ("g",)
    assert sample.images == (ImageFile(path="a.png"),)


def test_a_missing_column_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "annotation.csv").write_text("image_path;question;answer\n", encoding="utf-8")
    with pytest.raises(LoaderError) as caught:
        list(load("annotation", tmp_path, {}))
    assert "missing column doc_class, question_type" in str(caught.value)
    assert "annotation.csv, row 1" in str(caught.value)
    assert "image_path" in caught.value.hint


def test_a_stray_quote_is_an_error_at_its_row_not_a_merge_of_rows(tmp_path: Path) -> None:
    write(tmp_path, rows=(ROWS[0], '1;s;i.jpg;q;"ООО Ромашка;c;t;', ROWS[1]))
    with pytest.raises(LoaderError) as caught:
        list(load("annotation", tmp_path, {}))
    assert caught.value.row == 3


def test_cp1251_is_named_with_its_row(tmp_path: Path) -> None:
    text = "\n".join((HEADER, "1;s;i.jpg;q;a;c;t;", ROWS[0]))
    (tmp_path / "annotation.csv").write_bytes(text.encode("cp1251"))
    with pytest.raises(LoaderError) as caught:
        list(load("annotation", tmp_path, {}))
    assert caught.value.row == 3
    assert "UTF-8" in str(caught.value)


def test_a_row_of_the_wrong_width_costs_one_sample(tmp_path: Path) -> None:
    write(tmp_path, rows=(ROWS[0], "1;s;i.jpg;q;a;b;c;t;x;y", ROWS[2]))
    samples = list(load("annotation", tmp_path, {}))
    assert [sample.problem for sample in samples] == [None, "10 cells where the header has 8", None]
    assert samples[1].references == ()
    assert samples[2].sample_id == "2"


def test_an_empty_image_path_is_an_absent_image(tmp_path: Path) -> None:
    write(tmp_path, rows=("1;s;;q;a;c;t;",))
    (sample,) = load("annotation", tmp_path, {})
    assert sample.images == (ImageAbsent(reason="image_path is empty"),)


def test_empty_file_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=r"no annotation\.csv or annotations\.csv"):
        list(load("annotation", tmp_path, {}))
    (tmp_path / "annotation.csv").touch()
    with pytest.raises(LoaderError, match="empty"):
        list(load("annotation", tmp_path, {}))


def test_unknown_loader_and_parameter_are_named(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match="no loader csv"):
        list(load("csv", tmp_path, {}))
    write(tmp_path)
    with pytest.raises(LoaderError, match="no parameter colums"):
        list(load("annotation", tmp_path, {"colums": {}}))
    with pytest.raises(LoaderError, match="not there"):
        list(load("annotation", tmp_path / "nowhere", {}))
