# Two commands do everything on a machine with Python 3.10+ and make: `make start` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests run so many at a time: most of them wait more than they compute.
TESTERS ?= 3

.PHONY: start test quick check test-all bench clean

start: $(VENV)/.installed  ## run the sample app
	$(BIN)/linarite start

test: $(VENV)/.installed-test  ## everything CI runs
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.installed-test  ## what needs no emulator and no patience
	$(BIN)/python -m pytest -m "not azurite and not slow"

check: $(VENV)/.installed-test  ## style and types
	$(BIN)/ruff check host tests functions bench scripts function_app.py
	$(BIN)/ruff format --check host tests functions bench scripts function_app.py
	$(BIN)/mypy

test-all:  ## the suite on every CPython from 3.10 on that is installed
	sh scripts/test-all.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --requirement requirements.txt
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed scripts/install-azurite.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	$(BIN)/python scripts/install-azurite.py
	touch $@

clean:
	rm -rf $(VENV) .linarite .pytest_cache .mypy_cache .ruff_cache
