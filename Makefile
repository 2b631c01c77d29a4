# Everything runs in .venv, which the first target that needs it makes.
#   make demo    set up, then simulate the report's model
#   make test    set up, then tests, doctests, examples, lint, types
#   make bench   ratios against numpy by hand and against peers (CONTRIBUTING.md)
.DEFAULT_GOAL := help
.PHONY: help demo test bench lint types format clean

VENV := .venv
BIN := $(VENV)/bin
# The first Python of at least 3.12 on the path; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

help:
	@sed -n '2,4p' Makefile | sed 's/^# *//'

$(VENV)/.made: pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "demandsim needs Python 3.12 or later, and none was found on the path."; \
		echo "Install one (for example: pyenv install 3.12, or uv python install 3.12), or say make PYTHON=/path/to/python3.12"; \
		exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit("demandsim needs Python 3.12 or later; %s is %s" % (sys.executable, sys.version.split()[0]) if sys.version_info < (3, 12) else 0)'
	@echo "setting up $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dask]" --group dev
	@touch $@

demo: $(VENV)/.made
	@$(BIN)/demandsim run guosen-2025-01 --seed 20250127

lint: $(VENV)/.made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.made
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m pytest

# The peers get an environment of their own: what they pin must not decide what we test with.
.venv-bench/.made: pyproject.toml benchmarks/requirements.txt $(VENV)/.made
	@"$(PYTHON)" -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dask]" \
		--requirement benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/.made
	.venv-bench/bin/python benchmarks/side_by_side.py
	.venv-bench/bin/python benchmarks/memory.py

format: $(VENV)/.made
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-bench out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
