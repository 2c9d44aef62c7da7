# `make bench` installs everything and runs the main job; `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin
SUITE ?= quick
TORCH_VERSION := 2.13.0
# On Linux without an NVIDIA GPU only the CPU build will do: the default one brings
# gigabytes of CUDA packages. TORCH=torch==2.13.0 takes the default build.
ifeq ($(shell uname -s)$(shell command -v nvidia-smi),Linux)
TORCH ?= torch==$(TORCH_VERSION)+cpu
else
TORCH ?= torch==$(TORCH_VERSION)
endif

.PHONY: bench test lint slow figures findings engines peers sequential ranking-truth gate-truth clean
bench: .venv/.installed
	$(BIN)/bench run $(SUITE)

test: .venv/.tested lint
	$(BIN)/pytest -m "not slow and not hardware"

lint: .venv/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: .venv/.tested
	$(BIN)/pytest -m slow --benchmark-skip

figures: .venv/.tested
	$(BIN)/pytest -m slow tests/bench --benchmark-only --benchmark-columns=min,median,stddev,rounds
	$(BIN)/python tests/bench/figures.py $(SUITE)

# Which compressions save joules on this machine; half an hour or more.
findings: .venv/.tested
	$(BIN)/python -m tests.bench.findings

# Trials that tell 5 % apart, sequential against fixed n; a simulation of seconds.
sequential: .venv/.tested
	$(BIN)/python -m tests.bench.sequential

# Our run times beside plain scripts of the same engines.
engines: .venv/.tested
	$(BIN)/python -m tests.bench.engines

# Coverage and false verdicts of the ranking, on simulated runs; a few minutes.
ranking-truth: .venv/.tested
	$(BIN)/python -m tests.bench.ranking_truth

gate-truth: .venv/.tested
	$(BIN)/python -m tests.bench.gate_truth

# Zeus has an environment of its own: its wheel brings packages named tests and docs.
peers: .venv/.tested .venv-peers/.installed
	$(BIN)/python -m tests.bench.peers --zeus-python .venv-peers/bin/python

.venv-peers/.installed: constraints.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install -q --disable-pip-version-check -c constraints.txt zeus==0.16.0
	touch $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/.torch: .venv/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt "$(TORCH)" || { \
	echo "No CPU build of torch at your package index. Name the CPU index that"; \
	echo "PyTorch's install page gives:  make bench PIP_EXTRA_INDEX_URL=..."; \
	echo "or take the default build (CUDA, several GB):  make bench TORCH=torch==$(TORCH_VERSION)"; \
	exit 1; }
	touch $@

.venv/.installed: .venv/.torch pyproject.toml constraints.txt
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.tested: .venv/.installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv .venv-peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
