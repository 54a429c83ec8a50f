# Everything runs from here; `make help` lists it. Needs Python 3.11+, Node 20+ and make, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
RUN := .venv/bin/python
STAGE ?= dev
REGION ?= $(or $(AWS_REGION),us-east-1)

.PHONY: help setup demo test soak mutation proof unit lint fix bench up down logs package mappings requirements deploy remove clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.done node_modules/.done ## install packages (every target does it itself)

.venv/.done: requirements/uv.txt requirements/dev.txt requirements/data.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
	  { echo "stream-sync needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another with PYTHON=…"; exit 1; }
	@echo "installing Python packages into .venv"
	@$(RUN) -m pip --version > /dev/null 2>&1 || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@.venv/bin/uv pip sync --quiet --python $(RUN) --require-hashes requirements/dev.txt requirements/data.txt
	@touch $@

node_modules/.done: package-lock.json package.json
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2> /dev/null || \
	  { echo "stream-sync needs Node 20 or newer; node is $$(node --version 2>&1)"; exit 1; }
	@echo "installing Node packages into node_modules"
	@npm ci --loglevel=error > /dev/null
	@touch $@

demo: setup ## the whole service on this machine, fed and searched; ONCE=1 stops after it
	@$(RUN) -m local.demo $(if $(ONCE),--once)

test: setup ## every test, against real servers
	@$(RUN) -m pytest tests --ignore tests/simulation/test_simulation.py -n 4 --no-loadscope-reorder -q
	@$(RUN) -m pytest tests/simulation/test_simulation.py -q -s

soak: setup ## the long versions of tests: some ten minutes; SEEDS=10000 simulates so many new histories
ifdef SEEDS
	@$(RUN) -m tests.simulation --fresh $(SEEDS)
else
	@SOAK=1 $(RUN) -m pytest tests --ignore tests/simulation/test_simulation.py -m soak -n 3 --no-loadscope-reorder -q
	@SOAK=1 $(RUN) -m pytest tests/simulation/test_simulation.py -m soak -q -s
endif

mutation: setup ## mutation testing of FILES, by default of the whole engine, which takes hours
	@$(RUN) -m tests.mutation $(FILES)

proof: setup ## write the figures of docs/proof.md from what the last measurements kept
	@$(RUN) -m tests.measured

unit: setup ## the fast tests alone
	@$(RUN) -m pytest tests/unit -q -n 2

lint: setup ## style and types
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

fix: setup ## mend what the linter can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

bench: setup ## speed, as ratios within one run
	@$(RUN) -m benchmarks

up: setup ## the local stack, left running
	@$(RUN) -m local up

down: setup ## stop the local stack
	@$(RUN) -m local down

logs: setup ## follow the local stack's logs
	@$(RUN) -m local logs

package: setup ## both zips: this machine's, and Linux arm64 for AWS
	@$(RUN) -m local.package all

mappings: setup ## bring mappings/ up to date with the models
	@$(RUN) -m sync mappings write

requirements: setup ## pin anew from requirements/*.in
	@cd requirements && for f in uv emulator checkov dev; do \
	  ../.venv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header $$f.in -o $$f.txt; done
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt requirements/runtime.in -o requirements.txt
	@cd requirements && for f in data java typesense; do \
	  ../.venv/bin/uv pip compile -q --no-deps --universal --python-version 3.11 --generate-hashes --no-header $$f.in -o $$f.txt; done

deploy: package ## to AWS, as STAGE (default dev), which stages/ describes
	@npx osls deploy --stage $(STAGE) --region $(REGION)
	@AWS_DEFAULT_REGION=$(REGION) $(RUN) -m sync mappings apply --stage $(STAGE) || test $$? -eq 3

remove: setup ## take STAGE down again (tables and bucket stay)
	@npx osls remove --stage $(STAGE) --region $(REGION)

clean: down ## remove what was installed and built here
	@rm -rf .venv node_modules .local dist .serverless
