# The two commands of the README. Each makes .venv, installs what constraints.txt pins, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint unit install clean

demo: install
	$(BIN)/pixelwise demo

test: lint unit

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

unit: install
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) demo run .pytest_cache .ruff_cache .import_linter_cache
