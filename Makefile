# hydrodl: `make demo` and `make test` do all the set-up, from a bare clone, in .venv.
# On anything but Linux on x86-64 use conda: see environment.yml.

VENV = .venv
PYTHON_IN = $(VENV)/bin/python
READY = $(VENV)/.hydrodl-ready
READY_FOR_DOCS = $(VENV)/.hydrodl-ready-for-docs

# What pip installs at once; with docs among it the documentation asks for nothing more.
EXTRAS ?= test,export,pictures,mesh

# Tests of several ranks: pytest itself on that many. Ranks that wait sleep, whatever else the machine does.
# Three ranks run what a third one can break: meshes, shares of layers, checkpoints, a few trainings, the command.
# make test-ranks runs all of it.
ON_RANKS = $(VENV)/bin/mpiexec -n $$ranks -genv MPIR_CVAR_ENABLE_HEAVY_YIELD 1 -genv MPIR_CVAR_POLLS_BEFORE_YIELD 10 \
  $(PYTHON_IN) -m pytest -q -p no:xdist tests/parallel

export PYTHON
export OMP_NUM_THREADS ?= 1
# Tests start a hundred processes that read the same files: bytecode is kept, whatever the machine is set to.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo test test-quick test-ranks lint bench docs docs-check clean

help:
	@echo 'make setup   the environment in .venv (Python >= 3.12; PYTHON=... names one)'
	@echo 'make demo    set-up, then two moons pulled apart by a flow: demos/two_moons.py'
	@echo 'make test    set-up, then every test; ARGS="-k domain" narrows it'
	@echo 'make lint    set-up, then ruff, mypy and codespell, as before a commit'
	@echo 'make bench   set-up, then every figure of docs/results.md; ARGS="--only scaling" narrows it'
	@echo 'make docs    set-up, then the documentation in build/docs, demos and notebooks run; docs-check runs none'
	@echo 'make clean   removes .venv and caches'
	@echo 'MPI: .venv/bin/mpiexec -n 2 .venv/bin/hydrodl train PROBLEM.toml (never another mpiexec)'

setup: $(READY)

# Made again whenever pyproject.toml changes; a half-made environment leaves no stamp and is completed by the next try.
$(READY): pyproject.toml
	@if [ "$$(uname -s)-$$(uname -m)" != Linux-x86_64 ]; then \
	  echo "The pip wheel of DOLFINx and PETSc exists for Linux on x86-64 only; this is $$(uname -s) on $$(uname -m)." >&2; \
	  echo "Use conda instead: the commands are at the top of environment.yml." >&2; \
	  exit 1; \
	fi
	@if ! command -v cc >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then \
	  echo "A C compiler is missing: DOLFINx compiles its forms with it (Debian and Ubuntu: apt-get install gcc libc6-dev)." >&2; \
	  exit 1; \
	fi
	@if ! [ -x $(PYTHON_IN) ] || ! $(PYTHON_IN) -m pip --version >/dev/null 2>&1; then \
	  found=$$(./.ci/find-python) || exit 1; \
	  echo "Making $(VENV) with $$found"; \
	  "$$found" -m venv --clear $(VENV) || exit 1; \
	fi
	$(PYTHON_IN) -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@$(PYTHON_IN) -c 'import hydrodl'
	@touch $(READY) $(if $(findstring docs,$(EXTRAS)),$(READY_FOR_DOCS))

$(READY_FOR_DOCS): $(READY)
	$(PYTHON_IN) -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $(READY_FOR_DOCS)

demo: setup
	$(PYTHON_IN) demos/two_moons.py

test: lint
	$(PYTHON_IN) -m pytest -q -n 2 --dist worksteal --ignore=tests/parallel $(ARGS)
	@ranks=2; $(ON_RANKS) $(ARGS) || [ $$? -eq 5 ]  # 5: ARGS leave no test
	@ranks=3; $(ON_RANKS) -m three_ranks $(ARGS) || [ $$? -eq 5 ]

test-quick: setup
	$(PYTHON_IN) -m pytest -q -n 2 --dist worksteal --ignore=tests/parallel -m 'not slow and not parallel' $(ARGS)

test-ranks: setup
	@for ranks in 2 3 4; do $(ON_RANKS) $(ARGS) || [ $$? -eq 5 ] || exit 1; done

lint: setup
	$(PYTHON_IN) -m ruff check
	$(PYTHON_IN) -m ruff format --check
	$(PYTHON_IN) -m mypy
	$(PYTHON_IN) -m codespell_lib

bench: setup
	$(PYTHON_IN) benchmarks/results.py $(ARGS)

# Pages, links, formulas and docstrings; a warning is an error. What demos show is kept in build/gallery.
docs: $(READY_FOR_DOCS)
	$(PYTHON_IN) -m sphinx -q -W --keep-going -d build/doctrees docs build/docs
	@echo 'build/docs/index.html'

docs-check: $(READY_FOR_DOCS)
	HYDRODL_DOCS=quick $(PYTHON_IN) -m sphinx -q -W --keep-going -d build/doctrees-check docs build/docs-check

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
