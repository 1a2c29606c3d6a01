# make run    make the virtual environment, install the locked versions, start the switch
# make test   everything: Debian packages, lint, types, import rules, tests
# make wheel  the package in dist/, as `ray up cluster.yaml` takes it to the machines (docs/cluster.md)
# Every target is safe to repeat; nothing is installed twice.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CONFIG ?= switch.yaml
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: run test lint types imports tests fmt tools wheel soak bench clean

run: $(VENV)/.run
	@exec $(BIN)/rayswitch up -c $(CONFIG)

test: tools lint tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: $(VENV)/.dev
	$(BIN)/python -m pytest

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The Debian programs that the tests drive: installed when root on Debian, else named.
tools:
	@sh tests/tools.sh

# From nothing: setuptools would keep modules that are no more.
wheel: $(VENV)/.run
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

soak: $(VENV)/.dev tools
	$(BIN)/python -m pytest -q --hypothesis-profile=random tests/rayswitch tests/scenarios
	$(BIN)/python -m benchmarks.outage
	$(BIN)/python -m benchmarks.soak

bench: $(VENV)/.dev tools
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "rayswitch needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || true)." >&2; \
	  echo "Install it (Debian: apt-get install python3 python3-venv) or name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "installing rayswitch and the versions of requirements.lock"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "installing rayswitch, the versions of requirements.lock and the tools of the tests"
	@$(PIP) --editable '.[dev,bench]'
	@touch $@ $(VENV)/.run
