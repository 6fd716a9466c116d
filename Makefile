# Every target sets up what it needs on a machine that has make and Python >= 3.10 with venv, and nothing else.
#
#   make demo    a picture of the Mandelbrot set, a Worker for each processor; DEMO=--serial compares with a serial run
#   make test    lint, then every test; what CI runs first, in parts
#   make suite   every test that could depend on the version of Python, without lint (.ci/run: on other Pythons); with
#                SHARE=1/3, of those that start processes the first of each three
#   make ecosystem  programs with libraries that people use, against their serial results; ecosystem-small without the
#                large ones (.ci/run)
#   make pure    the tests that start no processes; make hosts: the others
#   make batch   jobs of a real Slurm and a real Grid Engine on hosts in namespaces (root only)
#   make browser  the page of a run in Debian's Chromium
#   make gate    the pure tests with many examples, and what the simulator demands of the Federation: figures of
#                200 Brokers, 10,000 schedules of faults or as many as WITHIN seconds allow (.ci/run)
#   make soak    ten minutes of all kinds of faults on four hosts in namespaces, and a verdict (root only); SOAK_MINUTES,
#                SOAK_SEED
#   make lint    style, types, layers
#   make docs    build/docs/index.html
#   make bench   the benchmarks
#   make clean   remove all that this Makefile has made
#
# PYTHON=python3.12 chooses the interpreter of a new virtual environment, VENV=folder the environment.

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python3.10 python
# Run each one: a name on the PATH may be a launcher's stub, and Debian's Python lacks ensurepip without python3-venv.
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	&& echo $$python && break; done)

VENV ?= .venv
BIN := $(VENV)/bin
BENCH_VENV := .venvs/benchmarks
ECOSYSTEM_VENV := .venvs/ecosystem

# Its functions reach their test module, and through that all others which are loaded: that takes a minute more.
ALONE := tests/faults/test_objects.py
# Those of other hosts, of what starts them and of what stands, with those that build something.
FAR := tests/hosts tests/lab tests/launcher tests/security tests/standing tests/test_docs.py

.PHONY: demo test suite ecosystem ecosystem-small pure hosts near far batch browser gate soak lint docs bench clean
.PHONY: system-packages $(VENV)/compiled $(ECOSYSTEM_VENV)/compiled
.DELETE_ON_ERROR:
# Made by a chain of pattern rules, it would count as intermediate and be removed at the end, and the environment broken.
.PRECIOUS: %/pyvenv.cfg
# Two installations into one environment at a time would spoil it.
.NOTPARALLEL:

demo: $(VENV)/progress.stamp
	$(BIN)/python -m fedfutures docs/examples/mandelbrot.py $(DEMO)

test: lint system-packages $(VENV)/compiled
	$(BIN)/python -m pytest -m "not host" --cov
	$(BIN)/python -m pytest -m host
	@echo "Left out: jobs of real batch systems, which take root and Debian's packages: make batch"
	@echo "Left out: the page in a browser, which takes Debian's chromium and chromium-driver: make browser"

suite: $(VENV)/suite.stamp system-packages $(VENV)/compiled
	$(BIN)/python -m pytest -m "not once" $(addprefix --share=,$(SHARE)) --ignore $(ALONE)
	$(BIN)/python -m pytest -m "not once" $(addprefix --share=,$(SHARE)) $(ALONE)

# An environment of its own: these libraries have many requirements, and none of them is one of ours.
ecosystem: $(ECOSYSTEM_VENV)/requirements-large.stamp $(ECOSYSTEM_VENV)/compiled
	FEDFUTURES_REQUIRE_ECOSYSTEM=all $(ECOSYSTEM_VENV)/bin/python -m pytest tests/ecosystem

ecosystem-small: $(ECOSYSTEM_VENV)/requirements.stamp $(ECOSYSTEM_VENV)/compiled
	FEDFUTURES_REQUIRE_ECOSYSTEM=small $(ECOSYSTEM_VENV)/bin/python -m pytest tests/ecosystem

pure: $(VENV)/test.stamp $(VENV)/compiled
	$(BIN)/python -m pytest -m "not host"

hosts: near far

# Halves of the tests with processes that take about as long as each other: .ci/run runs them side by side. Those of
# other libraries have an environment of their own, see `ecosystem`.
near: $(VENV)/test.stamp system-packages $(VENV)/compiled
	$(BIN)/python -m pytest -m host $(addprefix --ignore ,$(FAR)) --ignore $(ALONE) --ignore tests/ecosystem
	$(BIN)/python -m pytest -m host $(ALONE)

far: $(VENV)/test.stamp system-packages $(VENV)/compiled
	$(BIN)/python -m pytest -m host $(FAR)

batch: $(VENV)/test.stamp system-packages $(VENV)/compiled
	$(BIN)/python -m pytest -m batch tests/batch

browser: $(VENV)/test.stamp $(VENV)/compiled
	$(BIN)/python -m pytest -m browser tests/browser

gate: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m "hypothesis and not host" --hypothesis-profile=deep
	$(BIN)/python -m fedfutures.simulation --gate $(addprefix --within=,$(WITHIN))

soak: $(VENV)/test.stamp system-packages
	$(BIN)/python -m tests.soak

# The link gives mypy the launcher under the name it is imported by.
lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p build/mypy_path && ln -sfn ../../launcher build/mypy_path/fedfutures_launcher
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

# Installed as users have it: the import hook of an editable installation makes each start of Python some 20 ms slower,
# and so does compiling every module again where no bytecode may be kept.
bench: export PYTHONDONTWRITEBYTECODE :=
bench: $(BENCH_VENV)/installed.stamp
	$(BENCH_VENV)/bin/python -m benchmarks

clean:
	rm -rf .venv .venvs build dist *.egg-info .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find fedfutures launcher tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each extra: the environment is made once, and each extra is installed into it when first needed.
$(VENV)/%.stamp: $(VENV)/pyvenv.cfg setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

$(ECOSYSTEM_VENV)/%.stamp: tests/ecosystem/%.txt $(ECOSYSTEM_VENV)/pyvenv.cfg setup.cfg pyproject.toml
	$(ECOSYSTEM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[suite]' \
		--requirement $<
	touch $@

$(BENCH_VENV)/installed.stamp: $(BENCH_VENV)/pyvenv.cfg setup.cfg pyproject.toml $(shell find fedfutures launcher -name '*.py')
	rm -rf build/lib
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check '.[benchmarks]'
	touch $@

%/pyvenv.cfg:
	@[ -n "$(PYTHON)" ] || { echo "No Python >= 3.10 with venv found; set PYTHON" \
		"(on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(@D)

# Where no bytecode is to be written (PYTHONDONTWRITEBYTECODE, in containers), each start of Python would compile all
# modules again. That is half of what a test with processes takes.
$(VENV)/compiled $(ECOSYSTEM_VENV)/compiled: %/compiled: %/pyvenv.cfg
	$*/bin/python -m compileall -q fedfutures launcher

# Tests that need one of these skip themselves; say so before, not only in pytest's summary.
system-packages:
	@PATH="$$PATH:/usr/sbin:/sbin"; \
	command -v sshd >/dev/null || echo "Missing: openssh-server. Tests over ssh are skipped."; \
	command -v ip >/dev/null || echo "Missing: iproute2. Tests on several networks are skipped."; \
	command -v nft >/dev/null || echo "Missing: nftables. Tests with firewalls are skipped."; \
	command -v slurmctld >/dev/null || echo "Missing: slurm-wlm, munge. Tests of jobs of Slurm are skipped."; \
	command -v sge_qmaster >/dev/null || echo "Missing: gridengine-master, -exec, -client. Tests of its jobs are skipped."; \
	command -v mpiexec >/dev/null || echo "Missing: openmpi-bin. Tests of mpiexec are skipped."
