# Two commands from a clone: `make demo` does the whole job on a simulated session, `make test`
# runs every test. Both make a virtual environment first, once. PYTHON=python3.12 chooses another
# interpreter, PYTEST_ARGS="tests/data -x" a part of the tests.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

IN_VENV := $(VENV)/bin/python
PIP := $(IN_VENV) -m pip install --disable-pip-version-check -c constraints.txt

# What an installation is made of: requirements, and the sources that are compiled.
SOURCES := pyproject.toml constraints.txt setup.py $(wildcard neurodsr/kernels/engine/*)

.PHONY: demo test lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(VENV)/bin/neurodsr demo -o neurodsr-demo

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

# Everything that the targets above made; the demo's results too.
clean:
	rm -rf $(VENV) build dist *.egg-info neurodsr/kernels/_engine_*.so .pytest_cache .ruff_cache .hypothesis
	rm -rf neurodsr-demo neurodsr-demo.partial neurodsr-demo-session
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp tells that these requirements are installed; a second `make` does not install again.
$(VENV)/.installed: $(SOURCES) | $(IN_VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(SOURCES) | $(IN_VENV)
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.installed $@

$(IN_VENV):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no '$(PYTHON)'; fix: install Python 3.11 to 3.13, or name it, as in" \
	    "make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "error: '$(PYTHON)' is $$($(PYTHON) -V 2>&1), neurodsr needs Python 3.11 to 3.13;" \
	    "fix: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' cannot make virtual environments;" \
	    "fix: apt-get install python3-venv, or the like" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
