# Everything is created in .venv; nothing outside this folder is touched.
PYTHON ?= python3
# Commands start a third faster from compiled files, and the tests run hundreds of them.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
INPUT ?=
KEEP ?=
CORE := gateway/kernel/*,gateway/envelope/*,gateway/policy/*,gateway/ledger/*,gateway/exchange/*
# The network and disk are shared with nobody else here, so two workers per machine of two cores.
WORKERS ?= auto

.PHONY: help demo test check lint long bench lock clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: $(VENV)/.runtime ## Play the main job on loopback (INPUT=folder, KEEP=1)
	$(BIN)/gateway demo $(if $(INPUT),--input "$(INPUT)") $(if $(KEEP),--keep)

test: $(VENV)/.dev ## Run the tests that run anywhere, in under five minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not long"

check: $(VENV)/.dev lint ## Run everything that CI insists on
	rm -f .coverage .coverage.*
	GATEWAY_INSIST=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not long" --cov --cov-report=
	$(BIN)/coverage report --include='$(CORE)' --fail-under=100
	$(BIN)/coverage report --format=total | sed 's/$$/ % of all code covered, by the quick tests/'
	GATEWAY_INSIST=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "slow and not long" --durations=25

lint: $(VENV)/.dev ## Check form, types, layers, and the shipped policy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/gateway policy fmt --check policies
	$(BIN)/gateway policy check --strict policies
	$(BIN)/gateway policy mutate policies
	$(BIN)/gateway policy analyse policies

long: $(VENV)/.dev ## Run the campaigns that take an hour
	GATEWAY_INSIST=1 $(BIN)/python -m pytest -s -m long

bench: $(VENV)/.dev ## Measure speed, each beside its peer
	$(BIN)/python -m tests.benchmarks

lock: ## Pin the dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-strip-extras \
	  pyproject.toml --extra build --extra desk --extra pkcs11 -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-strip-extras \
	  pyproject.toml --extra build --extra desk --extra pkcs11 --extra author --extra dev -o requirements-dev.lock

clean: ## Remove what was made here
	rm -rf $(VENV) .node_modules_tests .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
