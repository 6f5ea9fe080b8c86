# Everything a person types. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# What `make demo`, `make tutorials` and `make bench` run on when nothing is said.
BACKEND := $(or $(KERAS_BACKEND),jax)
EXTRAS := jax,torch,dev,tutorials
PYTHON := .venv/bin/python
LOGS := .cache/tests
# All three test processes at a time, one thread each: small arrays gain nothing from
# more, and where there are two cores the shortest does not wait for one of the others.
JOBS ?= 3
ONE_THREAD := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
TEST_BACKENDS := torch jax tensorflow
# The backend that also runs the tests marked `once`, and those marked `slow_elsewhere`
# with the fast ones: the fastest.
ONCE := torch
# Nearly all of a test with XLA is compilation; half the time without these.
run-jax run-tensorflow: export XLA_FLAGS := --xla_backend_optimization_level=0 \
  --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1

.PHONY: help setup demo test test-slow check lint format bench bench-quick tutorials clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## .venv with the versions of constraints.txt

.venv-bench/.ready: EXTRAS := bench
.venv/.ready .venv-bench/.ready: pyproject.toml constraints.txt
	@if [ ! -x $(@D)/bin/python ]; then \
	  python=; \
	  for name in python3.11 python3; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$name; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "keras_lm needs Python 3.11 or newer, as python3.11 or python3." \
	      "Received: $$(python3 --version 2>&1 || true)" >&2; exit 1; \
	  fi; \
	  echo "Making $(@D) with $$($$python --version)"; \
	  $$python -m venv $(@D); \
	fi
	@echo "Installing the versions of constraints.txt (some minutes the first time)"
	@mkdir -p .cache
	@$(@D)/bin/python -m pip install --disable-pip-version-check --no-input -q \
	  -c constraints.txt -e ".[$(EXTRAS)]" > .cache/install.log 2>&1 \
	  || { cat .cache/install.log >&2; exit 1; }
	@touch $@

demo: .venv/.ready ## train, talk to and ship a language model (under 10 minutes)
	@KERAS_BACKEND=$(BACKEND) .venv/bin/keras-lm demo

test: .venv/.ready ## the fast tests on the three backends
	@$(MAKE) --no-print-directory -k -j $(JOBS) MARKS="not slow" \
	  MARKS_ELSEWHERE="not (slow or once or slow_elsewhere)" backends

test-slow: .venv/.ready ## training to a target and large exports, on the three backends
	@KERAS_LM_COLD=1 $(MAKE) --no-print-directory -k -j $(JOBS) MARKS="slow" \
	  MARKS_ELSEWHERE="(slow or slow_elsewhere) and not once" backends

# Who runs most is the last to end, and waits for processes of its own: it goes first.
$(TEST_BACKENDS:%=run-%): AFTER = $(if $(filter run-$(ONCE),$@),,nice -n 10)

# Each backend in its own process; its log is shown when something fails. The end is
# pytest's closing line of each backend.
.PHONY: backends $(TEST_BACKENDS:%=run-%)
backends:
	@mkdir -p $(LOGS)
	@rm -f $(LOGS)/*
	@echo "Testing on $(TEST_BACKENDS), $(JOBS) at a time; watch: tail -f $(LOGS)/*.log"
	@failed=0; $(MAKE) $(TEST_BACKENDS:%=run-%) || failed=1; \
	for backend in $(TEST_BACKENDS); do \
	  echo "$$backend:"; tail -n 1 $(LOGS)/$$backend.log; \
	done; exit $$failed

$(TEST_BACKENDS:%=run-%): run-%:
	@KERAS_BACKEND=$* $(ONE_THREAD) $(AFTER) $(PYTHON) -m pytest -rs --durations=5 \
	  -m "$(if $(filter $(ONCE),$*),$(MARKS),$(MARKS_ELSEWHERE))" \
	  > $(LOGS)/$*.log 2>&1 \
	  || { code=$$?; \
	       if [ $$code = 5 ] && [ "$(MARKS)" = slow ]; then exit 0; fi; \
	       echo "--- $* (exit code $$code)"; cat $(LOGS)/$*.log; exit 1; }

check: lint ## style, types, arrows between rooms, layout, README's code
	@KERAS_BACKEND=$(BACKEND) $(PYTHON) -m pytest -q tests/test_layout.py tests/test_readme.py

lint: .venv/.ready ## the part of `check` that runs no code of ours
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/lint-imports --cache-dir .cache/import_linter
	@.venv/bin/basedpyright

format: .venv/.ready ## put the code in ruff's format
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

bench: .venv-bench/.ready ## side by side with the peers, every backend (hours; goes on)
	@.venv-bench/bin/python -m benchmarks --missing

bench-quick: .venv-bench/.ready ## a first look: one process, one thread, one backend
	@.venv-bench/bin/python -m benchmarks --quick --backends $(BACKEND)

tutorials: .venv/.ready ## run every tutorial in full and check its claims
	@for file in tutorials/[0-9]*.py; do \
	  echo "== $$file"; KERAS_BACKEND=$(BACKEND) $(PYTHON) $$file; \
	done

clean: ## remove what runs made (not .venv, .venv-bench)
	@rm -rf .cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov dist \
	  checkpoints tutorials/pictures
	@find saved_models -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} + \
	  2>/dev/null || true
	@find keras_lm tests tutorials benchmarks -name __pycache__ -prune \
	  -exec rm -rf {} + 2>/dev/null || true
