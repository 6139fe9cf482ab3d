"""Parquet and arrow tables: nested features, shards and splits, damaged files, and texts that stay as they are."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageBytes, ImageFile, LoaderError, RawSample, load

PNG = b"\x89PNG one"
OTHER = b"\x89PNG two"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(data: bytes | None, path: str | None = None) -> dict[str, Any]:
    return {"bytes": data, "path": path}


def row(number: int, **cells: Any) -> dict[str, Any]:
    return {"questionId": f"q{number}", "question": "Что?", "answers": ["да"], "image": picture(PNG), **cells}


def write(
    path: Path, rows: Sequence[Mapping[str, Any]], *, schema: pa.Schema | None = None, **options: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, **options)
    return path


def read(path: Path, **params: Any) -> list[RawSample]:
    return list(load("parquet", path, params))


def one(
    folder: Path, data: Mapping[str, Any], *, schema: pa.Schema | None = None, **params: Any
) -> RawSample:
    (sample,) = read(write(folder / "t.parquet", [data], schema=schema), **params)
    return sample


def test_docvqa_columns(tmp_path: Path) -> None:
    cells = {"question_types": ["form"], "docId": 4720, "data_split": "val", "ucsf_document_page_no": "1"}
    sample = one(tmp_path, row(1, **cells), metadata={"question_type": "question_types"})
    assert (sample.sample_id, sample.question, sample.references) == ("q1", "Что?", ("да",))
    assert sample.images == (ImageBytes(data=PNG),)
    assert sample.metadata == {"question_type": "form"}
    assert sample.label_metadata == {"docId": "4720", "data_split": "val", "ucsf_document_page_no": "1"}
    assert (sample.file, sample.row) == ("t.parquet", 1)


def test_image_forms(tmp_path: Path) -> None:
    assert one(tmp_path, row(1, image=PNG)).images == (ImageBytes(data=PNG),)
    assert one(tmp_path, row(1, image="scans/я.png")).images == (ImageFile(path="scans/я.png"),)
    assert one(tmp_path, row(1, image="17"), image_path="scans/{}.jpg").images == (
        ImageFile(path="scans/17.jpg"),
    )
    assert one(tmp_path, row(1, image=17), image_path="scans/{}.jpg").images == (
        ImageFile(path="scans/17.jpg"),
    )
    assert one(tmp_path, row(1, image=picture(None, "a.png"))).images == (ImageFile(path="a.png"),)
    assert one(tmp_path, row(1, image=[picture(PNG), picture(OTHER)])).images == (
        ImageBytes(data=PNG),
        ImageBytes(data=OTHER),
    )


def test_a_sequence_of_images_as_a_struct_of_lists(tmp_path: Path) -> None:
    sample = one(tmp_path, row(1, image={"bytes": [PNG, None], "path": [None, "b.png"]}))
    assert sample.images == (ImageBytes(data=PNG), ImageFile(path="b.png"))


def test_a_pdf_that_is_none(tmp_path: Path) -> None:
    params = {"columns": {"pdf": "pdf", "image": None}}
    assert one(tmp_path, row(1, pdf=b""), **params).images == (ImageAbsent(reason="the PDF is empty"),)
    assert one(tmp_path, row(1, pdf=b"PK"), **params).images == (ImageAbsent(reason="not a PDF"),)


def test_an_empty_image_is_absent_and_an_empty_list_is_no_image(tmp_path: Path) -> None:
    lost = one(tmp_path, row(1, image=None), schema=_schema(("image", IMAGE)))
    assert lost.images == (ImageAbsent(reason="image is empty"),)
    assert one(tmp_path, row(1, image=picture(b""))).images == (ImageAbsent(reason="image is empty"),)
    optional = one(tmp_path, row(1, image=None), schema=_schema(("image", IMAGE)), image_optional=True)
    assert optional.images == ()
    assert one(tmp_path, row(1, image=[]), schema=_schema(("image", pa.list_(IMAGE)))).images == ()


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    plain = {"questionId": pa.string(), "question": pa.string(), "answers": pa.list_(pa.string())}
    return pa.schema(list({**plain, **dict(fields)}.items()))


def test_numbered_image_columns_skip_nulls(tmp_path: Path) -> None:
    cells = {f"image_{n}": picture(None) if n in (2, 20) else picture(b"page %d" % n) for n in range(1, 21)}
    data = {"questionId": 337, "question": "q", "answers": "['0.28', '28']", "answer_page_idx": "0", **cells}
    sample = one(tmp_path, data, lists=True)
    assert sample.images == tuple(ImageBytes(data=b"page %d" % n) for n in range(1, 20) if n != 2)
    assert sample.references == ("0.28", "28")
    assert sample.label_metadata == {"answer_page_idx": "0"}


@pytest.mark.parametrize(
    ("cell", "references"),
    [
        ("0044", ("0044",)),
        ("['a', 'b']", ("['a', 'b']",)),
        (["да", "нет"], ("да", "нет")),
        (7, ("7",)),
        (12.0, ("12.0",)),
        (12.5, ("12.5",)),
        (True, ("true",)),
        (Decimal("12.50"), ("12.50",)),
        (datetime.date(2024, 2, 1), ("2024-02-01",)),
        (
            [{"answer": "a", "answer_confidence": "yes"}, {"answer": "b", "answer_confidence": "no"}],
            ("a", "b"),
        ),
        ([{"text": ["a", "b"]}], ("a", "b")),
        ({"text": ["a"], "answer_start": [3]}, ("a",)),
        ({"total": "9.00", "имя": "Ян"}, ('{"total": "9.00", "имя": "Ян"}',)),
        ("", ("",)),
        ("a\r\nб", ("a\r\nб",)),
    ],
)
def test_answers(tmp_path: Path, cell: Any, references: tuple[str, ...]) -> None:
    assert one(tmp_path, row(1, answers=cell)).references == references


def test_a_32_bit_float_is_written_as_it_was(tmp_path: Path) -> None:
    data = row(1, answers=0.1, year=2.5)
    schema = _schema(("answers", pa.float32()), ("image", IMAGE), ("year", pa.float32()))
    assert one(tmp_path, data, schema=schema).references == ("0.1",)


@pytest.mark.parametrize("cell", [None, [], [None]])
def test_no_answer_costs_one_sample(tmp_path: Path, cell: Any) -> None:
    schema = _schema(("image", IMAGE))
    path = write(tmp_path / "t.parquet", [row(1, answers=cell), row(2)], schema=schema)
    broken, good = read(path)
    assert (broken.sample_id, broken.problem) == ("q1", "no answer")
    assert good.problem is None


def test_a_split_without_references_says_so_in_the_card(tmp_path: Path) -> None:
    data = {"questionId": "1", "question": "q", "image": picture(PNG)}
    assert one(tmp_path, data, columns={"answers": None}).references == ()


def test_reference_as_json(tmp_path: Path) -> None:
    assert one(tmp_path, row(1, answers=["a", "б"]), reference="json").references == ('["a", "б"]',)


def test_dotted_columns(tmp_path: Path) -> None:
    data = {"id": 1, "qa": {"q": "Где?", "gold": [{"v": "a"}, {"v": "b"}]}, "page": {"img": picture(PNG)}}
    columns = {"question": "qa.q", "answers": "qa.gold.v", "image": "page.img"}
    sample = one(tmp_path, data, columns=columns)
    assert (sample.question, sample.references) == ("Где?", ("a", "b"))
    assert sample.images == (ImageBytes(data=PNG),)


@pytest.mark.parametrize(
    "cell",
    [
        ["да", "нет"],
        "['да', 'нет']",
        '["да", "нет"]',
        {"text": ["да", "нет"], "label": ["A", "B"]},
        {"A": "да", "B": "нет", "C": None},
    ],
)
def test_choices(tmp_path: Path, cell: Any) -> None:
    assert one(tmp_path, row(1, options=cell)).choices == ("да", "нет")


@pytest.mark.parametrize(
    ("rule", "answer", "letter"),
    [("index", "1", "B"), ("index1", "1", "A"), ("text", "нет", "B"), ("written", "1", "1")],
)
def test_answers_become_letters(tmp_path: Path, rule: str, answer: str, letter: str) -> None:
    data = row(1, answers=answer, choices=["да", "нет"])
    assert one(tmp_path, data, answer_choice=rule).references == (letter,)


@pytest.mark.parametrize(
    ("rule", "answer"), [("index", "2"), ("index1", "0"), ("text", "может"), ("index", "x")]
)
def test_an_answer_that_is_no_choice_costs_one_sample(tmp_path: Path, rule: str, answer: str) -> None:
    data = row(1, answers=answer, choices=["да", "нет"])
    problem = one(tmp_path, data, answer_choice=rule).problem
    assert problem == f"the answer {answer} is none of the 2 choices"


def test_explode_makes_a_sample_of_each_question(tmp_path: Path) -> None:
    data = {"image_id": "b7", "image": picture(PNG), "questions": ["Кто?", "Год?"], "answers": ["Ян", "2001"]}
    params = {"columns": {"id": "image_id", "question": "questions"}, "explode": ["questions", "answers"]}
    first, second = read(write(tmp_path / "t.parquet", [data]), **params)
    assert (first.sample_id, first.question, first.references) == ("b7-0", "Кто?", ("Ян",))
    assert (second.sample_id, second.question, second.references) == ("b7-1", "Год?", ("2001",))
    assert second.images == (ImageBytes(data=PNG),)
    (broken,) = read(write(tmp_path / "t.parquet", [{**data, "answers": ["Ян"]}]), **params)
    assert broken.problem == "lists of different lengths: questions 2, answers 1"


def test_explode_a_list_of_structs(tmp_path: Path) -> None:
    data = {"id": 3, "image": picture(PNG), "qa": [{"q": "1?", "a": "1"}, {"q": "2?", "a": "2"}]}
    params = {"columns": {"question": "qa.q", "answers": "qa.a"}, "explode": "qa"}
    samples = read(write(tmp_path / "t.parquet", [data]), **params)
    assert [(s.sample_id, s.question, s.references) for s in samples] == [
        ("3-0", "1?", ("1",)),
        ("3-1", "2?", ("2",)),
    ]


def test_where_keeps_rows_and_their_positions(tmp_path: Path) -> None:
    rows = [{**row(n), "type": kind, "year": n} for n, kind in enumerate(("human", "augmented", "human"))]
    path = write(tmp_path / "t.parquet", rows)
    params = {"columns": {"id": None}, "where": {"type": "human"}}
    assert [(s.sample_id, s.row) for s in read(path, **params)] == [("0", 1), ("2", 3)]
    assert [s.sample_id for s in read(path, where={"type": ["human"], "year": [2]})] == ["q2"]
    with pytest.raises(LoaderError, match="no row with type = robot") as caught:
        read(path, where={"type": "robot"})
    assert "human, augmented" in caught.value.hint


def test_the_labels_that_are_kept(tmp_path: Path) -> None:
    data = row(1, ocr_tokens=["a", "b"], rationale="r", category="c")
    assert one(tmp_path, data).label_metadata == {"ocr_tokens": '["a", "b"]', "rationale": "r"}
    assert one(tmp_path, data, labels=["rationale"]).label_metadata == {"rationale": "r"}
    assert one(tmp_path, data, labels=[]).label_metadata == {}


def test_metadata_may_not_be_the_answer(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match="metadata names answers, the answer"):
        one(tmp_path, row(1), metadata=["answers"])


def test_derived_metadata_goes_to_the_labels(tmp_path: Path) -> None:
    data = row(1, type="text counting en")
    sample = one(tmp_path, data, derive="ocrbench_v2")
    assert sample.metadata == {"type": "text counting en"}
    assert sample.label_metadata["language"] == "en"


# --- files, shards, splits ----------------------------------------------------------------------


def shards(folder: Path, *, split: str = "test", count: int = 3) -> None:
    for number in range(count):
        write(
            folder / f"data/{split}-{number:05d}-of-{count:05d}.parquet",
            [row(2 * number), row(2 * number + 1)],
        )


def test_shards_are_read_in_their_order(tmp_path: Path) -> None:
    shards(tmp_path, count=11)
    samples = read(tmp_path)
    assert [s.sample_id for s in samples] == [f"q{n}" for n in range(22)]
    assert (samples[5].file, samples[5].row) == ("data/test-00002-of-00011.parquet", 2)
    assert [s.sample_id for s in read(tmp_path, columns={"id": None})] == [str(n) for n in range(22)]


def test_a_missing_shard_is_told(tmp_path: Path) -> None:
    shards(tmp_path)
    (tmp_path / "data/test-00001-of-00003.parquet").unlink()
    with pytest.raises(LoaderError, match="data/test: shard 00001 of 3 is missing"):
        read(tmp_path)


def test_splits(tmp_path: Path) -> None:
    shards(tmp_path)
    shards(tmp_path, split="validation", count=1)
    with pytest.raises(LoaderError, match="several splits: data/test, data/validation"):
        read(tmp_path)
    assert len(read(tmp_path, split="validation")) == 2
    assert len(read(tmp_path, file="data/test-*.parquet")) == 6
    with pytest.raises(LoaderError, match="no split dev") as caught:
        read(tmp_path, split="dev")
    assert caught.value.hint == "there are: test, validation"


def test_configs_of_one_split_are_told_apart(tmp_path: Path) -> None:
    for config in ("DocVQA", "InfographicVQA"):
        write(tmp_path / config / "validation-00000-of-00001.parquet", [row(1)])
    with pytest.raises(LoaderError, match="several splits: DocVQA/validation, InfographicVQA/validation"):
        read(tmp_path, split="validation")
    (sample,) = read(tmp_path, split="validation", file="DocVQA/*.parquet")
    assert sample.file == "DocVQA/validation-00000-of-00001.parquet"


def test_a_split_that_the_rows_tell(tmp_path: Path) -> None:
    write(tmp_path / "all.parquet", [row(1, split="val"), row(2, split="test")])
    assert [s.sample_id for s in read(tmp_path, split="test")] == ["q2"]
    write(tmp_path / "all.parquet", [row(1)])
    with pytest.raises(LoaderError, match="no split test"):
        read(tmp_path, split="test")


def test_the_hubs_own_conversion(tmp_path: Path) -> None:
    write(tmp_path / "default/train/0000.parquet", [row(1)])
    write(tmp_path / "default/test/0000.parquet", [row(2)])
    write(tmp_path / "default/test/0001.parquet", [row(3)])
    assert [s.sample_id for s in read(tmp_path, split="test")] == ["q2", "q3"]


def test_a_shard_without_a_column(tmp_path: Path) -> None:
    write(tmp_path / "t-00000-of-00002.parquet", [row(1)])
    data = row(2)
    del data["question"]
    write(tmp_path / "t-00001-of-00002.parquet", [data])
    with pytest.raises(LoaderError, match=r"missing column question, in t-00001-of-00002\.parquet"):
        read(tmp_path)


# --- arrow --------------------------------------------------------------------------------------


def save_to_disk(
    folder: Path, rows: Sequence[Mapping[str, Any]], *, split: str = "train", files: int = 2
) -> None:
    """As `datasets` writes it: streams, a state and the features."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{n:05d}-of-{files:05d}.arrow" for n in range(files)]
    step = -(-len(rows) // files)
    for number, name in enumerate(names):
        table = pa.Table.from_pylist(list(rows[number * step : (number + 1) * step]))
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names], "_split": split, "_format_type": None}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "dataset_info.json").write_text('{"features": {}}', encoding="utf-8")


def test_a_saved_dataset(tmp_path: Path) -> None:
    save_to_disk(tmp_path, [row(n) for n in range(7)])
    samples = read(tmp_path)
    assert [s.sample_id for s in samples] == [f"q{n}" for n in range(7)]
    assert (samples[6].file, samples[6].row) == ("data-00001-of-00002.arrow", 3)
    (tmp_path / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(LoaderError, match=r"no data-00001-of-00002\.arrow beside it"):
        read(tmp_path)


def test_a_saved_dict_of_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_to_disk(tmp_path / split, [row(1, note=split)], split=split, files=1)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    (sample,) = read(tmp_path, split="test")
    assert sample.label_metadata == {"note": "test"}
    with pytest.raises(LoaderError, match="several splits"):
        read(tmp_path)


def test_a_selection_over_other_files_is_refused(tmp_path: Path) -> None:
    save_to_disk(tmp_path, [row(1)], files=1)
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    (tmp_path / "state.json").write_text(json.dumps({**state, "_indices_files": [{"filename": "i.arrow"}]}))
    with pytest.raises(LoaderError, match="a selection of rows over other files") as caught:
        read(tmp_path)
    assert "flatten_indices" in caught.value.hint


def test_the_arrow_file_format(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([row(n) for n in range(5)])
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert [s.sample_id for s in read(path)] == [f"q{n}" for n in range(5)]


@pytest.mark.parametrize("left", [0.3, 0.6, 0.95])
def test_a_cut_off_stream(tmp_path: Path, left: float) -> None:
    save_to_disk(tmp_path, [row(n) for n in range(40)], files=1)
    path = tmp_path / "data-00000-of-00001.arrow"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])
    with pytest.raises(
        LoaderError, match=r"cut off or damaged \(no end mark\), in data-00000-of-00001\.arrow"
    ):
        read(tmp_path)


# --- damaged files ------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "message"), [(0, "the file is empty"), (0.5, "cut off or damaged")])
def test_a_truncated_file(tmp_path: Path, left: float, message: str) -> None:
    path = write(tmp_path / "t.parquet", [row(n) for n in range(20)])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])
    with pytest.raises(LoaderError, match=rf"{message}.*in t\.parquet"):
        read(tmp_path)


def test_a_damaged_row_group_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", [row(n) for n in range(30)], row_group_size=10)
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[place : place + 30] = b"\xff" * 30
    path.write_bytes(data)
    seen = []
    with pytest.raises(LoaderError, match=r"row group 2 of 3 is damaged .*, in t\.parquet"):
        for sample in load("parquet", path, {}):
            seen.append(sample.sample_id)
    assert seen == [f"q{n}" for n in range(10)]


def test_a_text_that_is_not_utf8_is_named_by_its_row(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([row(n) for n in range(3)])
    wrong = pa.array([b"a", b"\xcf\xf0", b"c"], pa.binary()).view(pa.string())
    pq.write_table(
        table.set_column(table.schema.get_field_index("question"), "question", wrong), tmp_path / "t.parquet"
    )
    with pytest.raises(LoaderError, match=r"a text is not UTF-8, in t\.parquet, row 2"):
        read(tmp_path)


def test_something_else_under_that_name(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", encoding="utf-8")
    with pytest.raises(LoaderError, match=r"not a parquet file, in t\.parquet") as caught:
        read(path)
    assert "Git LFS" in caught.value.hint


def test_missing_columns_are_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", [{"id": 1, "question": "q"}])
    with pytest.raises(LoaderError, match=r"missing column answer, in t\.parquet") as caught:
        read(path)
    assert caught.value.hint == "it has: id, question"
    with pytest.raises(LoaderError, match=r"missing column gold\.text"):
        read(path, columns={"answers": "gold.text"})


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"image": 3.5}, "an image cannot be float"),
        ({"answers": b"x"}, "bytes where a text is needed"),
        ({"options": 3}, "choices must be a list"),
        ({"questionId": ""}, "questionId is empty: every sample needs an id of its own"),
    ],
)
def test_wrong_types_cost_one_sample(tmp_path: Path, cells: dict[str, Any], problem: str) -> None:
    assert one(tmp_path, row(1, **cells)).problem == problem


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"column": {}}, "has no parameter column"),
        ({"columns": {"bild": "image"}}, "columns has no bild"),
        ({"columns": {"id": ["a", "b"]}}, r"columns\.id is one column"),
        ({"where": "x"}, "where must be a mapping"),
        ({"reference": "some"}, "reference some is unknown"),
        ({"hint": "yes"}, "hint must be true or false"),
        ({"image_path": "images"}, "image_path must hold"),
        ({"max_pages": 0}, "max_pages must be a whole number from 1"),
        ({"derive": "magic"}, "derive magic is unknown"),
    ],
)
def test_mistakes_in_the_card(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(LoaderError, match=message):
        one(tmp_path, row(1), **params)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=r"no \*\.parquet or \*\.arrow in the dataset folder"):
        read(tmp_path)
