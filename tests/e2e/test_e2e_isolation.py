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


def probe(world: World, name: str) -> Any:
    world.make(pages=1, probe=PROBES[name])
    lines = world.samples()
    lines[0]["answer"] = "CANARY-LABEL"
    world.write_samples(lines)
    summary = world.run()
    text = world.predictions(summary)[0]["text"]
    try:
        return json.loads(text.replace("'", '"'))
    except ValueError:
        return text


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("interfaces", ["lo"]),
        ("connect", "OSError"),
        ("uid", 65534),
        ("capabilities", ["0000000000000000"] * 3 + ["1"]),
        ("root", "Read-only file system"),
        ("writable", ["/vlmhb/sock"]),
        ("mounts", ["in", "kit.pyz", "model.json", "sock", "model"]),
        ("canary", []),
    ],
)
def test_inside_the_model_container(docker_world: World, name: str, expected: Any) -> None:
    found = probe(docker_world, name)
    if name == "uid":
        assert found != 0
    elif name == "connect":
        assert found in ("OSError", "TimeoutError")
    else:
        assert found == expected


@pytest.mark.docker
def test_labels_are_mounted_into_evaluate_only(docker_world: World) -> None:
    docker_world.make(pages=1)
    lines = docker_world.samples()
    lines[0]["answer"] = "CANARY-LABEL"
    docker_world.write_samples(lines)
    summary = docker_world.run()
    for stage, where in (("prepare", "inputs"), ("infer", ".")):
        folder = docker_world.stage(summary, stage) / "out" / where
        holding = [
            path for path in folder.rglob("*") if path.is_file() and b"CANARY-LABEL" in path.read_bytes()
        ]
        assert holding == [], stage
    assert b"CANARY-LABEL" in docker_world.scores(summary)
