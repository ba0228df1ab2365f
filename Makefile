# `make book` or `make test` is all that a fresh clone needs; Python 3.11 to 3.14 does the rest.
# Another Python than `python3` is named on the command line: make test PYTHON=python3.13

BIN := .venv/bin
UV := $(BIN)/uv --quiet
READY := .venv/.ready
INSTALLER := .venv/.installer
FIRST_PAGE := _build/html/book/index.html

# The newest releases, not those that are locked already: make lock UPGRADE=--upgrade
LOCK = $(UV) pip compile $(UPGRADE) --universal --generate-hashes --python-version 3.11 \
  --fork-strategy fewest --custom-compile-command "make lock"

# One thread and one order of sets, so that every run of a notebook prints the same digits.
export OPENBLAS_NUM_THREADS = 1
export PYTHONHASHSEED = 0

# Where compiled files may not be kept, every process would compile SymPy and Matplotlib anew.
unexport PYTHONDONTWRITEBYTECODE

# The stamp holds the name of the Python that made .venv: naming another one makes it anew.
ifneq ($(origin PYTHON),undefined)
ifneq ($(PYTHON),$(shell cat $(READY) 2>/dev/null))
ANEW := anew
endif
endif
PYTHON ?= python3

.PHONY: help setup anew book test portable bench lab execute lock fresh clean

help:
	@echo "make book     build the book and print the address of its first page"
	@echo "make test     run every test; every notebook is one of them"
	@echo "make portable run the notebooks as other machines would, and list what differs"
	@echo "make bench    time the trainer beside other libraries (installs them)"
	@echo "make lab      edit the notebooks in JupyterLab"
	@echo "make execute  run the notebooks and store their outputs; NB=book/x.ipynb for one"
	@echo "make lock     write requirements.txt anew from pyproject.toml"
	@echo "make fresh    try the set-up in fresh clones, with an old pip and the newest"
	@echo "make clean    remove all that the other commands made"

setup: $(READY)

# Any pip can read the one line that installs uv, and uv installs the lock file: it matters neither
# which pip the Python brings nor what has been released since. PIP="pip==23.0" tries another pip.
$(INSTALLER): requirements-installer.txt $(ANEW)
	@$(PYTHON) tools/check_python.py || { \
	  echo "make: '$(PYTHON)' will not do; name another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo "Setting up .venv: first uv, the installer ..."
	@$(PYTHON) -m venv --clear .venv
	@$(if $(PIP),$(BIN)/python -m pip install --quiet "$(PIP)")
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  --require-hashes --no-deps --requirement requirements-installer.txt
	@touch $@

# Without its stamps, an interrupted set-up begins again. uv can do without a cache, and without links.
$(READY): $(INSTALLER) requirements.txt pyproject.toml
	@rm -f $@ $(INSTALLER)
	@echo "Setting up .venv: $$(grep -c == requirements.txt) packages (once, from seconds to minutes) ..."
	@cache=$$($(BIN)/uv cache dir 2>/dev/null) && mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" \
	  || export UV_NO_CACHE=1; $(UV) pip sync --python $(BIN)/python --require-hashes requirements.txt
	@$(UV) pip install --python $(BIN)/python --no-cache --offline --no-deps --no-build-isolation -e .
	@touch $(INSTALLER) && echo $(PYTHON) > $@

book: $(READY)
	$(BIN)/jupyter-book build . -W -n --keep-going --all --quiet
	@$(BIN)/python -c 'from pathlib import Path; print(Path("$(FIRST_PAGE)").resolve().as_uri())'

# Cells of one notebook share a kernel: `loadfile` keeps a file on one process. Pages of the built
# book are handed out one by one (conftest.py).
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
	  --doctest-modules --nbval --nbval-current-env --durations=10 --cov --cov-fail-under=98

portable: $(READY)
	$(BIN)/python tools/portable.py $(NB)

# Competitors are extras: without them the others are timed.
.venv/.bench: $(READY) benchmarks/requirements.txt
	@$(UV) pip install --python $(BIN)/python -r benchmarks/requirements.txt || \
	  echo "Not all competitors could be installed; timing those that are there."
	@touch $@

bench: .venv/.bench
	@unset OPENBLAS_NUM_THREADS; $(BIN)/python -m benchmarks.run $(BENCH)

lab: $(READY)
	$(BIN)/jupyter lab book

execute: $(READY)
	$(BIN)/python tools/execute.py $(NB)

lock: $(INSTALLER)
	$(LOCK) --all-extras --output-file requirements.txt pyproject.toml
	echo uv | $(LOCK) --no-deps --constraints requirements.txt --output-file requirements-installer.txt -

fresh:
	tools/fresh_clones.sh

clean:
	rm -rf .venv _build .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
