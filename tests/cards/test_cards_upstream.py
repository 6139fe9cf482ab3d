"""vlm_base.csv of every generation (T1, T2 b)."""

from pathlib import Path
from typing import get_args

import pytest
from vlmhb.cards import find_vlm_base, load_registry, read_vlm_base
from vlmhb.errors import ErrorList
from vlmhb.modelcard import ModelCard, TaskType, UpstreamClass

HEADER = "framework;model_family;model_name;docker_image;git_python_package;python_package;module;class_name"
IMAGE = "ghcr.io/vlmhyperbenchteam/qwen2.5-vl:ubuntu22.04-cu124-torch2.4.0_v0.1.0"
GIT = "git+https://github.com/VLMHyperBenchTeam/model_qwen2.5-vl.git@0.1.1"
ROW = f"Hugging Face;Qwen2.5-VL;Qwen2.5-VL-3B-Instruct;{IMAGE};{GIT};model_qwen2_5_vl;models;Qwen2_5_VLModel"


def write(path: Path, *lines: str) -> Path:
    path.write_bytes(("\ufeff" + "\r\n".join(lines)).encode())
    return path


def test_the_current_generation(tmp_path: Path) -> None:
    path = write(tmp_path / "vlm_base.csv", HEADER, ROW)
    card = load_registry(vlm_base=path).find_model("Qwen2.5-VL-3B-Instruct", "hf")
    assert card == ModelCard(
        name="Qwen2.5-VL-3B-Instruct",
        framework="Hugging Face",
        interface="upstream",
        image=IMAGE,
        tasks=get_args(TaskType),
        params={"model_name": "Qwen2.5-VL-3B-Instruct"},
        upstream=UpstreamClass(
            python_package="model_qwen2_5_vl", module="models", class_name="Qwen2_5_VLModel"
        ),
        description="prototype model class from vlm_base.csv",
        source=GIT,
        origin=str(path),
    )


@pytest.mark.parametrize("class_column", ["class_name", "ClassName"])
def test_older_generations(tmp_path: Path, class_column: str) -> None:
    header = f"framework;model_family;model_name;docker_image;python_package;module;{class_column}"
    row = "Hugging Face;Qwen2-VL;Qwen2-VL-2B-Instruct;qwen2-vl:0.1;model_qwen2-vl:0.1.0;models;Qwen2VLModel"
    parsed = read_vlm_base(write(tmp_path / "vlm_base.csv", header, row))
    assert parsed.errors == ()
    (card,) = parsed.cards
    assert isinstance(card, ModelCard) and card.upstream is not None
    assert card.upstream == UpstreamClass(
        python_package="model_qwen2-vl:0.1.0", module="models", class_name="Qwen2VLModel"
    )
    assert card.source == ""


def test_planned_columns_and_the_first_of_equal_rows(tmp_path: Path) -> None:
    other = ROW.replace(IMAGE, "later:1")
    path = write(tmp_path / "v.csv", HEADER + ";backend;package_manager", f"{ROW};hf;uv", f"{other};hf;pip")
    parsed = read_vlm_base(path)
    assert [getattr(card, "image", None) for card in parsed.cards] == [IMAGE]
    assert parsed.errors == ()


def test_mistakes_name_row_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", HEADER + ";modul", ROW + ";", ROW.replace(IMAGE, "") + ";")
    with pytest.raises(ErrorList) as caught:
        load_registry(vlm_base=path)
    assert [error.line() for error in caught.value.errors] == [
        f"VHB103: unknown column 'modul', in {path}, row 1; hint: did you mean 'module'?",
        f"VHB105: an empty cell, in {path}, row 3, column docker_image",
    ]


def test_a_file_of_something_else(tmp_path: Path) -> None:
    parsed = read_vlm_base(write(tmp_path / "v.csv", "a;b", "1;2"))
    assert parsed.cards == ()
    assert parsed.errors[0].line() == (f"VHB105: no column 'framework', in {tmp_path}/v.csv, row 1")


def test_where_it_is_found(tmp_path: Path) -> None:
    assert find_vlm_base([tmp_path]) is None
    (tmp_path / "vlmhyperbench").mkdir()
    inner = write(tmp_path / "vlmhyperbench" / "vlm_base.csv", HEADER)
    assert find_vlm_base([tmp_path / "none", tmp_path]) == inner
    outer = write(tmp_path / "vlm_base.csv", HEADER)
    assert find_vlm_base([tmp_path]) == outer
