.DEFAULT_GOAL := help
.PHONY: help install demo test test-thorough lint format lock audit bench bench-requests soak clean

PYTHON ?= python3
BIN := .venv/bin

# Libraries are compiled when they are first imported. Where that may not be kept, every process would do it again, which
# takes dbt and Dagster several seconds each time.
unexport PYTHONDONTWRITEBYTECODE

help: ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "chargelake needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

install: .venv/installed ## make the environment in .venv

demo: .venv/installed ## run the whole pipeline against a demo tenant and show what an analyst sees
	$(BIN)/chargelake demo

test: .venv/installed ## pass all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-thorough: .venv/installed ## pass the long tests, too, and properties with ten times the examples: an hour
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -m "thorough or not thorough" -n 3 --dist loadfile --no-loadscope-reorder

lint: .venv/installed ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## renew the lock files from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --constraint constraints.txt --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header --quiet --upgrade \
		--output-file requirements.lock
	uv pip compile --group bench --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header --quiet --upgrade \
		--output-file requirements-bench.lock

audit: .venv/installed ## look the locked packages up in the package index's advisories; where it serves none, say so
	$(BIN)/python .ci/audit.py

.venv-bench/installed: requirements-bench.lock
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement requirements-bench.lock
	touch $@

bench: .venv/installed .venv-bench/installed ## chargelake and its peers on one tenant, as ratios: 25 minutes, or QUICK=1 make bench: 4
	$(BIN)/python -m benchmarks.compare $(if $(QUICK),--quick)

bench-requests: .venv/installed ## requests and memory of nights on the demo tenant, 2,000 users, and 20,000 users (20 minutes)
	$(BIN)/python -m benchmarks.requests
	$(BIN)/python -m benchmarks.requests --copies 20 --newest-sessions 5 --without solar_energy,dynamic_tariffs
	$(BIN)/python -m benchmarks.requests --copies 206 --newest-sessions 5 --without solar_energy,dynamic_tariffs

soak: .venv/installed ## simulate nights with changes, faults and crashes for MINUTES (60), then kill real processes
	KILL_EVERY=1 $(BIN)/python -m pytest -n 2 tests/test_deletions_kills.py
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),60)
	$(BIN)/python -m benchmarks.kills

clean: ## remove the environment and the demo's data
	rm -rf .venv .venv-bench data
