# Everything a contributor runs. `make` alone lists it.

PYTHON   ?=
PYTHONS  := $(PYTHON) python3.13 python3.12 python3.11 python3
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
BIN      := .venv/bin
READY    := .venv/.ready
WORKERS  ?= 2
WALKS    ?= 60
COMPILE  := $(BIN)/uv pip compile --system-certs pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
            --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup demo up test sure lint contracts types dependencies format lock clean hunt

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv: the locked packages and this project, editable

demo: $(READY)  ## a whole nurturing loop on this machine, nothing sent, nothing to configure
	@$(BIN)/nurture demo

up: $(READY)  ## start Prefect, the web pages and the schedules on this machine
	@$(BIN)/nurture up

test: $(READY)  ## run the tests, on two cores at a time (ARGS="-k delivery" to choose, WORKERS=0 for one process)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

hunt: $(READY)  ## the long searches: random walks, the share of walks that find each planted mistake (WALKS=60: minutes)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m hunt $(ARGS) || [ $$? -eq 5 ]  # 5: none of that kind
	@$(BIN)/python -m tests.walks --walks $(WALKS)
	@$(BIN)/python -m tests.walks --mutants --share --walks $(WALKS)

sure: lint contracts types dependencies test  ## everything a change must pass: format, lint, import contracts, types, dependencies, tests

lint: $(READY)  ## formatting and lint, changing nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

contracts: $(READY)  ## do imports still point one way?
	@$(BIN)/lint-imports

types: $(READY)  ## mypy
	@$(BIN)/mypy

dependencies: $(READY)  ## is every package that is imported declared, and every declared one used?
	@$(BIN)/deptry .

format: $(READY)  ## put the code in shape and fix what can be fixed safely
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: $(READY)  ## resolve both locks again (ARGS="--upgrade" for newer versions)
	@$(COMPILE) --extra dev --output-file requirements-dev.lock $(ARGS)
	@$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock $(ARGS)

clean:  ## remove .venv and caches, never data
	@rm -rf .venv .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name on the PATH proves nothing (version managers leave names that refuse to run), so each Python is asked.
# uv comes out of the lock by its hash, through pip; uv ignores pip's configuration, so behind a mirror pip steps in.
$(READY): pyproject.toml requirements-dev.lock
	@for python in $(PYTHONS); do \
	  if "$$python" -c '$(SUITABLE)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "nurture needs Python 3.11, 3.12 or 3.13 with venv, and found none among: $(strip $(PYTHONS))." >&2; \
	  echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	"$$found" -m venv .venv
	@awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements-dev.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip install --quiet --no-cache --system-certs --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
