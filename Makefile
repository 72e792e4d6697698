# `make repro` on a fresh machine: environment, sample data, pipeline, result table.
PYTHON ?= python3
BIN := .venv/bin
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export NO_MKDOCS_2_WARNING := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup repro test checks docs schedule audit sample lock clean

setup: .venv/.made

.venv/.made: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gemel needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

data/sample/posts.jsonl: | setup
	$(BIN)/dvc pull data.dvc

repro: setup data/sample/posts.jsonl
	$(BIN)/dvc repro
	$(BIN)/gemel report

test: setup data/sample/posts.jsonl
	$(BIN)/python -m pytest

checks: setup data/sample/posts.jsonl
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv pip check --python $(BIN)/python
	$(BIN)/python -m pytest tests/contracts
	$(BIN)/python tests/contracts/check_advisories.py --if-reachable

docs: setup                      # site/index.html, which opens without a network
	$(BIN)/mkdocs build

schedule: setup                  # retraining and monitoring by prefect.yaml, with a local server, until Ctrl-C
	$(BIN)/python -m flows.schedule

audit: setup                     # asks the advisory database of the package index; an error if it can't be reached
	$(BIN)/python tests/contracts/check_advisories.py

sample: setup
	$(BIN)/python -m sample
	$(BIN)/dvc add data
	$(BIN)/dvc push data.dvc

# All extras but the clients of three clouds, which few want.
EXTRAS := hdf5 s3 minilm quantized ray nif spacy

lock:
	$(BIN)/uv pip compile pyproject.toml $(EXTRAS:%=--extra %) --group dev --python-version 3.11 --no-header --no-annotate --upgrade -o requirements.lock

clean:
	rm -rf artifacts .gemel site
