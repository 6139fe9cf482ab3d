"""Fixtures: model servers that are stopped whatever a test does to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Served, start

Start = Callable[..., Served]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Start]:
    """Starts servers that need not get ready; all of them are gone after the test."""
    running: list[Served] = []

    def starter(**config: Any) -> Served:
        root = config.pop("root", tmp_path / f"root{len(running)}")
        served = start(root, **config)
        running.append(served)
        return served

    yield starter
    for served in running:
        served.process.kill()
        served.ended()


@pytest.fixture
def ready_server(start_server: Start) -> Start:
    """Starts a server of a class in `zoo.py` and waits until its model is loaded."""

    def starter(class_name: str = "Echo", **config: Any) -> Served:
        served = start_server(class_path=f"zoo:{class_name}", **config)
        served.wait_for("model ready")
        return served

    return starter


@pytest.fixture(scope="module")
def shared_echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One echo server for all tests of a module that leave it as it was."""
    served = start(tmp_path_factory.mktemp("echo"), class_path="zoo:Echo")
    served.wait_for("model ready")
    yield served
    served.process.kill()
    served.ended()
