# Sonde's commands. `make help` lists them; the first `make run` or `make test` sets everything up in .venv.
# Stamp files remember what was installed, so that a second run needs no network.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
ARGS ?=
WORKERS ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PATH := $(PATH):/usr/sbin:/sbin

# soname=package, as Debian and its relatives name them.
LIBS_OFFSCREEN := libEGL.so.1=libegl1 libGL.so.1=libgl1 libglib-2.0.so.0=libglib2.0-0 \
	libxkbcommon.so.0=libxkbcommon0 libfontconfig.so.1=libfontconfig1 libdbus-1.so.3=libdbus-1-3 \
	libgssapi_krb5.so.2=libgssapi-krb5-2
LIBS_WINDOW := $(LIBS_OFFSCREEN) libxcb-cursor.so.0=libxcb-cursor0 libxkbcommon-x11.so.0=libxkbcommon-x11-0 \
	libxcb-icccm.so.4=libxcb-icccm4 libxcb-keysyms.so.1=libxcb-keysyms1 libxcb-shape.so.0=libxcb-shape0

.PHONY: help run test check bench bench-verdict hunt scenarios pictures clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo "  ARGS='…' is handed on: make run ARGS='--theme light', make test ARGS='tests/protocol -x'"

run: $(STAMPS)/run ## open the window with its embedded gateway
	@$(BIN)/sonde ui $(ARGS)

test: $(STAMPS)/test ## everything the tests need, then the tests
	@rm -f .coverage .coverage.*
	@if [ -z "$(ARGS)" ]; then $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered; \
	else $(BIN)/python -m pytest $(ARGS); fi

check: $(STAMPS)/check ## linters, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMPS)/test ## measure, and print figures beside a peer's
	@set -e; for each in tests/bench/bench_*.py; do echo "== $$each"; $(BIN)/python $$each $(ARGS); done

bench-verdict: $(STAMPS)/test ## are the verdicts right? 35 true causes x 20 seeds, against a real gateway
	$(BIN)/python tests/bench/bench_verdict.py $(ARGS)

hunt: $(STAMPS)/test ## search for faults that break a promise: ARGS='--minutes 30'
	$(BIN)/python -m sonde_lab.simulation.hunt $(ARGS)

scenarios: $(STAMPS)/test ## play every scenario for real, some ten minutes: ARGS='--junit report.xml'
	$(BIN)/sonde run --quiet $(ARGS) assets/scenarios/*.toml assets/scenarios/real/*.toml

pictures: $(STAMPS)/test ## render docs/images from the real window
	$(BIN)/python docs/pictures.py $(ARGS)

clean: ## forget the environment and the stamps
	rm -rf $(VENV) $(STAMPS) .coverage .coverage.* dist build

# ---------------------------------------------------------------- set-up

$(STAMPS)/python: | $(STAMPS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Sonde needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	{ echo "Python's venv is missing. On Debian: apt-get install python3-venv"; exit 2; }
	@touch $@

$(STAMPS)/venv: $(STAMPS)/python
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(STAMPS)/run: pyproject.toml constraints.txt $(STAMPS)/venv $(STAMPS)/libs-window
	$(BIN)/python -m pip install --quiet -e '.[desktop,cluster]'
	@touch $@

$(STAMPS)/test: pyproject.toml constraints.txt $(STAMPS)/venv $(STAMPS)/libs-test $(STAMPS)/servers
	$(BIN)/python -m pip install --quiet -e '.[desktop,cluster,test]'
	@touch $@ $(STAMPS)/run

$(STAMPS)/check: pyproject.toml constraints.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet -e '.[desktop,cluster,test,check]'
	@touch $@

$(STAMPS):
	@mkdir -p $@

# Linux only: what Qt loads from the system. Installed when we may (root on Debian), else named with the command.
define need
	@case "$$(uname -s)" in Linux) ;; *) exit 0 ;; esac; \
	missing=""; \
	for pair in $(1); do \
		ldconfig -p | grep -q "$${pair%%=*}" || missing="$$missing $${pair##*=}"; \
	done; \
	for pair in $(2); do command -v "$${pair%%=*}" >/dev/null || missing="$$missing $${pair##*=}"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing$$missing"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || exit 2; \
		else \
			echo "Missing from the system:$$missing"; \
			echo "Install with: sudo apt-get install$$missing"; exit 2; \
		fi; \
	fi
endef

$(STAMPS)/libs-window: | $(STAMPS)
	$(call need,$(LIBS_WINDOW),)
	@touch $@

$(STAMPS)/libs-test: | $(STAMPS)
	$(call need,$(LIBS_WINDOW),Xvfb=xvfb)
	@touch $@

# What some tests run in earnest and skip without: installed when we may, and neither started nor enabled as services.
SERVERS := haproxy=haproxy nginx=nginx-light redis-server=redis-server
POLICY := /usr/sbin/policy-rc.d

$(STAMPS)/servers: $(STAMPS)/libs-test
	@missing=""; names=""; \
	for pair in $(SERVERS); do \
		command -v "$${pair%%=*}" >/dev/null || { missing="$$missing $${pair##*=}"; names="$$names $${pair%%=*}"; }; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing"; \
		if [ ! -e $(POLICY) ]; then \
			trap 'rm -f $(POLICY)' EXIT; printf '#!/bin/sh\nexit 101\n' > $(POLICY); chmod +x $(POLICY); \
		fi; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1 \
			|| echo "That did not work; the tests that need them are skipped."; \
		for name in $$names; do update-rc.d "$$name" disable >/dev/null 2>&1 || true; done; \
	elif [ -n "$$missing" ]; then \
		echo "Tests that need$$missing are skipped. Install with: sudo apt-get install$$missing"; \
	fi
	@touch $@
