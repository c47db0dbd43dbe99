# The two commands of the README. Each makes .venv, installs what constraints.txt pins, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

# Python compiles a module when it is first imported, and keeps it: a fifth of what is installed ever is, and
# the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

# What the test of the JavaScript example runs on; without npm that test is skipped.
JAVASCRIPT := $(if $(shell command -v npm),tests/js/node_modules/.installed)

.PHONY: demo test lint unit install clean

demo: $(VENV)/.pixelwise
	$(BIN)/pixelwise demo

test: lint unit

install: $(VENV)/.dev

# An old pip takes twice as long to find out that the pins go together.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/.pixelwise: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	touch $(VENV)/.pixelwise $@

tests/js/node_modules/.installed: tests/js/package-lock.json
	npm ci --prefix tests/js --ignore-scripts --no-audit --no-fund --silent
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# A process for each core, with one thread each: the tests' tensors are small, and threads would wait for
# each other.
unit: install $(JAVASCRIPT)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

clean:
	rm -rf $(VENV) tests/js/node_modules demo run .pytest_cache .ruff_cache .import_linter_cache
