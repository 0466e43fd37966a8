# Every target works as the first command on a machine with Python 3.11+ and make:
# uv is used where it is installed, venv and pip where it is not.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
ARGS ?=

.PHONY: install demo test soak mutants up bench dashboards docs pictures audit check format lock clean

install: $(DEV)

# The lock files hold exact versions and hashes; the project itself is installed editable.
define install_locked
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python .ci/install.py $(1) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
endef

$(RUN): requirements.lock pyproject.toml | python-version
	@echo "installing spreadlake into $(VENV); this takes about a minute, once"
	$(call install_locked,requirements.lock)
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | python-version
	@echo "installing spreadlake and its development tools into $(VENV); this takes about a minute, once"
	$(call install_locked,requirements-dev.lock)
	@touch $@ $(RUN)

.PHONY: python-version
python-version:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "spreadlake needs Python 3.11 or later; $(PYTHON) is %d.%d. Name another with make PYTHON=..." % sys.version_info[:2])'

demo: $(RUN)
	@$(BIN)/spreadlake demo $(ARGS)

up: $(RUN)
	@$(BIN)/spreadlake up $(ARGS)

# A worker that crashes ends the run with the name of its test: put anew, it may wait for ever.
test: $(DEV)
	$(BIN)/python -m pytest -m "not soak" -n auto --dist loadfile --max-worker-restart 0 $(ARGS)

soak: $(DEV)
	$(BIN)/python -m pytest -m soak -s --timeout 7200 $(ARGS)
	$(BIN)/python -m pytest -m "not soak" --hypothesis-profile search --timeout 7200 \
		tests/quant tests/lake tests/collector/storage/test_store.py

mutants: $(DEV)
	$(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

bench: $(DEV)
	$(BIN)/python -m benchmarks $(ARGS)

dashboards: $(DEV)
	$(BIN)/python -m grafana.source

docs: $(DEV)
	$(BIN)/python -m docs.source

# Needs Grafana with its SQLite data source, Prometheus and Chromium; says so where one is missing.
pictures: $(DEV)
	@$(BIN)/python -m docs.pictures $(ARGS)

audit: $(DEV)
	@$(BIN)/python .ci/audit.py

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs uv. Indexes are left out, so the files are the same whichever mirror served them.
lock:
	uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --extra build --extra redis --extra s3 --extra cluster --upgrade -o requirements.lock
	uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --extra build --extra redis --extra s3 --extra cluster --extra dev --upgrade -o requirements-dev.lock

clean:
	rm -rf $(VENV) mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
