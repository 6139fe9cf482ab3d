"""Shared libraries that speak the C interfaces of the CUDA driver and of NVML, for machines without a GPU.

The real ones are asked in exactly this way; what they would say is set by environment variables.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CUDA = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int env(const char *name, int other) { const char *v = getenv(name); return v ? atoi(v) : other; }
static int started = 0;
int cuInit(unsigned flags) { if (flags) return 1; started = 1; return env("STUB_INIT", 0); }
int cuDeviceGetCount(int *count) { if (!started) return 3; *count = env("STUB_GPUS", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) {
    if (ordinal < 0 || ordinal >= env("STUB_GPUS", 1)) return 101;
    *device = ordinal + 40;  /* a handle is not its index */
    return 0;
}
int cuDeviceGetName(char *name, int size, int device) {
    snprintf(name, (size_t)size, "Stub GPU %d", device - 40);
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = (size_t)(80 + device - 40) << 30;
    return 0;
}
int cuDeviceGetUuid_v2(unsigned char uuid[16], int device) {
    for (int i = 0; i < 16; i++) uuid[i] = (unsigned char)(i * 16 + device - 40);
    return 0;
}
"""
NVML = r"""
#include <stdio.h>
#include <stdlib.h>
typedef struct { unsigned long long total, free, used; } memory;
static int cards[8];
static int count_of(void) { const char *v = getenv("STUB_GPUS"); return v ? atoi(v) : 1; }
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)count_of(); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &cards[index]; return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned size) {
    snprintf(name, size, "Nvml GPU %d", (int)((int *)device - cards));
    return 0;
}
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned size) {
    snprintf(uuid, size, "GPU-%08d", (int)((int *)device - cards));
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory *told) { (void)device; told->total = 24ull << 30; return 0; }
"""
SOURCES = {"libcuda.so.1": CUDA, "libnvidia-ml.so.1": NVML}


def build(folder: Path, *names: str) -> Path:
    """Compiles the named libraries into `folder`, for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = folder / f"{name}.c"
        source.write_text(SOURCES[name])
        words = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(folder / name), str(source)]
        subprocess.run(words, check=True, capture_output=True)
    return folder
