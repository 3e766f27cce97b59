# Squall. `make run` shows what it does, `make test` proves that it works; both install what is missing (Debian 12).
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
OUT ?= out/incident-1

.PHONY: help setup setup-test build run test asan tsan bench clean

help: ## Says what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:
	@tools/setup.sh

setup-test:
	@tools/setup.sh --with-test-tools

build: setup ## Builds build/release/squall
	@cmake --preset release -DSQUALL_TESTS=OFF -DSQUALL_BENCH=OFF >/dev/null
	@cmake --build build/release -j $(JOBS) --target squall

run: build ## The headline comparison: a control plane shared with a leaking pod, against dedicated infra nodes
	build/release/squall compare scenarios/incident-1-shared.yaml scenarios/incident-1-dedicated.yaml --replications 10 -o $(OUT)

test: setup-test ## Builds everything and runs every test
	@cmake --preset release -DSQUALL_TESTS=ON -DSQUALL_BENCH=ON >/dev/null
	@cmake --build build/release -j $(JOBS)
	ctest --test-dir build/release -j $(JOBS) --output-on-failure --no-tests=error

asan: setup-test ## The tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake --preset asan >/dev/null
	@cmake --build build/asan -j $(JOBS)
	ctest --test-dir build/asan -j $(JOBS) --output-on-failure --no-tests=error

tsan: setup-test ## The tests under ThreadSanitizer
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan -j $(JOBS)
	ctest --test-dir build/tsan -j $(JOBS) --output-on-failure --no-tests=error

bench: setup ## Engine and scheduler benchmarks (Google Benchmark)
	@cmake --preset release -DSQUALL_TESTS=OFF -DSQUALL_BENCH=ON >/dev/null
	@cmake --build build/release -j $(JOBS)
	@for b in build/release/bench/*_bench; do echo "== $$b"; $$b; done

clean: ## Removes what was built and written
	rm -rf build out
