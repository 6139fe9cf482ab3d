"""The proof of GPUs before a model is loaded, through libraries with the drivers' real C interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_stub import build
from serving import USER_CODE, Served

Start = Callable[..., Served]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the named stand-in libraries where the loader looks, and says what they tell."""

    def install(*names: str, **said: str) -> None:
        folder = build(tmp_path / "lib", *names)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        for key, value in said.items():
            monkeypatch.setenv(key, value)

    return install


def facts(served: Served) -> dict[str, Any]:
    served.wait_for("model ready")
    return dict(served.get("/v1/models").body["data"][0]["vlmhb"])


def test_gpus_that_are_there_are_told_in_the_model_list(
    start_server: Start, driver: Callable[..., None]
) -> None:
    driver("libcuda.so.1", STUB_GPUS="2")
    told = facts(start_server(class_path="zoo:Echo", gpus=2))
    assert told["gpus_told_by"] == "cuda driver"
    assert told["gpus"] == [
        {"name": "Stub GPU 0", "uuid": "GPU-00102030-4050-6070-8090-a0b0c0d0e0f0", "memory_mib": 80 << 10},
        {"name": "Stub GPU 1", "uuid": "GPU-01112131-4151-6171-8191-a1b1c1d1e1f1", "memory_mib": 81 << 10},
    ]


def test_fewer_gpus_than_promised_end_before_the_model_is_loaded(
    start_server: Start, driver: Callable[..., None]
) -> None:
    driver("libcuda.so.1", STUB_GPUS="1")
    served = start_server(class_path="zoo:Echo", gpus=4)
    assert served.ended() == 3
    assert served.lines == [served.lines[-1]]
    assert served.lines[-1].startswith(
        "VHB502: the container sees 1 of 4 GPUs; hint: docker: install the NVIDIA"
    )
    assert "--nv" in served.lines[-1] and "CDI" in served.lines[-1]


def test_no_library_at_all_is_told(
    start_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    served = start_server(class_path="zoo:Echo", gpus=1)
    assert served.ended() == 3
    assert "sees 0 of 1 GPUs (neither libcuda.so.1 nor libnvidia-ml.so.1 can be loaded)" in served.lines[-1]


@pytest.mark.parametrize(
    ("masked", "said"),
    [
        (None, "(cuInit gives error 100: no device)"),
        ("", "(cuInit gives error 100: no device, CUDA_VISIBLE_DEVICES=)"),
    ],
)
def test_driver_without_a_device_is_told_with_the_mask(
    start_server: Start,
    driver: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    masked: str | None,
    said: str,
) -> None:
    driver("libcuda.so.1", STUB_INIT="100")
    if masked is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", masked)
    served = start_server(class_path="zoo:Echo", gpus=1)
    assert served.ended() == 3
    assert said in served.lines[-1]


def test_nvml_is_asked_where_there_is_no_cuda_driver(
    start_server: Start, driver: Callable[..., None]
) -> None:
    driver("libnvidia-ml.so.1")
    told = facts(start_server(class_path="zoo:Echo", gpus=1))
    assert told["gpus_told_by"] == "nvml"
    assert told["gpus"] == [{"name": "Nvml GPU 0", "uuid": "GPU-00000000", "memory_mib": 24 << 10}]


def test_nvml_does_not_outvote_a_driver_that_sees_nothing(
    start_server: Start, driver: Callable[..., None]
) -> None:
    """NVML knows nothing of CUDA_VISIBLE_DEVICES: it would count a card that no model can use."""
    driver("libcuda.so.1", "libnvidia-ml.so.1", STUB_GPUS="0")
    served = start_server(class_path="zoo:Echo", gpus=1)
    assert served.ended() == 3
    assert "sees 0 of 1 GPUs" in served.lines[-1]


def test_models_without_gpus_load_no_driver(start_server: Start, driver: Callable[..., None]) -> None:
    driver("libcuda.so.1", STUB_GPUS="0")
    assert "gpus" not in facts(start_server(class_path="zoo:Echo", gpus=0))


def test_vendor_server_is_not_started_without_its_gpus(
    start_server: Start, driver: Callable[..., None], tmp_path: Path
) -> None:
    driver("libcuda.so.1", STUB_GPUS="0")
    block = {"command": ["python3", str(USER_CODE / "vendor.py"), "--port", "{port}"]}
    served = start_server(interface="server", path=None, server=block, gpus=1)
    assert served.ended() == 3
    assert not any("started:" in line for line in served.lines)


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="no GPU here")
def test_real_gpu_is_seen(start_server: Start) -> None:
    told = facts(start_server(class_path="zoo:Echo", gpus=1))
    assert told["gpus"][0]["memory_mib"] > 1000 and told["gpus"][0]["uuid"].startswith("GPU-")
