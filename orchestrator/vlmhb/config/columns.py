"""The columns of a run config: kinds of values, other spellings of the names, one line of meaning each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["text", "exact", "bool", "int", "float", "list", "mapping"]

# `exact`: kept as written; `text`: outer blanks do not count; `mapping`: text, or a mapping where the file can write
# one, which becomes JSON. Up to `filter_question_type` these are the prototype's eleven; the rest are ours.
KINDS: Mapping[str, Kind] = {
    "dataset": "text",
    "task": "text",
    "framework": "text",
    "model_name": "text",
    "system_prompt": "text",
    "prompt_collection": "text",
    "metrics": "list",
    "only_evaluate_metrics": "bool",
    "metrics_aggregators": "list",
    "filter_doc_class": "exact",
    "filter_question_type": "exact",
    "dataset_path": "text",
    "limit": "int",
    "seed": "int",
    "temperature": "float",
    "max_tokens": "int",
    "concurrency": "int",
    "batch_size": "int",
    "gpus": "list",
    "replicas": "int",
    "base_url": "text",
    "api_key": "text",
    "docker_image": "text",
    "model_params": "mapping",
    "weights": "text",
    "answers_file": "text",
    "metrics_profile": "text",
    "error_policy": "text",
    "budget": "text",
    "prompt": "exact",
    "prompt_config": "mapping",
    "few_shot": "text",
    "few_shot_n": "int",
    "chain_of_thought": "exact",
    "response_schema": "mapping",
    "fallbacks": "list",
    "overflow": "list",
    "max_image_side": "int",
    "mode": "text",
    "warmup": "int",
    "slo": "text",
    "rate_limit": "text",
    "fresh": "bool",
    "extraction": "text",
    "tags": "list",
}

MEANINGS: Mapping[str, str] = {
    "dataset": "name of a benchmark card, or of a folder Datasets/<task>/<dataset>",
    "task": "the prototype's task (VQA ...); needed only where the benchmark name alone is not unique",
    "framework": "needed only where the model name alone is not unique; hf, HuggingFace = Hugging Face",
    "model_name": "name of a model card or of a row of vlm_base.csv",
    "system_prompt": "file in SystemPrompts/, or a path",
    "prompt_collection": "CSV in PromptCollections/<task>/, or a path; a .txt is one prompt for all samples",
    "metrics": "list of metric names, module:attribute or file.py:attribute; [] skips the evaluation",
    "only_evaluate_metrics": "evaluate an existing answers file, run no model",
    "metrics_aggregators": "legacy files to write: by_id, by_doc_question, by_doc_type, general",
    "filter_doc_class": "only samples of this doc_class, compared exactly",
    "filter_question_type": "only samples of this question_type, compared exactly",
    "dataset_path": "folder or file of the data, instead of the card's",
    "limit": "use the first N samples",
    "seed": "seed of decoding and of bootstrap",
    "temperature": "sampling temperature, 0 = greedy",
    "max_tokens": "longest answer, in tokens",
    "concurrency": "requests in flight",
    "batch_size": "samples in one batch of the model",
    "gpus": "GPU UUIDs or indices",
    "replicas": "copies of the model server",
    "base_url": "URL of an OpenAI-compatible server",
    "api_key": "secret:NAME, never the key itself",
    "docker_image": "image instead of the card's",
    "model_params": "parameters of the model over the card's, as a mapping (JSON text in a CSV)",
    "weights": "file or folder of weights, instead of the card's",
    "answers_file": "answers to evaluate (with only_evaluate_metrics, or for a replay model)",
    "metrics_profile": "default, or upstream-0.1 for the prototype's numbers",
    "error_policy": "stop, continue or tolerate:N%",
    "budget": "most that this evaluation may cost",
    "prompt": "the prompt for all samples, as text",
    "prompt_config": "prompts by kind of sample: a JSON or YAML file, or the mapping itself",
    "few_shot": "JSONL file of worked examples that are shown to the model before each question",
    "few_shot_n": "how many of the examples: the first N, or drawn by seed where there is one",
    "chain_of_thought": "on, off, or the sentence that asks the model to reason first",
    "response_schema": "JSON schema that answers have to follow: a file, or the schema itself",
    "fallbacks": "models behind URLs that are asked, in this order, when the model cannot be reached",
    "overflow": "when a request does not fit: shrink_images, drop_oldest_turns; empty = a typed error",
    "max_image_side": "longest side of an image in pixels; larger ones are sent smaller",
    "mode": "throughput, or benchmark: one request at a time for clean latencies",
    "warmup": "requests before the measured ones; their answers are thrown away",
    "slo": "limits for goodput in seconds: ttft=0.5, tpot=0.05, latency=10",
    "rate_limit": "most that the server is asked in a minute: 60 requests, 100000 tokens",
    "fresh": "true: take no answer of another run",
    "extraction": "rule that takes the answer out of a reply, instead of the card's: vlmhb metrics extractions",
    "tags": "words for filtering reports",
}

REQUIRED = ("dataset", "model_name")

# Columns of older prototype files that describe the model's class: vlm_base.csv says that now.
IGNORED = frozenset({"model_family", "git_python_package", "python_package", "module", "class_name"})

_ALIASES: Mapping[str, str] = {
    "task_name": "task",
    "model": "model_name",
    "benchmark": "dataset",
    "metric": "metrics",
    "aggregators": "metrics_aggregators",
    "image": "docker_image",
    "датасет": "dataset",
    "набор_данных": "dataset",
    "бенчмарк": "dataset",
    "задача": "task",
    "фреймворк": "framework",
    "модель": "model_name",
    "системный_промпт": "system_prompt",
    "коллекция_промптов": "prompt_collection",
    "метрика": "metrics",
    "метрики": "metrics",
    "только_метрики": "only_evaluate_metrics",
    "агрегаторы": "metrics_aggregators",
    "класс_документа": "filter_doc_class",
    "тип_вопроса": "filter_question_type",
    "путь_к_данным": "dataset_path",
    "лимит": "limit",
    "температура": "temperature",
    "параллельность": "concurrency",
    "адрес": "base_url",
    "ключ": "api_key",
    "образ": "docker_image",
    "веса": "weights",
    "файл_ответов": "answers_file",
    "бюджет": "budget",
    "промпт": "prompt",
    "извлечение": "extraction",
    "метки": "tags",
}


def canonical_column(name: str) -> str | None:
    """The column that a header cell or key means; None when there is none such."""
    key = re.sub(r"[\s\-]+", "_", name.strip()).casefold()
    return key if key in KINDS or key in IGNORED else _ALIASES.get(key)


def known_names() -> tuple[str, ...]:
    """Everything that a header may say, for hints."""
    return (*KINDS, *_ALIASES)
