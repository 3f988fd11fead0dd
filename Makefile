# SPDX-License-Identifier: GPL-2.0-or-later
# Short names for what people do here; the work is done by the scripts in containers/.
.POSIX:
.DEFAULT_GOAL := help
.PHONY: help up down shell logs check lint unit test test-vm images reproduce archive install uninstall bench compare-designs chaos fuzz

# The test host that up, down, shell and logs mean.
NAME ?= demo
VENV := .venv
BIN := $(VENV)/bin
# Commands in Python have no suffix, so the tools must be told of them.
SCRIPTS := $(shell grep --files-with-matches --no-messages '^\#!.*python' containers/* containers/base/*)

help: ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

up: ## start a test host named demo with the pair, show what it answers
	containers/up $(NAME)

down: ## end that test host
	containers/testhost down $(NAME)

shell: ## a shell in that test host
	containers/testhost shell $(NAME)

logs: ## both journals of that test host
	containers/testhost logs $(NAME)

# Made anew when the lock file changes. Only for the tools: nothing of it goes into the images.
$(VENV)/installed: requirements/dev.lock
	containers/setup

lint: $(VENV)/installed ## format, style, types, walls between the rooms
	$(BIN)/ruff format --check src tests containers $(SCRIPTS)
	$(BIN)/ruff check src tests containers $(SCRIPTS)
	$(BIN)/mypy --strict
	MYPYPATH=src:containers $(BIN)/mypy --strict --scripts-are-modules $(SCRIPTS)
	PYTHONPATH=src $(BIN)/lint-imports

unit: $(VENV)/installed
	$(BIN)/python -m pytest -q tests/unit

check: lint unit ## lint and the unit tests: fast, no root

test: ## everything: check, then all rings of tests
	containers/test

test-vm: ## only the ring that needs a whole kernel
	containers/test vm

images: ## build both images
	containers/images

reproduce: ## build both images twice from nothing, aside: are they the same?
	containers/images --reproduce

archive: ## build both images, and put them into one file for hosts that reach no registry
	containers/archive

install: ## install the pair on this host
	containers/install --images-from "$$(containers/images)"

uninstall: ## take it away again
	containers/uninstall

bench: ## measure everything in docs/performance.md, and write it: 2 hours, on a quiet machine
	containers/bench

compare-designs: $(VENV)/installed ## kill models of oVirt's four designs, write docs/design-comparison.md: ROUNDS=3
	PYTHONPATH=src:tests $(BIN)/python -m designs.compare --write --rounds $(or $(ROUNDS),3) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

# For how long, and which faults: a number that a run has said repeats it.
TIME ?= 5m

chaos: $(VENV)/installed ## kill, stop, fill and cut under load for TIME=5m; SEED=N repeats a run
	containers/chaos --time $(TIME) $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

fuzz: ## feed the readers of others' bytes with nonsense: TARGET=, RUNS=N or TIME=10m, JOBS=N
	containers/fuzz $(TARGET) $(if $(RUNS),--runs $(RUNS)) $(if $(JOBS),--jobs $(JOBS)) \
		$(if $(filter-out file,$(origin TIME)),--time $(TIME))
