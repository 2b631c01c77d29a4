# Everything runs in .venv, which the first target that needs it makes.
#   make demo    set up, then simulate the report's model
#   make test    set up, then tests, doctests, examples, lint, types
#   make bench   ratios against numpy by hand and against peers (CONTRIBUTING.md)
#   make docs    the documentation, in docs/_build/html
#   make release build, check, install in an empty environment, run the demo from there
.DEFAULT_GOAL := help
.PHONY: help demo test browser bench docs release lint types format clean

# Tests start Python anew many times: a machine that keeps no compiled modules compiles ours each time.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The first Python of at least 3.12 on the path; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

help:
	@sed -n '2,6p' Makefile | sed 's/^# *//'

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
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

types: $(VENV)/.made
	$(BIN)/mypy

# The pages are tested in Chromium: one that is there, or the first that can be had.
browser: $(VENV)/.made
	@$(BIN)/python tests/browser/chromium.py

# Types are checked beside the tests, and told after them: alone they keep one core busy and the others idle.
test: lint browser
	@$(BIN)/mypy >$(VENV)/types.log 2>&1 & types=$$!; \
	$(BIN)/python -m pytest -n auto; tests=$$?; \
	wait $$types; types=$$?; echo mypy; cat $(VENV)/types.log; \
	exit $$((tests || types))

# The peers get an environment of their own: what they pin must not decide what we test with.
.venv-bench/.made: pyproject.toml benchmarks/requirements.txt $(VENV)/.made
	@"$(PYTHON)" -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dask]" \
		--requirement benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/.made
	.venv-bench/bin/python benchmarks/speed.py
	.venv-bench/bin/python benchmarks/side_by_side.py
	.venv-bench/bin/python benchmarks/memory.py
	.venv-bench/bin/python benchmarks/streaming.py

# Warnings are errors: a link that leads nowhere does not get in.
.venv-docs/.made: pyproject.toml $(VENV)/.made
	@"$(PYTHON)" -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dask]" --group docs --group test
	@touch $@

docs: .venv-docs/.made
	.venv-docs/bin/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

# What was built is what is tried: the wheel, in an environment that has nothing else of ours.
release: $(VENV)/.made
	rm -rf dist .venv-release
	@"$(PYTHON)" -m venv .venv-release
	@.venv-release/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@.venv-release/bin/python -m pip install --quiet --disable-pip-version-check --group release
	.venv-release/bin/python -m build --outdir dist .
	.venv-release/bin/python -m twine check --strict dist/*
	@"$(PYTHON)" -m venv --clear .venv-release
	@.venv-release/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd dist && ../.venv-release/bin/demandsim run guosen-2025-01 --seed 20250127 --draws 1024

format: $(VENV)/.made
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-bench .venv-docs .venv-release docs/_build docs/gallery docs/reference/api docs/reference/equations.rst out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
