# Each command does its own set-up; on a fresh Debian machine with Python 3.11, make and git nothing else is needed.
PYTHON ?= python3.11
ARGS ?=
QUIET := --quiet --disable-pip-version-check
PIP := .venv/bin/pip install $(QUIET) --constraint constraints.txt --editable

# Debian ships venv in a package of its own.
VENV = $(PYTHON) -m venv $@ || { apt-get update -qq && apt-get install -qq -y $(PYTHON)-venv && $(PYTHON) -m venv $@; }

.PHONY: demo test torture check format bench

demo: .venv
	.venv/bin/tidemark demo $(ARGS)

# Side by side first, then what measures time, alone. pytest says 5 when ARGS leave it nothing.
test: .venv/dev .venv-mlserver .venv-adapters
	sh tests/system-packages.sh
	.venv/bin/pytest -m "not alone" --numprocesses auto --maxprocesses 8 --dist loadfile $(ARGS) || [ $$? -eq 5 ]
	.venv/bin/pytest -m alone $(ARGS) || [ $$? -eq 5 ]

# 300 kills -9 under load (20 minutes on 2 idle cores), every damage to the log, full disks (as root), then the decoders.
torture: .venv/dev
	TORTURE_KILLS=300 TORTURE_SECONDS=3600 .venv/bin/pytest tests/torture $(ARGS)
	.venv/bin/python tests/fuzz/run.py 60

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
	$(VENV)
	$(PIP) '.[all]'
	touch $@

.venv/dev: .venv
	$(PIP) '.[all,dev]'
	touch $@

.venv/bench: .venv/dev
	$(PIP) '.[all,dev,bench]'
	touch $@

# MLServer pins versions of its own, so the real server of the tests lives in its own environment.
.venv-mlserver: tests/mlserver/requirements.txt
	$(VENV)
	$@/bin/pip install $(QUIET) --requirement $<
	touch $@

# alibi-detect and Evidently hold numpy and others back, so they too live apart. torch only where a wheel is at hand.
.venv-adapters: tests/adapters/requirements.txt
	$(VENV)
	$@/bin/pip install $(QUIET) --no-compile --requirement $<
	$@/bin/pip install $(QUIET) --no-compile --requirement $< torch==2.13.0 || echo "tests: without torch, so those that need it skip"
	touch $@
