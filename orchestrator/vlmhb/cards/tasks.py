"""The kinds of tasks, by the words that the prototype and its users have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from vlmhb.modelcard import TaskType

ALL_TASKS: tuple[TaskType, ...] = get_args(TaskType)
_PROTOTYPE: Mapping[str, TaskType] = {"rpoclassification": "classification", "rposorting": "sorting"}
TASK_TYPES: Mapping[str, TaskType] = {**{task: task for task in ALL_TASKS}, **_PROTOTYPE}


def task_type_of(word: str) -> TaskType | None:
    """The kind of task that a row's or a card's `task` means; None for a word that is not known."""
    return TASK_TYPES.get(word.strip().casefold())


def is_page_set(word: str) -> bool:
    """The prototype's tasks on sets of scanned pages (RPO): their folders have a loader of their own."""
    return word.strip().casefold() in _PROTOTYPE
