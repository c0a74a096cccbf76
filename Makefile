# Everything runs inside .venv, which is made on first use and again whenever the lock changes.
PYTHON ?= python3
BIN := .venv/bin
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false
# Set, it has every process compile all libraries anew, which takes twice as long as to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-dev run demo test test-long capabilities check serve ui lock clean help

help: ## list the targets
	@grep -E '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/installed ## install everything into .venv

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed; %s is Python %d.%d. Name another with: make setup PYTHON=python3.12" % (sys.executable, v[0], v[1]))'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup ## the whole job on the built-in sample company, then end
	$(BIN)/scoring run --source sample

setup-dev: .venv/installed-dev ## and what tests, checks and benchmarks need (PySpark, Polars, ...)

.venv/installed-dev: .venv/installed requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

run: demo ## the same, then the service and the MLflow UI until Ctrl-C
	$(BIN)/scoring up --source sample

serve: setup ## the scoring service on 127.0.0.1:8000
	$(BIN)/scoring serve --source sample

ui: setup ## the MLflow UI on 127.0.0.1:5000
	$(BIN)/scoring ui

BY_TWO := -n 2 --dist loadgroup --no-loadscope-reorder

test: setup-dev ## what CI runs, two tests at a time
	$(BIN)/python -m pytest $(BY_TWO)

test-long: setup-dev ## fuzzing for ten minutes, kill loops: what takes too long for CI
	FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/features/tables/test_fuzz_readers.py
	$(BIN)/python -m pytest -m long

capabilities: setup-dev ## what the system must be able to do, the tests of it, and whether they passed
	@$(BIN)/python -m pytest -p tests.capabilities $(BY_TWO) -q --no-header

check: setup-dev ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-serving: ## scores over HTTP beside peers and an echo; ARGS=--quick for a small run
bench-reclassify: ## a month of 1 M customers, from ready feature rows; ARGS=--quick for a small run
bench-spark: ## a base graded by Spark beside one machine; ARGS=--quick for a small run
bench-ingest: ## ingest of 50 M lines beside a plain copy; ARGS=--quick for a small run
bench-warning: ## false and missed alarms of the early warning; ARGS=--quick for a small run
bench-segments: ## how stable the segments are, and who keeps theirs; ARGS=--quick for a small run
bench-risk: ## credit, arrears and laundering beside their baselines; ARGS=--quick for a small run
bench-models: ## churn and value beside their baselines, segments, cases; ARGS=--quick for a small run
bench-features: ## the feature engine beside SQL, Polars, pandas; ARGS=--quick for a small run
bench-%: setup-dev ## benchmarks/%.py; ARGS=--json for a line per target
	@$(BIN)/python -m benchmarks.$* $(ARGS)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: setup ## resolve the dependencies of pyproject.toml again (pins, hashes, no addresses)
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --constraints requirements.lock --extra dev --extra spark --extra bench --extra notebooks pyproject.toml -o requirements-dev.lock

clean: ## remove what the commands made (not the key of the pseudonyms)
	rm -rf .venv data mlruns/mlflow.db mlruns/artifacts
