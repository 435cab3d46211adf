# `make demo` and `make test` are all a newcomer needs; both build .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Other people's implementations, which the tests marked `peers` compare ours with.
TORCH := .venv-torch/.installed
KERAS2 := .venv-keras2/.installed
# Apache Beam, which wants older packages than the suite's.
BEAM := .venv-beam/.installed
# Other libraries for nearest neighbours, beside which a benchmark measures ours (`make ann`).
ANN := .venv-ann/.installed
# The last packages for Keras 2 know no newer Python.
PYTHON311 ?= $(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $(PYTHON) || command -v python3.11)
# What is never imported need not be compiled.
PIP := -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: demo test test-alone test-fast peers ann lint format clean

demo: $(INSTALLED)
	$(BIN)/python -m experiments.run --exp inception_v200

# The environments two at a time: while one is unpacked another is downloaded.
test:
	$(MAKE) --no-print-directory -j2 $(INSTALLED) peers
	$(MAKE) --no-print-directory test-alone

# The suite without building the peers' environments: what compares with them is skipped.
test-alone: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=25

test-fast: $(INSTALLED)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=25 -m "not slow"

peers: $(TORCH) $(KERAS2) $(BEAM)

ann: $(ANN)

lint: $(INSTALLED)
	$(BIN)/ruff check .

format: $(INSTALLED)
	$(BIN)/ruff format .

# The marker is written last: an interrupted install is done again.
$(INSTALLED): requirements.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "error: Python 3.11, 3.12 or 3.13 is needed, this is %d.%d. Name one: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -r requirements.txt
	$(BIN)/python $(PIP) --no-deps -e .
	@touch $@

$(TORCH): tests/peers/torch_requirements.txt
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python $(PIP) -r $<
	@touch $@

$(KERAS2): tests/peers/keras2_requirements.txt
ifeq ($(PYTHON311),)
	@echo "note: no Python 3.11 here, so what runs tensorflow-addons and tensorflow-similarity is skipped"
else
	$(PYTHON311) -m venv .venv-keras2
	.venv-keras2/bin/python $(PIP) -r $<
	@touch $@
endif

$(BEAM): tests/peers/beam_requirements.txt
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python $(PIP) -r $<
	@touch $@

$(ANN): tests/peers/ann_requirements.txt
ifeq ($(PYTHON311),)
	@echo "error: nmslib has wheels up to Python 3.11: name one, make PYTHON311=python3.11 ann"; exit 1
else
	$(PYTHON311) -m venv .venv-ann
	.venv-ann/bin/python $(PIP) -r $<
	@touch $@
endif

clean:
	rm -rf $(VENV) .venv-torch .venv-keras2 .venv-beam .venv-ann *.egg-info .pytest_cache .ruff_cache .hypothesis
