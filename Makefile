# make demo    set up, sweep the shipped design space on the digits network, write the page
# make test    set up, then lint, types and all tests
# make setup   prepare .venv without running anything; then the command is .venv/bin/lockstep
.DEFAULT_GOAL := help
PY := .venv/bin/python
DEMO := out/demo
SOURCES := designs workloads sim hw explore reports lockstep docs tests benchmarks

# The stamp holds the folder it was made in: a checkout that was moved or copied is set up again.
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(CURDIR))
.PHONY: .venv/.ready
endif

# Amaranth must not pick an old yosys from the system (Debian's 0.23 writes other RTL).
export AMARANTH_USE_YOSYS := builtin

.PHONY: help setup demo test lint bench clean
help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

.venv/.ready: pyproject.toml tools/setup.sh
	@sh tools/setup.sh

setup: .venv/.ready

demo: setup
	@echo "[demo] sweep designs/tensor.yaml on digits_cnn (results: $(DEMO)/results.sqlite; a second run reads them)"
	@.venv/bin/lockstep sweep designs/tensor.yaml --workload digits_cnn --set act_bits=8 --set weight_bits=8 \
		--store $(DEMO)/results.sqlite --report $(DEMO)
	@echo "[demo] open $(CURDIR)/$(DEMO)/index.html"

test: lint
	@$(PY) -m hw.bench.simulator
	@$(PY) -c "from designs.yosys import warm_up_yosys; warm_up_yosys()"
	@echo "[test] pytest on 2 processes"
	@$(PY) -m pytest -n 2 --dist worksteal -q

lint: setup
	@echo "[lint] ruff"
	@$(PY) -m ruff check $(SOURCES)
	@echo "[lint] mypy"
	@$(PY) -m mypy

# make bench   speed of the simulator, beside SCALE-Sim where it installs
bench: setup
	@$(PY) -m benchmarks

# make lint    ruff and mypy only
# make clean   remove everything that make made
clean:
	rm -rf .venv out build .mypy_cache .pytest_cache .ruff_cache .hypothesis
