# Everything a developer does with the project. `make help` lists it.

# Empty: the first Python 3.11 or newer that is found. It counts when .venv is made; `make clean` first to change it.
PYTHON ?=
# Of the demo: sqlite or redis.
BACKEND ?= sqlite
# Tests run in parallel; `make test TESTS="tests/rules -n 0"` runs some of them in one process.
TESTS ?= -n auto --dist worksteal
# Arguments of `make chaos`: `make chaos CHAOS=--help` tells them.
CHAOS ?=

BIN := .venv/bin
PACKAGES := streams rules projections adapters replay orchestrator
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-package orchestrator-client --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check format bench chaos lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/.dev ## install everything for development into .venv

demo: .venv/.run ## run the traffic fines example from end to end; BACKEND=redis on a Redis server of its own
	BACKEND=$(BACKEND) $(BIN)/python examples/traffic-fines/demo.py

run: .venv/.run ## keep a server running on what the demo imported, with its rules
	$(BIN)/orchestrator dev --log sqlite:///.orchestrator/demo/log.db --rules examples/traffic-fines/rules.yaml --targets examples/traffic-fines/targets.yaml

test: .venv/.dev ## run all tests
	$(BIN)/python -m pytest $(TESTS)

check: .venv/.dev ## lint, formatting, types, order of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## put the code into the form that `make check` asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.dev ## measure, against hand-written loops in the same run
	$(BIN)/python -m bench

chaos: .venv/.dev ## ten minutes of killed, frozen and cut-off processes on Redis; CHAOS="--seconds 60"
	$(BIN)/python -m tests.crash.chaos $(CHAOS)

# Existing pins stay; `make lock UPGRADE=--upgrade` moves them. One list serves every Python that we support.
lock: .venv/.dev ## write requirements/*.txt anew from pyproject.toml
	$(COMPILE) --extra redis --group build --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --extra redis --extra otel --extra temporal --extra langchain --group dev --constraint requirements/run.txt --output-file requirements/dev.txt pyproject.toml

clean: ## remove .venv and what tools leave behind; data in .orchestrator stays
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find $(PACKAGES) client tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Two stamps: what runs needs a third of what develops. The versions in both lists are the same.
.venv/.run: requirements/run.txt pyproject.toml client/pyproject.toml | .venv/.made
	$(INSTALL) --require-hashes -r requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable client --editable .
	@touch $@

.venv/.dev: requirements/dev.txt pyproject.toml client/pyproject.toml | .venv/.made
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable client --editable .
	@touch .venv/.run $@

# A stamp rather than bin/python, which already stands there when ensurepip is interrupted.
.venv/.made:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then bare="$$python"; continue; fi; \
	    echo "making .venv with $$python ($$("$$python" -V))"; \
	    "$$python" -m venv --clear .venv && touch $@; exit; \
	done; \
	if [ -n "$$bare" ]; then \
	    echo "$$bare cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; \
	else \
	    echo "No Python 3.11 or newer found$(if $(PYTHON), as $(PYTHON)). On Debian: apt-get install python3 python3-venv; or: make PYTHON=/path/to/python" >&2; \
	fi; \
	exit 1
