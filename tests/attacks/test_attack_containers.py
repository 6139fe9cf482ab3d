"""A model that attacks from inside its container: each line of what containers promise is tried, and fails.

No network, unreadable labels, a read-only root, no capabilities, the caller's uid: tests/e2e/test_e2e_isolation.py;
memory, processes and the engine's own flags: tests/engines/test_engines_container.py."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import DOCKER, PODMAN, make_world
from e2e_world import World

HOST_CANARY = "canary-of-the-host-5d1e"
# Each gives a list of what it got; an empty list is a failed attack.
ATTACKS = {
    "writes over what it was given": """
import os
result = []
for top in ("/vlmhb/in", "/vlmhb/kit.pyz", "/vlmhb/model.json", "/etc", "/usr", "/proc/sys/kernel"):
    names = [""] if os.path.isfile(top) else ["/x"] + ["/" + name for name in os.listdir(top)][:3]
    places = [top + name for name in names]
    for place in places:
        try:
            open(place, "ab").close(); result.append(place)
        except OSError: pass
""",
    "finds the engine's socket": """
import os, socket
result = []
for place in ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
              "/run/user/%d/podman/podman.sock" % os.getuid(), "/var/run/crio/crio.sock"):
    try:
        socket.socket(socket.AF_UNIX).connect(place); result.append(place)
    except OSError: pass
    if os.path.exists(place): result.append("there: " + place)
""",
    "reads the host's environment": """
import os, glob
found = [b"\\0".join(k.encode() + b"=" + v.encode() for k, v in os.environ.items())]
for place in glob.glob("/proc/[0-9]*/environ"):
    try: found.append(open(place, "rb").read())
    except OSError: pass
result = [str(len(one)) for one in found if b"canary-of-the" + b"-host" in one]
""",
    "sees processes of the host": """
import glob
names = [open(place).read().strip() for place in glob.glob("/proc/[0-9]*/comm")]
result = [name for name in names if name in ("dockerd", "containerd", "systemd", "sshd", "vlmhb", "pytest")]
""",
    "asks the kernel for what seccomp forbids": """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
calls = {"unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "keyctl": (250, 0, 0, 0, 0, 0),
         "bpf": (321, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0), "init_module": (175, 0, 0, 0),
         "reboot": (169, 0, 0, 0, 0),
         "pivot_root": (155, 0, 0), "swapon": (167, 0, 0), "userfaultfd": (323, 0)}
result = []
for name, (number, *words) in calls.items() if os.uname().machine == "x86_64" else ():
    if libc.syscall(number, *words) >= 0: result.append(name)
""",
    "becomes root": """
import os
result = []
for name, call in (("setuid", lambda: os.setuid(0)), ("setgid", lambda: os.setgid(0)),
                   ("setgroups", lambda: os.setgroups([0])), ("chown", lambda: os.chown("/tmp", 0, 0)),
                   ("chroot", lambda: os.chroot("/tmp")),
                   ("mknod", lambda: os.mknod("/tmp/sda", 0o60666, os.makedev(8, 0))), ("nice", lambda: os.nice(-20))):
    try:
        call(); result.append(name)
    except OSError: pass
""",
    "gains privileges from a setuid program": """
import glob, os, shutil, subprocess, sys
result = []
copy = "/tmp/python-suid"
try:
    shutil.copy(os.path.realpath(sys.executable), copy); os.chmod(copy, 0o4755)
except OSError: pass
for program in (copy, "/bin/su", "/usr/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/sudo"):
    try:
        done = subprocess.run([program, "-c", "id -u" if "su" in program[-4:] else "import os; print(os.geteuid())"],
                              capture_output=True, timeout=5, stdin=subprocess.DEVNULL)
        if done.stdout.strip() == b"0": result.append(program)
    except (OSError, subprocess.TimeoutExpired): pass
""",
    "forks without end": """
import os, signal, time
children, result = [], []
try:
    while len(children) < 1200:
        pid = os.fork()
        if pid == 0:
            time.sleep(60); os._exit(0)
        children.append(pid)
    result.append("1200 processes")
except OSError: pass
for pid in children: os.kill(pid, signal.SIGKILL)
for pid in children: os.waitpid(pid, 0)
""",
    "fills the disk": """
import os
result, size = [], 0
try:
    with open("/tmp/fill", "wb") as file:
        while size < (2 << 30):
            size += file.write(bytes(1 << 24))
        result.append("2 GiB in /tmp")
except OSError: pass
finally:
    try: os.unlink("/tmp/fill")
    except OSError: pass
""",
    "opens devices": """
import os
result = []
for name in ("mem", "kmem", "sda", "vda", "nvme0n1", "kvm", "fuse", "kmsg", "port", "net/tun"):
    try:
        os.close(os.open("/dev/" + name, os.O_RDONLY)); result.append(name)
    except OSError: pass
""",
    "reaches what is listening on the host": """
import socket
result = []
for host in ("172.17.0.1", "10.88.0.1", "host.docker.internal", "169.254.169.254", "1.1.1.1", "fe80::1"):
    for port in (22, 80, 443, 2375):
        try:
            socket.create_connection((host, port), timeout=0.3).close(); result.append(host)
        except OSError: pass
try:
    socket.getaddrinfo("example.org", 80); result.append("names are resolved")
except OSError: pass
""",
}  # fmt: skip
TRY_ALL = """
import json
found = {{}}
for name, code in {attacks!r}.items():
    scope = {{}}
    exec(code, scope)
    found[name] = scope["result"]
result = json.dumps(found)"""


@pytest.fixture(params=[DOCKER, PODMAN], scope="module")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run whose model tries everything and answers with what it got."""
    world = make_world(request, tmp_path_factory.mktemp(f"attack-{request.param}"))
    world.env["HOST_CANARY"] = HOST_CANARY
    world.make(pages=1, probe=TRY_ALL.format(attacks=ATTACKS))
    patient = json.loads((card := _card(world)).read_text())
    patient["retry"] = {"attempts": 1, "timeout_first_token_s": 120, "timeout_total_s": 120}
    card.write_text(json.dumps(patient))
    (record,) = world.predictions(world.run())
    answers: dict[str, Any] = json.loads(record["text"])
    return answers


def _card(world: World) -> Path:
    return world.root / "cards" / "models" / "page-model.yaml"


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attack_fails(found: dict[str, Any], attack: str) -> None:
    assert found[attack] == []


def test_the_host_is_as_it_was(found: dict[str, Any]) -> None:
    assert set(found) == set(ATTACKS)
    assert os.environ.get("HOST_CANARY") is None
