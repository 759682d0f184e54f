.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv/bin
STAMP := .venv/.ready
# What the installed core and environment are made from; a change here makes setup run again.
SOURCES := pyproject.toml scripts/setup.sh native/Cargo.toml native/Cargo.lock \
	$(wildcard native/*/Cargo.toml native/*/build.rs native/*/src/*.rs native/*/src/*/*.rs native/*/data/*)

.PHONY: help setup demo test check bench fuzz wheel wheels edge-test clean

help: ## Say what can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv, build the core, install everything (quick when nothing changed).

$(STAMP): $(SOURCES)
	@scripts/setup.sh
	@touch $@

demo: $(STAMP) ## Import the bundled chain, block by block: nothing else is needed.
	@$(VENV)/jamliquor demo

test: $(STAMP) ## Run all tests (vector tests need JAM_VECTORS).
	$(VENV)/python -m pytest -n 2 $(PYTEST_ARGS)

check: $(STAMP) ## Format, lint, types, import direction, Rust checks.
	$(VENV)/ruff format --check jamliquor tests benchmarks scripts
	$(VENV)/ruff check jamliquor tests benchmarks scripts
	$(VENV)/mypy
	$(VENV)/python scripts/check_imports.py
	. scripts/rust.sh && cd native && cargo fmt --all --check
	. scripts/rust.sh && cd native && cargo clippy --all-targets --release -- -D warnings
	. scripts/rust.sh && cd native && cargo test --release --quiet
	. scripts/rust.sh && cd native/fuzz && cargo fmt --check && cargo check --release --quiet --locked

bench: $(STAMP) ## Run the benchmarks; results go to benchmarks/results and benchmarks/README.md.
	$(VENV)/python -m benchmarks

SECONDS ?= 60

fuzz: $(STAMP) ## Fuzz every target, SECONDS=60 each, guided by coverage.
	@$(VENV)/python -c 'import atheris' 2>/dev/null || $(VENV)/pip install --quiet 'atheris>=3'
	$(VENV)/python -m tests.fuzz --seconds $(SECONDS)
	scripts/fuzz_native.sh $(SECONDS)

wheel: $(STAMP) ## Build a wheel and an sdist into dist/.
	. scripts/rust.sh && $(VENV)/maturin build --release --out dist
	. scripts/rust.sh && $(VENV)/maturin sdist --out dist

wheels: $(STAMP) ## Build wheels for x86-64 and aarch64, glibc and musl, into dist/.
	scripts/wheels.sh

edge-test: $(STAMP) ## Build the aarch64 wheel and prove it in an arm64 Debian under qemu-user.
	edge/arm64.sh all

clean: ## Remove everything that was built.
	rm -rf .venv dist native/target jamliquor/_core
