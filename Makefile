# Every target sets up what it needs first. TIDEMARK_HOME moves all state (default ./.tidemark).
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
export OMP_NUM_THREADS ?= 2

.PHONY: help setup nightly test up down bench lint lock sbom

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## create .venv from requirements.txt when it changed, check for Java 17+
	@$(PYTHON) .ci/bootstrap.py

nightly: setup ## run the night of the latest landed day (on generated logs when there are none)
	@$(BIN)/python -m pipeline nightly

test: setup lint ## run all tests
	@$(BIN)/python .ci/tests.py

up: setup ## serve Airflow, MLflow, Data Docs and reports on loopback
	@$(BIN)/python -m pipeline up

down: ## stop what `make up` started
	@test ! -x $(BIN)/python || $(BIN)/python -m pipeline down

bench: setup ## print the headline figures, or run one bench: NAME=uplift ARGS="cost 50000"
	@$(BIN)/python -m tests.bench $(NAME) $(ARGS)

lint: setup ## formatting, lint, types, import rules, file sizes, spelling, links of the docs, vulnerable pins
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/codespell
	@$(BIN)/python .ci/check_docs.py
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/lint-imports --no-cache > .lint-imports.log 2>&1 || { cat .lint-imports.log; kill $$types 2> /dev/null; rm -f .lint-imports.log; exit 1; }; \
	rm -f .lint-imports.log; wait $$types
	@$(BIN)/python .ci/file_sizes.py
	@$(BIN)/python .ci/audit.py

lock: ## resolve requirements.in into requirements.txt in a fresh environment
	@$(PYTHON) .ci/lock.py

sbom: setup ## list what .venv holds as CycloneDX JSON, in build/sbom.json
	@$(BIN)/python .ci/sbom.py
