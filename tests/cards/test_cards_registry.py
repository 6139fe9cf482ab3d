"""Look-ups by name, and what is said when there is none."""

import pytest
from vlmhb.cards import Registry, canonical_framework, same_framework
from vlmhb.contracts import BenchmarkCard
from vlmhb.errors import UnknownName
from vlmhb.modelcard import ModelCard


def model(name: str, framework: str) -> ModelCard:
    return ModelCard(name=name, framework=framework, interface="upstream", tasks=("vqa",))


REGISTRY = Registry(
    models=(
        model("Qwen2-VL-2B-Instruct", "Hugging Face"),
        model("Qwen2.5-VL-3B-Instruct", "Hugging Face"),
        model("Qwen2.5-VL-3B-Instruct", "vLLM"),
    ),
    benchmarks=(
        BenchmarkCard(name="docs", task="OCR", task_type="ocr", loader="jsonl"),
        BenchmarkCard(name="pages", task="VQA", loader="jsonl"),
        BenchmarkCard(name="pages", task="KIE", task_type="kie", loader="jsonl"),
    ),
)


@pytest.mark.parametrize(
    "text", ["Hugging Face", "HuggingFace", "Hugging_Face", " hf ", "HF", "Hugging Face "]
)
def test_framework_spellings(text: str) -> None:
    assert canonical_framework(text) == "Hugging Face"
    assert REGISTRY.find_model("Qwen2.5-VL-3B-Instruct", text).framework == "Hugging Face"


def test_other_frameworks() -> None:
    assert canonical_framework("SgLang") == "SGLang"
    assert canonical_framework(" vllm") == "vLLM"
    assert canonical_framework(" My Engine ") == "My Engine"
    assert not same_framework("vLLM", "SGLang")


def test_framework_may_be_empty_for_a_unique_name() -> None:
    assert REGISTRY.find_model("Qwen2-VL-2B-Instruct", None).framework == "Hugging Face"
    assert REGISTRY.find_model(" Qwen2-VL-2B-Instruct ", "").framework == "Hugging Face"


@pytest.mark.parametrize(
    ("name", "framework", "line"),
    [
        ("Qwen2.5-VL-3B", None, "VHB201: no model 'Qwen2.5-VL-3B', in f.csv, row 2; hint: did you mean "
         "'Qwen2.5-VL-3B-Instruct' or 'Qwen2-VL-2B-Instruct'?"),
        ("Qwen2.5-VL-3B-Instruct", None, "VHB201: model 'Qwen2.5-VL-3B-Instruct' exists in 2 frameworks, "
         "in f.csv, row 2; hint: write framework 'Hugging Face' or 'vLLM'"),
        ("Qwen2-VL-2B-Instruct", "vLLM", "VHB201: no model 'Qwen2-VL-2B-Instruct' with framework 'vLLM', "
         "in f.csv, row 2; hint: its framework is 'Hugging Face'"),
        ("zzz", None, "VHB201: no model 'zzz', in f.csv, row 2; hint: known: Qwen2-VL-2B-Instruct, "
         "Qwen2.5-VL-3B-Instruct"),
    ],
)  # fmt: skip
def test_unknown_models(name: str, framework: str | None, line: str) -> None:
    with pytest.raises(UnknownName) as caught:
        REGISTRY.find_model(name, framework, where="f.csv, row 2")
    assert caught.value.line() == line


def test_benchmarks_by_word_or_task_type() -> None:
    assert REGISTRY.find_benchmark("docs", None).task == "OCR"
    assert REGISTRY.find_benchmark("docs", "ocr").task == "OCR"
    assert REGISTRY.find_benchmark("pages", "KIE").task_type == "kie"


@pytest.mark.parametrize(
    ("name", "task", "line"),
    [
        ("dosc", None, "VHB201: no benchmark 'dosc'; hint: did you mean 'docs'?"),
        ("docs", "VQA", "VHB201: benchmark 'docs' has no task 'VQA'; hint: its task is 'OCR'"),
        ("pages", None, "VHB201: benchmark 'pages' exists for 2 tasks; hint: write task 'VQA' or 'KIE'"),
    ],
)
def test_unknown_benchmarks(name: str, task: str | None, line: str) -> None:
    with pytest.raises(UnknownName) as caught:
        REGISTRY.find_benchmark(name, task)
    assert caught.value.line() == line
