# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPECSTREAM_DATA ?= ../shared/data
export SPECSTREAM_DATA
# Tests run in this many processes side by side. The whole suite gets one more, because a fifth of the time it waits
# for a broker's time-outs; each has a Kafka of its own (about 0.7 GB of memory). Threads of linear algebra in each of them
# would only be in each other's way: they doubled the processor's time.
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
# The tests start the program some hundred times; bytecode that nobody keeps would be compiled at every start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-gpu check lint types kafka bench bundles clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/specstream: pyproject.toml constraints.txt ops/setup/python.sh
	@PYTHON=$(PYTHON) sh ops/setup/python.sh $(VENV) plot
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt ops/setup/python.sh ops/setup/tensorrt.sh
	@PYTHON=$(PYTHON) sh ops/setup/python.sh $(VENV) dev,train,tensorrt-rtx
	@sh ops/setup/tensorrt.sh $(VENV)
	@touch $@ $(BIN)/specstream

demo: $(BIN)/specstream ## simulate an exposure, classify it, draw pictures (needs only Python)
	@$(BIN)/python -m ops.demo --output out/demo

test: $(VENV)/.developer ## the whole test suite, on a real Kafka
	@sh ops/setup/java.sh
	@$(BIN)/python -c "from ops.kafka.jars import resolve_jars; resolve_jars()"
	@$(PYTEST) -n $$(($(WORKERS) + 1)) --durations 15 --durations-min 10

check: $(VENV)/.developer ## the fast subset without the training room, within a minute on 2 cores: the inner loop
	@$(PYTEST) -n $(WORKERS) -q -m "not slow and not kafka" --hypothesis-profile check --ignore tests/classifiers/training

test-gpu: ## what only a GPU can show, with the Python at hand (PYTHON=...): torch, numpy, onnxruntime, pytest
	@$(PYTHON) -c "import sys, tests.bare; from classifiers.runtimes.probing import why_not; why = why_not('torch'); \
		sys.exit('make test-gpu: ' + why if why else 0)"
	@$(PYTHON) -m pytest -p tests.bare -m gpu --noconftest -W default -p no:cacheprovider tests/classifiers/runtimes/device/on_gpu.py \
		tests/classifiers/runtimes/tensorrt/on_gpu.py tests/classifiers/training/on_gpu.py

lint: $(VENV)/.developer ## ruff: lint and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.developer ## mypy --strict on the four packages
	@$(BIN)/mypy

kafka: $(BIN)/specstream ## start a real single-node Kafka on localhost:9092 until Ctrl-C
	@sh ops/setup/java.sh
	@$(BIN)/python -m ops.kafka.launcher --port 9092 --directory out/kafka

bench: $(BIN)/specstream ## every measurement of README's table, each beside its reference
	@sh ops/setup/java.sh
	@$(BIN)/specstream bench --output out/bench

clean: ## remove what the other targets made
	rm -rf $(VENV) out build ops/kafka/target *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
