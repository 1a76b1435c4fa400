# Every target makes the environment it needs in .venv; a second run finds it there.

SHELL := /bin/sh
PYTHON := $(shell for each in python3.13 python3.12 python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)

# Named for what they install, so that other requirements mean another stamp.
WEIR := .venv/weir-$(shell cksum < requirements.txt | cut -d' ' -f1)
TOOLS := .venv/tools-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: run demo test lint bench requirements help

run: $(WEIR)  ## starts everything (also what plain make does)
	@exec .venv/bin/python manage.py up

demo: $(WEIR)  ## the same with three small services around it, in var/demo (ARGS=--loop: two more)
	@exec .venv/bin/python manage.py up --demo $(ARGS)

test: $(TOOLS)  ## runs every test (ARGS="-k seats -x": some)
	@exec .venv/bin/python -m tests.run $(ARGS)

lint: $(TOOLS)  ## asks ruff and mypy, and for missing migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/python manage.py makemigrations --check --dry-run --settings tests.settings

bench: $(TOOLS)  ## measures the figures in the README
	@exec .venv/bin/python -m bench $(ARGS)

requirements: $(TOOLS)  ## pins what requirements.in and requirements-dev.in ask for
	.venv/bin/pip-compile $(PIN) --output-file requirements.txt requirements.in
	.venv/bin/pip-compile $(PIN) --output-file requirements-dev.txt requirements-dev.in

help:  ## says what each target does
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

PIN := --quiet --strip-extras --no-header --no-emit-options --no-emit-index-url --no-emit-find-links

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Weir needs Python 3.11 or newer, and none was found." >&2; exit 1; }
	@echo "Making .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv

$(WEIR): | .venv/bin/python
	@echo "Installing what Weir runs on …"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(TOOLS): $(WEIR)
	@echo "Installing what testing takes …"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
