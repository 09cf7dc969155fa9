# `make` alone lists what can be made. LAKEHOUSE_HOME says where the data lives.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install install-dev demo dev stack test test-stack chaos check sync constraints clean

PYTHON ?= python3
BIN := .venv/bin
MANIFEST := dbt_project/target/manifest.json
MODELLED := $(shell find dbt_project lakehouse_assets/contracts -type f -not -path '*/target/*' -not -path '*/logs/*' -not -name '*.pyc')
ARGS ?=
comma := ,

LAKEHOUSE_HOME ?= $(CURDIR)/.lakehouse
export LAKEHOUSE_HOME
# What the project itself puts into LAKEHOUSE_HOME; `clean` touches nothing else there.
HELD := catalog.db catalog.db-shm catalog.db-wal catalog.db-journal catalog.lock warehouse events files clickhouse dagster dbt

# Where Dagster keeps its runs, made and configured as the command line does.
define instance_home
from lakehouse_assets.profiles.active import instance_home; print(instance_home())
endef

help:  ## list the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## create .venv with what the embedded profile needs

install-dev: .venv/.installed-dev  ## the same with the tools that test and check

# uv takes a third of pip's time; a machine whose index is configured for pip alone falls back to pip.
define install
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python -c constraints.txt -e '$(1)' \
	  || $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '$(1)'
endef

.venv/.installed: pyproject.toml constraints.txt
	$(call install,.)
	touch $@

.venv/.installed-stack: pyproject.toml constraints.txt
	$(call install,.[dev$(comma)stack])
	touch .venv/.installed .venv/.installed-dev $@

.venv/.installed-dev: pyproject.toml constraints.txt
	$(call install,.[dev])
	touch .venv/.installed $@

$(MANIFEST): .venv/.installed $(MODELLED)
	$(BIN)/lakehouse sync
	touch $@

demo: .venv/.installed $(MANIFEST)  ## from nothing to a populated lakehouse
	$(BIN)/lakehouse demo

dev: .venv/.installed $(MANIFEST)  ## open the Dagster UI on the same lakehouse
	DAGSTER_HOME="$$($(BIN)/python -c '$(instance_home)')" exec $(BIN)/dagster dev -w workspace.yaml $(ARGS)

stack:  ## the stack profile in containers, with passwords of its own in .env (SECURE=1 for TLS and sign-in)
	$(PYTHON) deploy/make_env.py
	$(if $(SECURE),$(PYTHON) deploy/make_certificates.py)
	docker compose -f docker-compose.yml $(if $(SECURE),-f docker-compose.secure.yml) up --build --detach $(ARGS)

# Tests write thousands of small files and wait for each to be on disk, unless the disk is memory.
IN_MEMORY := $(if $(wildcard /dev/shm),TMPDIR=/dev/shm)

test: .venv/.installed-dev $(MANIFEST)  ## every test that needs no server (ARGS='-k name')
	$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# A stage at a time, so that no more servers run than fit into 16 GB, and the databases that are killed are no others'; a
# stage without a test of ARGS is none.
STAGES := "tests/stack --ignore-glob=*/test_end_to_end* --ignore-glob=*/test_live_*" "tests/stack/test_live_*.py" \
  "tests/stack/test_end_to_end.py"
test-stack: .venv/.installed-stack  ## tests on real servers, which it installs (ARGS='-k name')
	for stage in $(STAGES); do \
	  $(IN_MEMORY) $(BIN)/python -m pytest -o tmp_path_retention_policy=failed $$stage $(ARGS) || test $$? = 5 || exit 1; \
	done

MINUTES ?= 30
HISTORIES ?= 0
SEED ?= 1
chaos: .venv/.installed-dev $(MANIFEST)  ## kill, race and break it for MINUTES=30 and at least HISTORIES=0 from SEED=1 (MORE=1 goes on)
	$(IN_MEMORY) $(BIN)/python -m tests.chaos --minutes $(MINUTES) --histories $(HISTORIES) --seed $(SEED) \
	  $(if $(MORE),--more) --report docs/chaos-report.md $(ARGS)

check: .venv/.installed-dev $(MANIFEST)  ## lint, format, types, imports, SQL, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/lakehouse sync --check

sync: .venv/.installed  ## rewrite the files that are generated from the contracts
	$(BIN)/lakehouse sync

constraints: .venv/.installed-dev  ## resolve constraints.txt again (ARGS=--upgrade for newer versions)
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  $(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --no-header --no-annotate --quiet \
	    $(if $(filter --upgrade,$(ARGS)),,-c constraints.txt); } > .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt

# Stops what owns clickhouse/ before the folder goes.
define stop_clickhouse
import sys; from pathlib import Path; from lakehouse_assets.engines.clickhouse.client import stop; stop(Path(sys.argv[1]))
endef

clean:  ## stop ClickHouse and remove the data in LAKEHOUSE_HOME (DRY_RUN=1 only lists it)
	@test -n "$(DRY_RUN)" || ! test -x $(BIN)/lakehouse || ! test -d "$$LAKEHOUSE_HOME/clickhouse" \
	  || $(BIN)/python -c '$(stop_clickhouse)' "$$LAKEHOUSE_HOME"
	@for held in $(HELD); do \
	  if test -e "$$LAKEHOUSE_HOME/$$held"; then \
	    echo "$(if $(DRY_RUN),would remove,removing) $$LAKEHOUSE_HOME/$$held"; \
	    $(if $(DRY_RUN),true,rm -rf "$$LAKEHOUSE_HOME/$$held"); \
	  fi; \
	done
	@test -n "$(DRY_RUN)" || ! test -d "$$LAKEHOUSE_HOME" || rmdir "$$LAKEHOUSE_HOME" \
	  || echo "kept $$LAKEHOUSE_HOME: it holds files that are not the project's"
