#!/bin/sh
# The demo: builds what the quickstart needs (containers where an engine is usable, else venvs), then runs it.
set -eu
vlmhb=${VENV:-.venv}/bin/vlmhb
config=user_configs/quickstart.csv
"$vlmhb" images build --for "$config"
"$vlmhb" run "$config"
