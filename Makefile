# Everything a developer runs. Each target first sets up what it needs, in .venv, from the locked
# requirements; a second run finds it done. `make` alone lists the targets.
#
#   VENV=dir      another virtual environment      PYTHON=python3.12   its interpreter, when it is made
#   ARGS="..."    more arguments for the command, for example make test ARGS="-k diff"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all properties lint lock bench quality fuzz atheris wheel

VENV ?= .venv
ARGS ?=
PY := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
# One stamp a set-up: newer than the lock it was made from means that there is nothing to do.
RUN := $(VENV)/.ready-to-run
DEV := $(VENV)/.ready-to-develop

$(RUN): requirements/base.txt requirements/install.sh
	@sh requirements/install.sh $(VENV) requirements/base.txt
	@touch $@

$(DEV): requirements/dev.txt requirements/install.sh pyproject.toml
	@sh requirements/install.sh $(VENV) requirements/dev.txt -e .
	@touch $(RUN) $@

RUN_PYTEST := pytest -n auto --dist worksteal
# Without compiled modules each worker would rewrite and compile all tests anew.
COMPILED := env -u PYTHONDONTWRITEBYTECODE
PYTEST := $(COMPILED) $(PY) -m $(RUN_PYTEST)

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN) ## Review fixtures/demo.diff: no key and no network needed
	@$(PY) -m reviewbot review fixtures/demo.diff --fail-on never $(ARGS)

test: $(DEV) ## Run the tests on every core: those that take seconds are left out, long lists sampled
	@$(PYTEST) -m "not slow" --sample 2 $(ARGS)

# The core's own tests must reach every line and branch of it.
CORE := tests/core tests/pipeline/test_review.py tests/pipeline/test_review_interrupted.py

test-all: $(DEV) ## Run all tests on every core, and measure what they reach of reviewbot/core
	@$(PY) -m coverage erase
	@HYPOTHESIS_PROFILE=ci $(COMPILED) $(PY) -m coverage run -m $(RUN_PYTEST) $(CORE)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report --show-missing --skip-covered --fail-under 100
	@HYPOTHESIS_PROFILE=ci $(PYTEST) tests $(addprefix --ignore ,$(CORE)) $(ARGS)

lint: $(DEV) ## Check style, format, types and the order of imports
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(dir $(PY))lint-imports --no-logo --no-cache
	@$(PY) -m deptry --no-ansi reviewbot

bench: $(DEV) ## Measure speed, memory, tokens and start-up
	@$(PY) -m benchmarks $(ARGS)

quality: $(DEV) ## Measure the offline review: false-alarms, planted, doubles, reversed or hunks as ARGS; without ARGS, print the help
	@$(PY) -m benchmarks.quality $(ARGS)

properties: $(DEV) ## Run the property tests with many random examples
	@HYPOTHESIS_PROFILE=nightly $(PYTEST) -m hypothesis $(ARGS)

fuzz: $(DEV) ## Review hostile diffs in a watched process: ARGS="--seed 1 --cases 200"
	@$(PY) -m tests.fuzz $(ARGS)

# atheris has wheels for Linux and some Pythons only, so it has an environment of its own.
ATHERIS := .venv-atheris
$(ATHERIS)/.ready: requirements/fuzz.txt requirements/install.sh
	@sh requirements/install.sh $(ATHERIS) requirements/fuzz.txt
	@touch $@

atheris: $(ATHERIS)/.ready ## Fuzz a parser by coverage: ARGS="diff -max_total_time=60"
	@$(ATHERIS)/bin/python -m tests.fuzz.atheris_targets $(ARGS)

wheel: $(DEV) ## Build the sdist, and from it the wheel, into dist/
	@$(PY) -m build --no-isolation $(ARGS)

# The locks must install anywhere: no index, no folder and no command line of this machine is written.
# ARGS=--upgrade takes newer versions, ARGS="--upgrade-package NAME" those of one package.
LOCK = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

lock: $(DEV) ## Write requirements/*.txt anew from pyproject.toml
	@$(LOCK) pyproject.toml --output-file requirements/base.txt
	@$(LOCK) pyproject.toml --extra server --extra github --extra linters --constraint requirements/base.txt --output-file requirements/server.txt
	@$(LOCK) pyproject.toml --extra github --extra linters --constraint requirements/server.txt \
		--output-file requirements/action.txt
	@$(LOCK) pyproject.toml --extra dev --constraint requirements/server.txt --constraint requirements/action.txt \
		--output-file requirements/dev.txt
	@echo uv | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/uv.txt
	@echo hatchling | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/build.txt
	@echo 'cyclonedx-bom cyclonedx-python-lib[json-validation]' | tr ' ' '\n' | \
		$(LOCK) - --constraint requirements/dev.txt --output-file requirements/release.txt
	@echo atheris | $(subst --python-version 3.11,--python-version 3.13,$(LOCK)) pyproject.toml - --extra github \
		--constraint requirements/dev.txt --output-file requirements/fuzz.txt
