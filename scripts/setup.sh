#!/bin/sh
# Creates the virtual environment. A Debian or Ubuntu machine may lack the venv module: as root it is installed.
#   PYTHON=python3 VENV=.venv EXTRA=dev
set -eu
python=${PYTHON:-python3}
venv=${VENV:-.venv}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  else
    echo "Python's venv module is missing; run: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed" >&2; exit 1; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
lock=requirements${EXTRA:+-$EXTRA}.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
