# One-word targets; `make help` lists them.
# The only state is .venv/ and build/; `make clean` removes both.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
HOT := $(shell sed -n 's|^    "\(.*\.py\)",$$|\1|p' setup.py)
HOT_SOURCES := $(wildcard $(HOT) $(HOT:.py=.pxd) $(HOT:.py=.pyx))

.PHONY: .venv demo test check bench fuzz build clean help

help:  ## list the targets
	@sed -n 's/^\([.a-z]*\):.*  ## \(.*\)$$/make \1\t\2/p' Makefile | expand -t 14

.venv: $(VENV)/compiled  ## environment with the package, editable, hot path compiled

# `dev`, or without what must be built where that cannot be: see scripts/extras.
INSTALL = L7LB_PURE_PYTHON=1 $(BIN)/python -m pip install -qq --editable

$(VENV)/installed: pyproject.toml setup.py scripts/python scripts/extras scripts/debian/ldap
	scripts/python >/dev/null
	test -x $(BIN)/python || "$$(scripts/python)" -m venv $(VENV)
	extras=$$(scripts/extras) && $(INSTALL) ".[$$extras]"
	touch $@

# A compiled module hides a newer .py file beside it, so the two must never differ in age.
$(VENV)/compiled: $(VENV)/installed $(HOT_SOURCES) scripts/compile
	@echo scripts/compile
	@scripts/compile $(BIN)/python $(HOT)
	@touch $@

demo: .venv  ## a cluster on loopback, with real traffic; it stays until `l7lb demo --stop`
	@$(BIN)/l7lb demo --leave

test: .venv  ## every test: compiled, uncompiled, and on each other Python that is found
	scripts/packages test
	@$(BIN)/python -c 'import _ldap' 2>/dev/null || $(INSTALL) '.[dev]'
	@scripts/compile $(BIN)/python $(HOT)
	scripts/test

check: .venv  ## lint, format, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv  ## CPU per unit beside HAProxy and nginx, as ratios (CASE="small-32 tls")
	scripts/packages bench
	$(BIN)/python -m benchmarks $(CASE)

fuzz: .venv  ## each fuzz target for FUZZ_SECONDS (60)
	scripts/fuzz

build: .venv  ## wheel and sdist in dist/
	rm -rf build/lib* build/bdist* dist
	$(BIN)/python -m build --outdir dist

clean:  ## remove everything that was built
	rm -rf build dist $(VENV) *.egg-info
	find l7lb protocols storage -name '*.so' -delete
