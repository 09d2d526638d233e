# Every target sets itself up: python3 (3.11 or newer), git, make and the package index are all that it takes.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
TRAIN_VENV := .venv-train
# The first of these that is 3.11 or newer; `make PYTHON=/path/to/python3` says otherwise.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP := -m pip --disable-pip-version-check
# Two processes are worth their start even on two cores; more than eight are not.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$(( n > 8 ? 8 : n )))
COMPILE = $(UV) pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11 --group build --extra local --extra demo --extra catalog
UV ?= uv
TORCH := torch==2.13.0
ARGS ?=

.PHONY: help
help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

# --- environments -----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "python3 3.11 or newer is needed and none was found; try make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp says which lock is installed. The runtime's comes first, so that the other one only adds to it.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) install --quiet --require-hashes -r requirements.lock
	$(BIN)/python $(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python $(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# Torch stays outside the locks: its wheels differ by machine. CPU is enough for these models.
$(TRAIN_VENV)/.train: pyproject.toml
	@test -x $(TRAIN_VENV)/bin/python || $(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_VENV)/bin/python $(PIP) install --quiet $(TORCH)
	$(TRAIN_VENV)/bin/python $(PIP) install --quiet -e '.[train]'
	@touch $@

.PHONY: install
install: $(VENV)/.dev ## Set up .venv with everything that development needs

# --- the product ------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.runtime ## Real models answer through the gateway, metered (ARGS=--once: end instead of serving on)
	$(BIN)/fairlead demo $(ARGS)

.PHONY: serve
serve: $(VENV)/.runtime ## Serve fairlead.toml, or both shipped models where there is none
	$(BIN)/fairlead serve $(ARGS)

.PHONY: models
models: $(TRAIN_VENV)/.train ## Train the shipped models anew (CPU, seeded; about half an hour)
	$(TRAIN_VENV)/bin/python -m models $(ARGS)

.PHONY: bench
bench: $(VENV)/.dev ## CPU time and latency of the road beside nginx, LiteLLM, Portkey and TensorZero (needs nginx and wrk)
	PYTHONPATH=bench $(BIN)/python -m road $(ARGS)

.PHONY: bench-dialects
bench-dialects: $(VENV)/.dev ## What translating a chunk and a request costs, for every pair of languages
	@mkdir -p build
	$(BIN)/pytest bench/test_dialects.py --benchmark-only --benchmark-columns=median,iqr,rounds --benchmark-sort=name \
		--benchmark-json=build/bench-dialects-runs.json $(ARGS)
	$(BIN)/python bench/dialects_report.py

.PHONY: bench-shipping
bench-shipping: $(VENV)/.dev ## What it costs to ship a row of the books into SQLite and into PostgreSQL
	$(BIN)/python bench/shipping.py $(ARGS)

INSPECT := .peers/inspect/bin/python
$(INSPECT):
	$(PYTHON) -m venv .peers/inspect
	$(INSPECT) $(PIP) install --quiet inspect-ai openai

.PHONY: bench-evals
bench-evals: $(VENV)/.dev $(INSPECT) ## How busy eval run keeps a target, beside a bare load generator and Inspect AI
	PYTHONPATH=bench $(BIN)/python -m harness $(ARGS)

.PHONY: structured
structured: $(VENV)/.dev ## How often the shipped models' answers have not the form that was asked for
	$(BIN)/python bench/structured.py $(ARGS)

.PHONY: conformance
conformance: $(VENV)/.dev ## Recorded traffic of real providers through the dialects (DATA=DIR says where it lies)
	PYTHONPATH=bench $(BIN)/python -m conformance $(or $(DATA),../shared/data/dialects) $(ARGS)

.PHONY: evals-check
evals-check: $(VENV)/.dev ## Known results of evaluations, reproduced from recorded answers (DATA=DIR says where they lie)
	PYTHONPATH=bench $(BIN)/python -m evals_check $(or $(DATA),../shared/data) $(ARGS)

.PHONY: calibration
calibration: $(VENV)/.dev ## How often intervals hold the truth and decisions are wrong (DATA=DIR: recorded answers to draw from)
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=bench $(BIN)/python -m calibration $(or $(DATA),../shared/data/routing) $(ARGS)

FUZZ_VENV := .venv-fuzz
$(FUZZ_VENV)/.fuzz: pyproject.toml
	@test -x $(FUZZ_VENV)/bin/python || $(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/python $(PIP) install --quiet atheris -e .
	@touch $@

.PHONY: fuzz
fuzz: $(FUZZ_VENV)/.fuzz ## Fuzz every parser of foreign bytes (ARGS="-max_total_time=600")
	$(FUZZ_VENV)/bin/python fuzz/parsers.py $(or $(ARGS),-max_total_time=120)

.PHONY: soak
soak: $(VENV)/.dev ## A million requests: memory, descriptors, rows (ARGS="--requests 20000" for less)
	PYTHONPATH=bench $(BIN)/python -m trials.soak $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.dev ## Four replicas on one Postgres under violence, and what the books say then (ARGS="--seconds 60")
	PYTHONPATH=bench:tests $(BIN)/python -m trials.chaos $(ARGS)

.PHONY: faults
faults: $(VENV)/.dev ## Everything that a provider can do wrong, played through a real server; writes docs/faults.md
	@mkdir -p build
	PYTHONPATH=tests $(BIN)/python -m faults.page > build/faults.md
	mv build/faults.md docs/faults.md
	$(BIN)/pytest tests/faults $(ARGS)

# --- the house --------------------------------------------------------------------------------------------------------

.PHONY: check
check: $(VENV)/.dev ## Lint, format, types, floors, house rules: under 30 seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest tests/rules $(ARGS)

.PHONY: test
test: $(VENV)/.dev ## All tests (ARGS="-k word" chooses)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

CLIENTS_VENV := .venv-clients
$(CLIENTS_VENV)/.clients: requirements-clients.lock
	@test -x $(CLIENTS_VENV)/bin/python || $(PYTHON) -m venv $(CLIENTS_VENV)
	$(CLIENTS_VENV)/bin/python $(PIP) install --quiet --require-hashes -r $<
	@touch $@

.PHONY: clients
clients: $(VENV)/.dev $(CLIENTS_VENV)/.clients ## Journeys of real clients (openai, anthropic, google-genai, boto3, …) through the gateway
	FAIRLEAD_PYTHON=$(abspath $(BIN)/python) $(CLIENTS_VENV)/bin/python -m pytest -p no:cacheprovider \
		-o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true --confcutdir=tests/clients tests/clients $(ARGS)

AUDIT_VENV := .venv-audit
$(AUDIT_VENV)/.audit: requirements-audit.lock
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python $(PIP) install --quiet --require-hashes -r $<
	@touch $@

.PHONY: audit
audit: $(VENV)/.dev $(AUDIT_VENV)/.audit ## Vulnerabilities, licences and an SBOM of the locks (ARGS="--advisories DIR" where PyPI can't be asked)
	PYTHONPATH=. $(AUDIT_VENV)/bin/python -m pytest -p no:cacheprovider --confcutdir=tests/audit tests/audit
	$(AUDIT_VENV)/bin/python -m audit $(ARGS)

.PHONY: format
format: $(VENV)/.dev ## Format, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: ## Resolve the dependencies anew (needs uv)
	@command -v $(firstword $(UV)) >/dev/null || { echo "uv is needed: pip install uv" >&2; exit 1; }
	$(COMPILE) --upgrade -o requirements.lock
	$(COMPILE) --upgrade --extra evals --group dev -c requirements.lock -o requirements-dev.lock
	$(UV) pip compile requirements-clients.in --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --upgrade -o requirements-clients.lock
	$(UV) pip compile requirements-audit.in --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --upgrade -o requirements-audit.lock

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf $(VENV) $(TRAIN_VENV) $(CLIENTS_VENV) $(AUDIT_VENV) $(FUZZ_VENV) .peers build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests models -name __pycache__ -type d -prune -exec rm -rf {} +
