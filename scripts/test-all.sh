#!/bin/sh
# Runs the suite on every CPython from 3.10 on that is found on PATH, or as a pyenv version, each in a virtual environment of its own.
set -u
cd "$(dirname "$0")/.."
ran="" failed="" missing=""
for minor in 10 11 12 13 14; do
    python=$(command -v "python3.$minor" || ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python 2>/dev/null | tail -n 1)
    if [ -z "$python" ] || ! "$python" -c "import sys; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null; then
        missing="$missing 3.$minor"
        continue
    fi
    echo "== Python 3.$minor: $python"
    if make test PYTHON="$python" VENV=".venv-3.$minor"; then ran="$ran 3.$minor"; else failed="$failed 3.$minor"; fi
done
echo "passed:${ran:- none}; failed:${failed:- none}; not found:${missing:- none}"
[ -z "$failed" ] && [ -n "$ran" ]
