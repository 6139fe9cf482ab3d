"""User's CSV files: T1, T2, and every way in which a spreadsheet can spoil one."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb.config import ConfigResult, read_run_config
from vlmhb.config.columns import KINDS
from vlmhb.contracts import EvaluationRow

G4 = (
    "dataset;task;framework;model_name;system_prompt;prompt_collection;metrics;only_evaluate_metrics;"
    "metrics_aggregators;filter_doc_class;filter_question_type"
)
ROW_1 = (
    "demo_mini;VQA;Hugging Face;Qwen2-VL-2B-Instruct;;demo_mini/X.csv;['CER'];False;"
    "['by_id', 'by_doc_question', 'by_doc_type', 'general'];;"
)
ROW_2 = (
    "snils;VQA;Hugging Face;Qwen2.5-VL-3B-Instruct;;A.csv;['WER', 'CER', 'BLEU'];False;"
    '"[""by_id"", ""general""]";snils;Номер снилса'
)


def read(tmp_path: Path, data: str | bytes, *, name: str = "u.csv") -> ConfigResult:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_run_config(path)


def rows_of(result: ConfigResult) -> Sequence[EvaluationRow]:
    assert result.config is not None
    return result.config.rows


def lines_of(result: ConfigResult, *, tmp_path: Path) -> list[str]:
    return [error.line().replace(f"{tmp_path}/", "") for error in result.errors]


@pytest.mark.parametrize("bom", ["\ufeff", ""])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_t1_the_current_generation(tmp_path: Path, bom: str, end: str, last: str) -> None:
    text = bom + end.join([G4, ROW_1, ROW_2]) + (end if last else "")
    result = read(tmp_path, text)
    assert result.errors == ()
    one, two = rows_of(result)
    assert one.model_dump(exclude_defaults=True, exclude={"place"}) == {
        "dataset": "demo_mini",
        "task": "VQA",
        "framework": "Hugging Face",
        "model_name": "Qwen2-VL-2B-Instruct",
        "prompt_collection": "demo_mini/X.csv",
        "metrics": ("CER",),
        "metrics_aggregators": ("by_id", "by_doc_question", "by_doc_type", "general"),
    }
    assert (one.place.row, two.place.row) == (2, 3)
    assert two.metrics == ("WER", "CER", "BLEU")
    assert two.metrics_aggregators == ("by_id", "general")
    assert (two.filter_doc_class, two.filter_question_type) == ("snils", "Номер снилса")
    assert one.system_prompt is None and one.filter_doc_class is None
    assert one.only_evaluate_metrics is False


def test_t2a_g3_and_g2(tmp_path: Path) -> None:
    for family, cell in (("", ""), ("model_family;", "Qwen2-VL;")):
        header = (
            f"dataset;framework;{family}model_name;docker_image;system_prompt;prompt_collection;metrics;"
            "only_evaluate_metrics;metrics_aggregators;filter_doc_class;filter_question_type"
        )
        row = f"snils;Hugging Face;{cell}Qwen2-VL-2B-Instruct;own:1;;;['CER'];False;['by_id', 'overall'];;"
        result = read(tmp_path, f"{header}\n{row}")
        assert result.errors == ()
        (only,) = rows_of(result)
        assert (only.task, only.docker_image, only.metrics_aggregators) == (
            None,
            "own:1",
            ("by_id", "general"),
        )
        assert result.config is not None
        assert result.config.warnings == (
            f"{tmp_path}/u.csv, row 2, column metrics_aggregators: aggregator 'overall' is written as 'general'",
        )


def test_docs_generation_and_comma_files(tmp_path: Path) -> None:
    text = (
        "model_name,dataset,task_name,framework,docker_image\nQwen2-VL-2B-Instruct,snils,VQA,HuggingFace,\n"
    )
    (row,) = rows_of(read(tmp_path, text))
    assert (row.task, row.framework, row.docker_image) == ("VQA", "HuggingFace", None)
    (row,) = rows_of(read(tmp_path, "task,model,metric,dataset\nVQA,m,CER,d\n"))
    assert (row.model_name, row.metrics) == ("m", ("CER",))


def test_t2c_an_empty_metrics_cell_is_no_error(tmp_path: Path) -> None:
    (row,) = rows_of(read(tmp_path, "dataset;model_name;metrics;metrics_aggregators\nd;m;;\n"))
    assert row.metrics is None and row.metrics_aggregators is None


def test_t2d_mistakes_name_file_row_and_column_and_good_rows_stay(tmp_path: Path) -> None:
    rows = [
        "d;m1;['CER';False",
        "d;m2;['CER'];maybe",
        "d;m3;['CER'];False",
        "d;;['CER'];False",
        "d;m4;['CER'];False;extra",
    ]
    result = read(tmp_path, "\r\n".join(["dataset;model_name;metrics;only_evaluate_metrics", *rows]))
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB104: the row has 5 cells, the header has 4, in u.csv, row 6; "
        'hint: put a cell that holds the delimiter in quotes: "..."',
        "VHB106: \"['CER'\" is not a list of names, in u.csv, row 2, column metrics; "
        "hint: write ['CER', 'WER'] or [\"CER\", \"WER\"]",
        "VHB104: 'maybe' is not yes or no, in u.csv, row 3, column only_evaluate_metrics; "
        "hint: write True or False",
        "VHB105: model_name is empty, in u.csv, row 5, column model_name",
    ]
    assert [row.model_name for row in rows_of(result)] == ["m3"]


def test_t2d_cp1251(tmp_path: Path) -> None:
    head = b"dataset;model_name;filter_question_type\nd;m1;\n"
    result = read(tmp_path, head + "d;m2;Имя\n".encode("cp1251"))
    (line,) = lines_of(result, tmp_path=tmp_path)
    assert line.startswith(
        "VHB102: text is not UTF-8 (looks like Windows-1251), in u.csv, row 3, column filter_question_type; "
        "hint: save the file as UTF-8"
    )
    assert [row.model_name for row in rows_of(result)] == ["m1"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("ИСТИНА", True), ("ЛОЖЬ", False), ("TRUE", True), ("FALSE", False), ("True", True), ("False", False),
     ("1", True), ("0", False), ("yes", True), ("no", False), ("да", True), ("", False), (" True ", True)],
)  # fmt: skip
def test_booleans(tmp_path: Path, cell: str, value: bool) -> None:
    (row,) = rows_of(read(tmp_path, f"dataset;model_name;only_evaluate_metrics\nd;m;{cell}\n"))
    assert row.only_evaluate_metrics is value


@pytest.mark.parametrize(
    ("cell", "value"),
    [("['CER']", ("CER",)), ("'CER'", ("CER",)), ("CER", ("CER",)), ("CER, WER", ("CER", "WER")),
     ('"[""CER"", ""WER""]"', ("CER", "WER")), ("('CER', 'WER')", ("CER", "WER")), ("'CER', 'WER'", ("CER", "WER")),
     ("[]", ()), ("", None), ("[' CER ']", ("CER",))],
)  # fmt: skip
def test_lists(tmp_path: Path, cell: str, value: tuple[str, ...] | None) -> None:
    (row,) = rows_of(read(tmp_path, f"dataset;model_name;metrics\nd;m;{cell}\n"))
    assert row.metrics == value


@pytest.mark.parametrize(
    "cell",
    ["['CER'", "CER]", "{'CER': 1}", "['CER', ['WER']]", "«CER»", "['CER', None]", "[1.5]", "[" * 5000],
)
def test_broken_lists(tmp_path: Path, cell: str) -> None:
    result = read(tmp_path, f"dataset;model_name;metrics\nd;m;{cell}\n")
    (line,) = lines_of(result, tmp_path=tmp_path)
    assert line.startswith("VHB106: ") and ", in u.csv, row 2, column metrics; hint: " in line


def test_numbers_as_spreadsheets_write_them(tmp_path: Path) -> None:
    text = "dataset;model_name;limit;temperature;seed;gpus\nd;m;10,0;0,7;-3;0,1\n"
    (row,) = rows_of(read(tmp_path, text))
    assert (row.limit, row.temperature, row.seed, row.gpus) == (10, 0.7, -3, ("0", "1"))


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("limit", "ten", "'ten' is not a whole number"),
        ("limit", "1.5", "'1.5' is not a whole number"),
        ("limit", "0", "limit must be greater than or equal to 1, not 0"),
        ("temperature", "nan", "'nan' is not a number"),
        ("temperature", "-1", "temperature must be greater than or equal to 0, not -1.0"),
        ("base_url", "localhost:8000", "'localhost:8000' is not a URL"),
        ("base_url", "http://[x", "base_url is not a URL"),
        ("metrics_profile", "upstream", "'upstream' is not known"),
        ("error_policy", "tolerate:200%", "'tolerate:200%' is not an error policy"),
        ("metrics_aggregators", "['by_ids']", "unknown aggregator 'by_ids'"),
    ],
)
def test_values_out_of_range(tmp_path: Path, column: str, cell: str, said: str) -> None:
    result = read(tmp_path, f"dataset;model_name;{column}\nd;m;{cell}\n")
    (line,) = lines_of(result, tmp_path=tmp_path)
    assert line.split("; hint: ")[0] == f"VHB104: {said}, in u.csv, row 2, column {column}"


@pytest.mark.parametrize(
    ("cell", "value"), [("stop", "stop"), ("Continue", "continue"), ("tolerate: 5", "tolerate:5%"),
                        ("tolerate:2.50%", "tolerate:2.5%"), ("", None)],
)  # fmt: skip
def test_error_policies(tmp_path: Path, cell: str, value: str | None) -> None:
    (row,) = rows_of(read(tmp_path, f"dataset;model_name;error_policy\nd;m;{cell}\n"))
    assert row.error_policy == value


def test_filters_stay_the_text_that_they_are(tmp_path: Path) -> None:
    text = "dataset;model_name;filter_doc_class;filter_question_type\nd;m;0044; 1.0\n"
    (row,) = rows_of(read(tmp_path, text))
    assert (row.filter_doc_class, row.filter_question_type) == ("0044", " 1.0")


def test_russian_headers(tmp_path: Path) -> None:
    text = "Датасет;Задача;Модель;Метрики;Тип вопроса;Только метрики\nd;VQA;m;CER;Имя;ИСТИНА\n"
    (row,) = rows_of(read(tmp_path, text))
    assert (row.dataset, row.task, row.model_name, row.metrics) == ("d", "VQA", "m", ("CER",))
    assert (row.filter_question_type, row.only_evaluate_metrics) == ("Имя", True)


def test_unknown_columns_and_the_rows_that_use_them(tmp_path: Path) -> None:
    result = read(tmp_path, "dataset;model_name;limt;zzzz\nd;m1;5;\nd;m2;;\n")
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB103: unknown column 'limt', in u.csv, row 1; hint: did you mean 'limit'?",
        "VHB103: unknown column 'zzzz', in u.csv, row 1",
    ]
    assert [row.model_name for row in rows_of(result)] == ["m2"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("model_name;limit\nm;1\n", ["VHB105: no column 'dataset', in u.csv, row 1"]),
        ("dataset;task;model;model_name\nd;t;m;m\n",
         ["VHB104: columns 'model' and 'model_name' mean the same, in u.csv, row 1; hint: keep one"]),
        ("\n1;2\n", ["VHB105: no column of a run config, in u.csv, row 2; "
                     "hint: the first line must be the header: dataset;task;framework;model_name;..."]),
        ("dataset;model_name\n", ["VHB107: there is nothing to evaluate, in u.csv"]),
        ("", ["VHB107: the file is empty, in u.csv"]),
        ('dataset;model_name\nd;m\n"d;m2\n',
         ['VHB104: a cell opens a quote (") and never closes it, in u.csv, row 3; '
          'hint: a quote inside a quoted cell is written twice ("")']),
    ],
)  # fmt: skip
def test_files_that_are_wrong_as_a_whole(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert lines_of(read(tmp_path, text), tmp_path=tmp_path) == lines


def test_rows_behind_quoted_newlines_keep_their_line(tmp_path: Path) -> None:
    text = 'dataset;model_name;prompt;limit\nd;m1;"first\nsecond\n";\nd;m2;;x\n'
    result = read(tmp_path, text)
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB104: 'x' is not a whole number, in u.csv, row 5, column limit"
    ]
    assert [(row.prompt, row.place.row) for row in rows_of(result)] == [("first\nsecond\n", 2)]


@pytest.mark.parametrize("suffix", ["u.txt", "u"])
def test_other_suffixes(tmp_path: Path, suffix: str) -> None:
    result = read(tmp_path, "", name=suffix)
    assert result.config is None
    assert result.errors[0].line().endswith("hint: write .csv, .json, .yaml or .yml")


def test_no_file(tmp_path: Path) -> None:
    result = read_run_config(tmp_path / "none.csv")
    assert result.config is None
    assert lines_of(result, tmp_path=tmp_path) == ["VHB101: no such file, in none.csv; hint: check the path"]


@pytest.mark.parametrize("key", ["canary-0123456789", "sk-canary", "secret:", "secret:a b", "SECRET:X"])
def test_keys_are_refused_and_never_repeated(tmp_path: Path, key: str) -> None:
    result = read(tmp_path, f"dataset;model_name;api_key\nd;m;{key}\nd;m2;secret:MY_KEY\n")
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB109: api_key holds a key itself, not a reference, in u.csv, row 2, column api_key; "
        "hint: write secret:NAME and set the environment variable NAME"
    ]
    assert [row.api_key for row in rows_of(result)] == ["secret:MY_KEY"]


@pytest.mark.parametrize("url", ["http://user:canary@host/v1", "https://host/v1?api_key=canary"])
def test_keys_in_urls_are_refused(tmp_path: Path, url: str) -> None:
    result = read(tmp_path, f"dataset;model_name;base_url\nd;m;{url}\n")
    assert lines_of(result, tmp_path=tmp_path) == [
        "VHB109: base_url holds a secret, in u.csv, row 2, column base_url; hint: use api_key = secret:NAME"
    ]


def test_a_key_in_the_wrong_column_is_not_repeated(tmp_path: Path) -> None:
    result = read(tmp_path, "dataset;model_name;limit\nd;m;sk-canary\n")
    assert "canary" not in result.errors[0].line()


NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12).map(str.strip)
PLAIN = NAMES.filter(lambda text: bool(text) and not any(mark in text for mark in "[](){}'\"«»“”‘’`,"))
VALUES = {
    "dataset": NAMES.filter(bool),
    "model_name": NAMES.filter(bool),
    "task": st.none() | NAMES.filter(bool),
    "metrics": st.none() | st.lists(PLAIN, max_size=3).map(tuple),
    "tags": st.none() | st.lists(PLAIN, min_size=1, max_size=3).map(tuple),
    "only_evaluate_metrics": st.booleans(),
    "filter_doc_class": st.none()
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00")).filter(str.strip),
    "prompt": st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00")).filter(str.strip),
    "limit": st.none() | st.integers(min_value=1, max_value=10**9),
    "temperature": st.none() | st.floats(min_value=0, max_value=2),
}


@given(
    rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=4),
    delimiter=st.sampled_from([";", ","]),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, object]],
    delimiter: str,
    end: str,
    bom: bool,
) -> None:
    """Whatever a spreadsheet program would write of these rows is read back as it was."""
    out = io.StringIO()
    # a spreadsheet quotes a cell with a carriage return; Python's minimal quoting does only with \r\n line ends
    quoting = csv.QUOTE_ALL if "\r" in str(rows) or "\\r" in str(rows) else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(VALUES)
    for row in rows:
        cells = [
            list(value) if isinstance(value, tuple) else value for value in (row[name] for name in VALUES)
        ]
        writer.writerow(["" if cell is None else cell for cell in cells])
    data = ("\ufeff" if bom else "") + out.getvalue()
    result = read(tmp_path_factory.mktemp("csv"), data)
    assert [error.line() for error in result.errors] == []
    assert [{name: getattr(row, name) for name in VALUES} for row in rows_of(result)] == rows


def test_the_columns_of_the_reader_are_those_of_the_row() -> None:
    assert set(KINDS) == set(EvaluationRow.model_fields) - {"place"}
