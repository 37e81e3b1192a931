# Everything here needs only Python 3.11 or newer and make; the first call creates the environment in .venv.

PYTHON ?= python3
PROFILE ?= quick
# Extras to test besides: make test EXTRAS=autodiff,torch
EXTRAS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready$(EXTRAS:%=-%)
LEAN := $(VENV)/.verify
USABLE = $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null

.DEFAULT_GOAL := help
.NOTPARALLEL: # two installations would meet in one environment
unexport PYTHONDONTWRITEBYTECODE # the environment comes without bytecode: every process would compile it again
.PHONY: help verify test lint types check versions docs bench coverage format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(LEAN): WANTED := verify
$(READY): WANTED := dev$(EXTRAS:%=,%)
$(LEAN) $(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: no $(PYTHON) here; name a Python 3.11 or newer: make PYTHON=/path/to/python ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than Python 3.11; name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(USABLE) || $(PYTHON) -m venv $(VENV) || \
		{ echo "make: $(PYTHON) cannot create environments (on Debian: apt install python3-venv)" >&2; exit 1; }
	@$(USABLE) || \
		{ echo "make: the environment in $(VENV) is damaged or older than Python 3.11; remove it and repeat" >&2; exit 1; }
	@# Bytecode is written when a module is imported, and most are not: half the time, and a quarter of the space.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[$(WANTED)]"
	@touch $(LEAN) $@

verify: $(LEAN) ## check every claim of the theory: PROFILE=quick (default) or full
	$(BIN)/python -m verification --profile $(PROFILE)

test: lint types check ## lint, types and tests

lint: $(READY) ## style, formatting, import contracts, dependencies and the shape of the repository
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	@# The package itself gets along with what a plain installation brings, and plot; its claims with the extra verify.
	$(BIN)/deptry causal_theory --optional-dependencies-dev-groups verify,test,dev,docs \
		--extend-exclude causal_theory/claims --per-rule-ignores DEP004=causal_theory --ignore DEP002
	$(BIN)/repo-review --show err .

types: $(READY) ## static types
	$(BIN)/mypy

check: $(READY) ## tests and doctests, three files at a time
	@# All processes of the tests would compile the same kernels.
	$(BIN)/causal-theory warm-up
	@# Three: tests that wait for other programs leave the processors to others.
	@# Threads of PyTorch and of BLAS, busy while they wait, would take the processors from each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=40

versions: $(READY) ## reference cases and command line with the oldest and with the newest dependencies
	$(BIN)/python -m tests.versions

docs: $(READY) ## the documentation, docs/_build/html/index.html
	$(BIN)/python -m sphinx -W --keep-going -q -j auto docs docs/_build/html

bench: $(READY) ## time and memory of the exact engines
	$(BIN)/python -m tests.benchmarks

coverage: $(READY) ## coverage by the tests of the package, kernels run as plain Python
	NUMBA_DISABLE_JIT=1 HYPOTHESIS_PROFILE=tiny $(BIN)/python -m pytest tests --ignore=tests/verification \
		-m "not compiled" --cov --cov-report=term-missing:skip-covered

format: $(READY) ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment, caches and results
	rm -rf $(VENV) build dist results .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
