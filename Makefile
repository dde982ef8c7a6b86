# make run [PORT=8123] [SANDBOX=1]   start APInita       make test [ARGS="tests/lib -k dates"]   run the tests
# make faults [ARGS="-k T13"]        break it on purpose; writes docs/reliability.md of a whole round
# make check                         what CI checks      make lock · make messages              for developers

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# A stamp carries the digest of its lock file: an installed tree starts without asking the network for anything.
digest = $(firstword $(shell sha256sum requirements/$(1).txt))
RUN := .venv/.installed-run-$(call digest,run)
DEV := .venv/.installed-dev-$(call digest,dev)

IS_ROOT := $(filter 0,$(shell id -u))
LANGUAGES := ru en
CODE := accounts actions apinita calendar_actions connections data_actions http_actions lib manage.py sandbox scenarios
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

# $(call need,PROGRAM OR PROGRAMS,DEBIAN PACKAGES,WHAT FOR): install it as root, else say in one sentence what to do.
need = for name in $(1); do if command -v $$name > /dev/null; then exit 0; fi; done; \
	if [ -z "$(IS_ROOT)" ] || ! command -v apt-get > /dev/null; then \
		echo "$(3) needs $(firstword $(1)): install it first (on Debian: apt-get install $(2))." >&2; exit 1; fi; \
	echo "Installing $(2) …"; apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) > /dev/null

.PHONY: help run test faults check lock messages browser gettext

help:
	@sed -n '1,3s/^# //p' Makefile

run: $(RUN)
	@exec $(BIN)/python manage.py up $(if $(PORT),--port $(PORT)) $(if $(SANDBOX),--sandbox)

test: $(DEV) browser gettext
	@$(BIN)/python -m pytest $(ARGS)

# Every process of the product is killed, stopped or cut off at some time; the page is made of what was measured.
faults: $(DEV)
	@$(if $(ARGS),,rm -rf var/faults)
	@APINITA_FAULTS=1 $(BIN)/python -m pytest -s tests/faults $(ARGS)
	@$(if $(ARGS),,$(BIN)/python -m tests.faults.report)

browser:
	@$(call need,chromium chromium-browser google-chrome,chromium fonts-dejavu-core,make test)

gettext:
	@$(call need,msgfmt,gettext,make check)

check: $(DEV) gettext
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/python -m pytest -q tests/architecture/test_catalogues.py
	@echo "manage.py check --deploy, with the environment of a public installation"
	@APINITA_URL=https://apinita.example DATABASE_URL="host=127.0.0.1 dbname=apinita" REDIS_URL=redis://127.0.0.1 \
		APINITA_SECRET_KEYS="$$($(BIN)/python -c 'from lib.crypto import Keyring; print(Keyring.generate())')" \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# Pins are kept; delete a line of requirements/run.txt (or both files) before `make lock` to move it forward.
lock: $(DEV)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --python-version 3.11 pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --python-version 3.11 --extra dev -c requirements/run.txt \
		pyproject.toml -o requirements/dev.txt

# Collect the texts of Python and templates into the catalogues, then compile them for the product.
messages: $(DEV) gettext
	$(BIN)/python manage.py makemessages $(LANGUAGES:%=-l %) --no-obsolete --add-location file -i .venv -i var -i tests
	msgattrib --empty --clear-fuzzy --clear-previous --add-location=file --output-file=locale/en/LC_MESSAGES/django.po locale/en/LC_MESSAGES/django.po
	msgen --add-location=file --output-file=locale/en/LC_MESSAGES/django.po locale/en/LC_MESSAGES/django.po
	$(BIN)/python manage.py compilemessages $(LANGUAGES:%=-l %) -i .venv -i var

$(RUN): | $(BIN)/python
	@echo "Installing the locked dependencies …"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@rm -f .venv/.installed-run-*; touch $@

$(DEV): | $(BIN)/python
	@echo "Installing the locked dependencies, with those of development …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@rm -f .venv/.installed-dev-*; touch $@

$(BIN)/python:
	@$(call need,$(PYTHON),python3 python3-venv,APInita)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "APInita needs Python 3.11 or newer; name one with make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { $(call need,ensurepip,python3-venv,The virtual environment); }
	@echo "Making the virtual environment …"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
