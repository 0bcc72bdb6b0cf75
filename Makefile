# The same few words everywhere: demo, serve, test, check, bench, docs. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := . sdks/chatroutes sdks/chatserver sdks/infinity_assistant sdks/puter sdks/zaguan

.DEFAULT_GOAL := help
.PHONY: help demo serve test check faults bench docs lock wheels clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/run ## See it work, in a few seconds
	@$(BIN)/python examples/demo.py

# Ctrl-C is for everybody here. A shell that dies of it has make say so behind the server's goodbye.
serve: $(VENV)/run ## Run the dev server at http://localhost:3284
	@mkdir -p .chatloom
	@trap : INT; $(BIN)/chatloom serve --dev --db .chatloom/dev.db || [ $$? -eq 130 ]

test: $(VENV)/dev ## Run every test
	$(BIN)/python -m pytest -n logical --dist loadfile

check: $(VENV)/dev ## Lint, format and types, strictly
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright -p pyproject.toml

faults: $(VENV)/dev ## Kill, cut and repeat as often as we promise, for some twenty minutes
	CHATLOOM_FAULTS=full $(BIN)/python -m pytest tests/faults

bench: $(VENV)/dev ## Measure against peers and the floor, as ratios in one run
	$(BIN)/python -m bench $(BENCH)

docs: $(VENV)/run ## Write the address list into docs/openapi.json
	$(BIN)/python -m chatloom.server.openapi > docs/openapi.json

lock: $(VENV)/dev ## Lock the newest versions again, with hashes
	$(BIN)/uv pip compile $(LOCK) --extra server --extra knowledge pyproject.toml requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK) --extra dev pyproject.toml -o requirements/dev.txt
LOCK := -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header --no-annotate

wheels: $(VENV)/dev ## Build every distribution into dist/
	rm -rf dist
	for package in $(PACKAGES); do $(BIN)/python -m build -n -w -o dist $$package || exit 1; done

clean: ## Remove everything that make has made
	rm -rf $(VENV) .chatloom dist

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'chatloom needs Python 3.11 or later; try: make PYTHON=python3.13'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo 'Python came without venv; on Debian: sudo apt install python3-venv'; exit 1; }
	@echo 'setting up $(VENV) ...'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Continuous integration tests the wheels, everybody else the checkout.
ifdef CI
INSTALL = rm -rf dist && \
	for package in $(PACKAGES); do $(BIN)/python -m build -n -w -o dist $$package >/dev/null || exit 1; done && \
	$(BIN)/python -m pip install -q --no-deps --no-index --force-reinstall dist/*.whl
else
INSTALL = $(BIN)/python -m pip install -q --no-deps --no-build-isolation $(PACKAGES:%=-e %)
endif

$(VENV)/run: $(VENV)/python requirements/run.txt pyproject.toml $(wildcard sdks/*/pyproject.toml)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	@touch $@

$(VENV)/dev: $(VENV)/python requirements/dev.txt pyproject.toml $(wildcard sdks/*/pyproject.toml)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(INSTALL)
	@touch $@
