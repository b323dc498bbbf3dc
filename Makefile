# The face of the project; `make` alone lists what there is. Needs make and a Python 3.11 or newer; the tests a C compiler.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-machines test soak check bench lock clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The first of these that runs and is new enough; `make setup PYTHON=/path/to/python` decides otherwise.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## create .venv with everything pinned; again only when pyproject.toml or the lock changed

# pip compiles what it installs; our own packages are compiled here, so that a machine that writes no bytecode while
# running (PYTHONDONTWRITEBYTECODE) does not compile them at every start.
$(READY): pyproject.toml requirements.lock
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  for name in $(PYTHONS); do \
	    if "$$name" -c '$(IS_NEW_ENOUGH)' >/dev/null 2>&1; then python="$$name"; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ] || ! "$$python" -c '$(IS_NEW_ENOUGH)'; then \
	  echo "rivya-batch needs Python 3.11 or newer, and none of these is: $(or $(PYTHON),$(PYTHONS))." >&2; \
	  echo "Install one, or name one: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "setting up $(VENV) with $$("$$python" -c 'import sys; print(sys.executable, sys.version.split()[0])')"; \
	if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$$("$$python" -c 'import sys; print(sys.executable)')" $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  "$$python" -m venv $(VENV) && \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@$(BIN)/python -m compileall -q jobs runner
	@touch $(READY)

demo: $(READY)  ## run a sweep against the simulator and write its page: no key, no credits, under a minute
	@mkdir -p out/demo
	@cd out/demo && "$(CURDIR)/$(BIN)/rivya-batch" run "$(CURDIR)/manifests/sweep.yaml" --sim --yes --creates 5/s
	@cd out/demo && "$(CURDIR)/$(BIN)/rivya-batch" results --store .rivya/sim.db --format jsonl -o results.jsonl
	@cd out/demo && "$(CURDIR)/$(BIN)/rivya-batch" report --sim -q >/dev/null
	@echo "in out/demo: the clips in out/, the ledger in .rivya/sim.db, the results in results.jsonl"
	@echo "look at it: open $(CURDIR)/out/demo/out/sweep/report.html in a browser"

demo-machines: $(READY)  ## a database, two workers and one run on them, on this machine: no key, no credits, under a minute
	@$(BIN)/python -m tests.demo_machines

# A file's tests share what is dear to make, or add up what they met, so one process plays a whole file. In the order of
# collection: the long files stand in the middle, and the end is small.
test: $(READY)  ## every test, on all cores; `.venv/bin/pytest PATH` runs some of them in one process
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(READY)  ## format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# `make soak ONLY=sansio FIRST=217 COUNT=1` plays one scenario again.
soak: $(READY)  ## the long proofs: ONLY=name FIRST=number COUNT=n
	@$(BIN)/python -m tests.proof.soak $(ONLY) $(if $(FIRST),--first $(FIRST)) $(if $(COUNT),--count $(COUNT))

# Beside what people use instead, on a service of its own. `make bench QUICK=1` is minutes, `make bench ONLY="W1 W3a"` a part.
bench: $(READY)  ## measure it beside others: ONLY=names QUICK=1 ROUNDS=n
	@$(BIN)/python -m tests.bench $(ONLY) $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS))

lock: $(READY)  ## resolve requirements.lock anew, with hashes and without addresses
	@uv="$$(command -v uv || command -v $(BIN)/uv)" || { \
	  echo "make lock needs uv: $(BIN)/python -m pip install uv" >&2; exit 1; }; \
	"$$uv" pip compile pyproject.toml --all-extras --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements.lock >/dev/null
	@if grep -n '://' requirements.lock; then echo "requirements.lock must not hold addresses" >&2; exit 1; fi

clean:  ## remove what was made here, .venv and out/ included
	@rm -rf $(VENV) out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
