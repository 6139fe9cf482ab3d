#!/bin/sh
# Builds the environments and images that the tests use, then runs the tests. What cannot be had is skipped with a
# reason, unless VLMHB_REQUIRE names it (docker, podman, apptainer, ocr, transformers): then its tests fail instead.
#   WORKERS=2 sh scripts/test.sh [pytest arguments]
set -eu
bin=${VENV:-.venv}/bin
envs=.test-envs
"$bin/vlmhb" images build stages rapidocr tesseract --engine process --workspace "$envs"
# Its CPU build of PyTorch is not on PyPI: see docs/models.md.
"$bin/vlmhb" images build transformers --engine process --workspace "$envs" ||
  echo "transformers: its tests are skipped, or fail where VLMHB_REQUIRE names it" >&2
if docker info >/dev/null 2>&1; then
  "$bin/vlmhb" images build stages rapidocr tesseract --engine docker --workspace "$envs"
  "$bin/vlmhb" images build transformers --engine docker --workspace "$envs" ||
    echo "transformers: its tests on Docker are skipped, or fail where VLMHB_REQUIRE names it" >&2
fi
if command -v apptainer >/dev/null || command -v singularity >/dev/null; then
  "$bin/vlmhb" images build stages rapidocr --engine apptainer --workspace "$envs"
fi
VLMHB_TEST_RAPIDOCR_PYTHON=$(echo "$PWD/$envs"/envs/rapidocr-*/bin/python)
VLMHB_TEST_TESSERACT_PYTHON=$(echo "$PWD/$envs"/envs/tesseract-*/bin/python)
VLMHB_TEST_TRANSFORMERS_PYTHON=$(echo "$PWD/$envs"/envs/transformers-*/bin/python)
export VLMHB_TEST_RAPIDOCR_PYTHON VLMHB_TEST_TESSERACT_PYTHON VLMHB_TEST_TRANSFORMERS_PYTHON
exec "$bin/python" -m pytest -n "${WORKERS:-2}" --dist worksteal "$@"
