"""From inside a model container: every promise of isolation is tried, and holds."""

import json
from typing import Any

import pytest
from e2e_world import World

PROBES = {
    "interfaces": "import socket; result = [name for _, name in socket.if_nameindex()]",
    "connect": """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2); result = "connected"
except OSError as error:
    result = type(error).__name__""",
    "uid": "import os; result = os.getuid()",
    "capabilities": """
import re
status = open("/proc/self/status").read()
result = [re.search(key + r":\\s*(\\w+)", status)[1] for key in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs")]""",
    "root": """
try:
    open("/probe", "w"); result = "written"
except OSError as error:
    result = error.strerror""",
    "writable": """
mounts = [line.split() for line in open("/proc/self/mounts")]
result = sorted(words[1] for words in mounts if words[1].startswith("/vlmhb") and "rw" in words[3].split(","))""",
    "mounts": "import os; result = sorted(os.listdir('/vlmhb')) + sorted(os.listdir('/vlmhb/in'))",
    "canary": """
import os
found = []
for top in ("/vlmhb", "/tmp", "/home", "/root", "/run", "/mnt", "/srv", "/media"):
  for base, folders, files in os.walk(top):
    for name in files:
        try:
            if b"CANARY" + b"-LABEL" in open(os.path.join(base, name), "rb").read(1 << 22): found.append(name)
        except OSError:
            pass
result = found""",
}


ALL = """
import json
found = {{}}
for name, code in {probes!r}.items():
    scope = {{}}
    exec(code, scope)
    found[name] = scope["result"]
result = json.dumps(found)"""


@pytest.fixture(scope="module")
def summary(container_world: World) -> dict[str, Any]:
    """One run whose model tries everything and answers with what it found."""
    world = container_world
    world.make(pages=1, probe=ALL.format(probes=PROBES))
    lines = world.samples()
    lines[0]["answer"] = "CANARY-LABEL"
    world.write_samples(lines)
    return world.run()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("interfaces", ["lo"]),
        ("capabilities", ["0000000000000000"] * 3 + ["1"]),
        ("root", "Read-only file system"),
        ("writable", ["/vlmhb/sock"]),
        ("mounts", ["in", "kit.pyz", "model.json", "sock", "model"]),
        ("canary", []),
    ],
)
def test_inside_the_model_container(
    container_world: World, summary: dict[str, Any], name: str, expected: Any
) -> None:
    assert found(container_world, summary)[name] == expected


def test_the_model_has_no_way_out_and_is_not_root(container_world: World, summary: dict[str, Any]) -> None:
    seen = found(container_world, summary)
    assert seen["connect"] in ("OSError", "TimeoutError")
    assert seen["uid"] != 0


def test_labels_are_mounted_into_evaluate_only(container_world: World, summary: dict[str, Any]) -> None:
    for stage, where in (("prepare", "inputs"), ("infer", ".")):
        folder = container_world.stage(summary, stage) / "out" / where
        holding = [
            path for path in folder.rglob("*") if path.is_file() and b"CANARY-LABEL" in path.read_bytes()
        ]
        assert holding == [], stage
    assert b"CANARY-LABEL" in container_world.scores(summary)


def found(world: World, summary: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads(world.predictions(summary)[0]["text"])
    return answers
