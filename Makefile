# Each command does its own set-up; on a fresh Debian machine with Python 3.11 nothing else is needed.
PYTHON ?= python3.11
PIP := .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt
ARGS ?=

.PHONY: demo test check format bench

demo: .venv
	.venv/bin/tidemark demo $(ARGS)

test: .venv/dev .venv-mlserver
	sh tests/system-packages.sh
	.venv/bin/pytest $(ARGS)

check: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/mypy

format: .venv/dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/bench
	.venv/bin/python -m benchmarks $(ARGS)

.venv: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[all]'
	touch .venv

.venv/dev: .venv
	$(PIP) --editable '.[all,dev]'
	touch .venv/dev

.venv/bench: .venv/dev
	$(PIP) --editable '.[all,dev,bench]'
	touch .venv/bench

# MLServer pins versions of its own, so the real server of the tests lives in its own environment.
.venv-mlserver: tests/mlserver/requirements.txt
	$(PYTHON) -m venv .venv-mlserver
	.venv-mlserver/bin/pip install --quiet --disable-pip-version-check --requirement tests/mlserver/requirements.txt
	touch .venv-mlserver
