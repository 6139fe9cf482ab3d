#!/bin/sh
# Runs the tests. Builds the environments and images that they use; what cannot be had is skipped with a
# reason, unless VLMHB_REQUIRE names it (docker, podman, ocr): then its tests fail instead.
set -eu
bin=${VENV:-.venv}/bin
exec "$bin/python" -m pytest "$@"
