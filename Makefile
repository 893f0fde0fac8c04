# `make help` lists the targets. A fresh clone needs only Python >= 3.10 and PyPI: each target sets up what it uses.
#   make test PYTHON=python3.13 VENV=.venv-3.13      another interpreter beside the usual environment
#   make test ARGS="tests/test_x.py -k name"         part of the tests

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
ARGS   ?=

# Where the real tokenizers and chat templates lie; tools/assets.py fills it.
RENDERERS_ASSETS ?= .cache/assets
# Told to the programs as an absolute path: they may change directory.
export RENDERERS_ASSETS := $(abspath $(RENDERERS_ASSETS))
# Families to put there; empty: those the package supports (the list `default` in tools/assets.json).
FAMILIES ?=

# The formats that `make downstream` tries.
TRAINED := qwen3 qwen3.5 glm-4.5 minimax-m2 deepseek-v3 nemotron-3 gpt-oss
ROLLED  := qwen3 glm-5 gpt-oss

PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed
UV    := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help venv assets demo test lint format typecheck bench goldens families downstream lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(STAMP) ## make the environment (again when pyproject.toml changes)

# The stamp is written last, so an interrupted set-up is never taken for a finished one.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make: $(PYTHON) is missing or older than Python 3.10; name another with PYTHON=..." >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@if ! [ -e $(STAMP) ] || ! $(PY) -c '' 2>/dev/null; then rm -rf $(VENV); fi
	@rm -f $(STAMP)
ifneq ($(UV),)
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --quiet --python $(PYTHON) --group dev
else
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	@$(PY) -m pip install --quiet --disable-pip-version-check --group dev --editable .
endif
	@touch $(STAMP)

assets: $(STAMP) ## fetch the real tokenizers and templates (FAMILIES="qwen3 ..." for some)
	@$(PY) tools/assets.py --dest $(RENDERERS_ASSETS) $(FAMILIES)

demo: $(STAMP) assets ## show the package at work
	@$(PY) -m renderers demo

test: $(STAMP) assets ## run the tests (ARGS= for pytest's options)
	@$(PY) -m pytest -n $(JOBS) $(ARGS)

lint: $(STAMP) ## check style and formatting
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(STAMP) ## fix style and formatting
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

typecheck: $(STAMP) ## check the types, strictly, of code, tests, bench and tools
	@$(PY) -m mypy

bench: $(STAMP) assets ## measure speed
	@$(PY) -m bench $(ARGS)

goldens: $(STAMP) assets ## rewrite the golden files; review them with `git diff tests/goldens`
	@$(PY) -m pytest --update-goldens $(ARGS)

families: $(STAMP) assets ## rewrite docs/families.md
	@$(PY) tools/families.py

# verifiers requires the public package, so ours is installed first.
downstream: $(STAMP) assets ## run verifiers' client and a prime-rl-like training step over this package
	@for name in $(TRAINED); do $(PY) -m tests.downstream.prime_rl_step $(RENDERERS_ASSETS)/$$name $$name || exit 1; done
	@if ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "verifiers: skipped, it needs Python 3.11"; exit 0; fi; \
	set -e; [ -x $(VENV)-downstream/bin/python ] || $(PY) -m venv $(VENV)-downstream; \
	python=$(VENV)-downstream/bin/python; \
	$$python -m pip install --quiet --disable-pip-version-check --editable '.[client,multimodal]'; \
	$$python -m pip install --quiet --disable-pip-version-check 'verifiers==0.4.0'; \
	for name in $(ROLLED); do $$python -m tests.downstream.verifiers_rollout $(RENDERERS_ASSETS)/$$name $$name; done

lock: ## bring uv.lock up to date with pyproject.toml (needs uv)
	@[ -n "$(UV)" ] || { echo "make: 'lock' needs uv (pip install uv)" >&2; exit 1; }
	@$(UV) lock --default-index https://pypi.org/simple

clean: ## remove the environment, caches and build outputs; keeps the assets
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
