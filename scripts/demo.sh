#!/bin/sh
# The demo: builds what the quickstart needs (containers where an engine is usable, else venvs), then runs it.
# Where a container or this system gives Tesseract its Russian data, a third model joins; the first two are reused.
set -eu
vlmhb=${VENV:-.venv}/bin/vlmhb
config=user_configs/quickstart.csv
"$vlmhb" images build --for "$config"
"$vlmhb" run "$config"
engine=$("$vlmhb" plan "$config" --json 2>/dev/null | sed -n 's/.*"engine": "\([a-z]*\)".*/\1/p')
if [ "$engine" != process ] || tesseract --list-langs 2>/dev/null | grep -qx rus; then
  "$vlmhb" run user_configs/russian.csv
else
  echo "Tesseract with Russian data needs Docker, Podman or the package tesseract-ocr-rus; then: vlmhb run user_configs/russian.csv" >&2
fi
