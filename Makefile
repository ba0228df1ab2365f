# `make book` or `make test` is all that a fresh clone needs; Python 3.11 to 3.14 does the rest.
# Another Python than `python3` is named on the command line: make test PYTHON=python3.13

BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
FIRST_PAGE := _build/html/book/index.html

# One thread and one order of sets, so that every run of a notebook prints the same digits.
export OPENBLAS_NUM_THREADS = 1
export PYTHONHASHSEED = 0

# The stamp holds the name of the Python that made .venv: naming another one makes it anew.
ifneq ($(origin PYTHON),undefined)
ifneq ($(PYTHON),$(shell cat $(READY) 2>/dev/null))
ANEW := anew
endif
endif
PYTHON ?= python3

.PHONY: help setup anew book test portable bench lab execute lock clean

help:
	@echo "make book     build the book and print the address of its first page"
	@echo "make test     run every test; every notebook is one of them"
	@echo "make portable run the notebooks as other machines would, and list what differs"
	@echo "make bench    time the trainer beside other libraries (installs them)"
	@echo "make lab      edit the notebooks in JupyterLab"
	@echo "make execute  run the notebooks and store their outputs; NB=book/x.ipynb for one"
	@echo "make lock     write requirements.txt anew from pyproject.toml"
	@echo "make clean    remove all that the other commands made"

setup: $(READY)

$(READY): requirements.txt pyproject.toml $(ANEW)
	@$(PYTHON) tools/check_python.py || { \
	  echo "make: '$(PYTHON)' will not do; name another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@rm -f $@
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation -e .
	@echo $(PYTHON) > $@

book: $(READY)
	$(BIN)/jupyter-book build . -W -n --keep-going --all --quiet
	@$(BIN)/python -c 'from pathlib import Path; print(Path("$(FIRST_PAGE)").resolve().as_uri())'

# Cells of one notebook share a kernel: `loadfile` keeps a file on one process.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
	  --doctest-modules --nbval --nbval-current-env --cov --cov-fail-under=98

portable: $(READY)
	$(BIN)/python tools/portable.py $(NB)

# Competitors are extras: without them the others are timed.
.venv/.bench: $(READY) benchmarks/requirements.txt
	@$(PIP) install -r benchmarks/requirements.txt || \
	  echo "Not all competitors could be installed; timing those that are there."
	@touch $@

bench: .venv/.bench
	@unset OPENBLAS_NUM_THREADS; $(BIN)/python -m benchmarks.run $(BENCH)

lab: $(READY)
	$(BIN)/jupyter lab book

execute: $(READY)
	$(BIN)/python tools/execute.py $(NB)

lock:
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(PIP) install uv; }
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras \
	  --python-version 3.11 --fork-strategy fewest --custom-compile-command "make lock" \
	  --output-file requirements.txt pyproject.toml

clean:
	rm -rf .venv _build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
