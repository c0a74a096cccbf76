# Everything runs inside .venv, which is made on first use and again whenever the lock changes.
PYTHON ?= python3
BIN := .venv/bin
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.PHONY: setup run demo test check serve ui lock clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

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

run: demo ## the same, then the service and the MLflow UI until Ctrl-C
	$(BIN)/scoring up --source sample

serve: setup ## the scoring service on 127.0.0.1:8000
	$(BIN)/scoring serve --source sample

ui: setup ## the MLflow UI on 127.0.0.1:5000
	$(BIN)/scoring ui

test: setup ## what CI runs
	$(BIN)/python -m pytest

check: setup ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: setup ## resolve the dependencies of pyproject.toml again (pins, hashes, no addresses)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra dev pyproject.toml -o requirements.lock

clean: ## remove what the commands made (not the key of the pseudonyms)
	rm -rf .venv data mlruns/mlflow.db mlruns/artifacts
