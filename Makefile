# `make demo` and `make test` do everything: each creates what it needs, and works again.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run
DEV    := $(VENV)/.dev
AGENCY := fixtures/agency/events.csv --terms fixtures/agency/terms.toml

.PHONY: demo test lint mutation docs notebooks bench verify-long lock clean

demo: $(RUN)  ## install, compute the agency's invoices, explain one peak
	@echo; echo "A year of peaks, three accounts:  billing peaks $(AGENCY)"
	@$(BIN)/billing peaks $(AGENCY)
	@echo; echo "The invoices of June:  billing invoice $(AGENCY) --cycle 2025-06"; echo
	@$(BIN)/billing invoice $(AGENCY) --cycle 2025-06
	@echo; echo "One peak explained:  billing explain $(AGENCY) --account outreach-sg --cycle 2025-06"; echo
	@$(BIN)/billing explain $(AGENCY) --account outreach-sg --cycle 2025-06

test: $(DEV)  ## install what tests need, run them; with COVERAGE=yes, every branch of what only calculates must be taken
	$(BIN)/python -m pytest -n 2 -q $(if $(COVERAGE),--cov --cov-report=term-missing:skip-covered)

lint: $(DEV)  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutation: $(DEV)  ## change core in one place at a time, and see how often no test fails; half an hour
	rm -rf mutants
	HYPOTHESIS_PROFILE=mutation NUMBA_DISABLE_JIT=1 $(BIN)/mutmut run
	$(BIN)/python tests/support/mutation.py

docs: $(DEV)  ## run the pages in place, and keep what they show; write the generated parts of the reference
	$(BIN)/python -m tests.support.pages

notebooks: $(DEV)  ## run the notebooks in place, and keep what they show
	$(BIN)/python tests/support/notebook.py

bench: $(DEV)  ## measure every figure that the documentation gives; about fifteen minutes
	$(BIN)/python -m tests.bench.run

verify-long: $(DEV)  ## laws by the thousand, 100,000 ledgers, 10,000 histories and power cuts, readers fuzzed; three hours
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -q -n 2 tests/verify/test_laws.py tests/verify/test_ledger_laws.py \
		tests/verify/test_opinions.py tests/verify/test_differential.py tests/verify/test_machine.py tests/ledger/test_durability.py \
		tests/ledger/test_postgres.py tests/forecasting tests/engine/test_credits.py tests/reconciliation/test_causes.py
	BILLING_FUZZ_SECONDS=1800 $(BIN)/python -m pytest -q -n 2 tests/inputs/test_fuzz.py

lock: $(DEV)  ## pin what is installed, with hashes and without addresses
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header \
		--no-annotate pyproject.toml requirements/build.in -o requirements/run.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header \
		--no-annotate pyproject.toml --extra verify --extra postgres --extra documents --extra pdf --extra notebooks \
		requirements/build.in requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage mutants

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "This needs Python 3.11 or newer as $(PYTHON); give another with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "Python's venv is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt $(RUN)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
