# Every target sets up what it needs in .venv. Needs Python 3.11 or later, a C compiler, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILT := $(VENV)/built
NATIVE := $(wildcard ext/jotgate/*.pyx ext/jotgate/*.pxd ext/jotgate/*.h)

.PHONY: demo test lint bench gates fuzz stress soak aws-lc sanitize coverage wheels clean
.DELETE_ON_ERROR:

demo: $(BUILT)
	$(BIN)/jotgate demo

test: $(BUILT)
	tests/suite $(BIN)/python

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Jotgate needs Python 3.11 or later: make PYTHON=python3.x"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group build --group test --group services --group bench --group lint
	touch $@

$(BUILT): $(VENV)/ready setup.py $(NATIVE)
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable .
	touch $@

lint: $(BUILT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(BIN):$$PATH" $(BIN)/cython-lint ext/jotgate
	$(BIN)/mypy src/jotgate

# Needs the rival libraries, which it installs into environments of their own.
bench: $(BUILT)
	mkdir -p build/bench
	$(BIN)/python bench/run.py
	$(BIN)/python bench/run.py --python 3.13
	$(BIN)/python -m pytest bench -q --benchmark-json=build/bench/ours.json
	$(BIN)/python bench/report.py --record build/bench/ours.json
	$(BIN)/python bench/lane_gates.py --record

# The figures that must hold, as ratios within one run; fails when one does not.
gates: $(BUILT)
	$(BIN)/python bench/gates.py --ci

# SECONDS=3600 make fuzz for a long run; the same inputs also run under the sanitizers.
SECONDS_EACH := $(or $(SECONDS),60)
fuzz: $(BUILT) build/sanitize/done
	$(BIN)/python -m tests.fuzz.fuzz_verify --seconds $(SECONDS_EACH)
	tests/sanitized -m tests.fuzz.fuzz_verify --seconds $(SECONDS_EACH)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest tests/differential

# Long runs of what threads, both backends and the cache share; a slice of each is in the suite.
ROUNDS := $(or $(ROUNDS),10)
stress: $(BUILT)
	$(BIN)/python -m tests.differential.backends --cases 1000000
	$(BIN)/python -m tests.differential.tables --cases 1000000
	$(BIN)/python -m tests.differential.cache_walk --steps 1000000
	$(BIN)/python -m tests.services.session_race --store memory --rounds 10000
	$(BIN)/python -m tests.services.session_race --store sqlite --rounds 10000
	for round in $$(seq $(ROUNDS)); do for script in cache_threads lanes_threads tables_threads batch_threads lanes_fork tables_fork cache_fork batch_fork; do $(BIN)/python -X faulthandler tests/isolated/$$script.py || exit 1; done; done
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -q tests/differential

# A minute of keys that rotate every second, fetched by four processes from an endpoint that fails; writes a log.
soak: $(BUILT)
	mkdir -p build
	$(BIN)/python -m tests.services.rotation_soak --seconds $(SECONDS_EACH) --log build/soak.log

# Builds AWS-LC's libcrypto from source (cmake) and runs the lanes' tests on it; prints the path for JOTGATE_LIBCRYPTO.
aws-lc: $(BUILT)
	tests/aws_lc $(BIN)/python

# The suite on a build with AddressSanitizer and UndefinedBehaviorSanitizer (Linux, gcc).
sanitize: build/sanitize/done
	tests/sanitized -m pytest -q -p no:cacheprovider --deselect 'tests/isolated/test_isolated.py::test_script[leak' --deselect 'tests/isolated/test_isolated.py::test_script[memory' --deselect 'tests/isolated/test_isolated.py::test_script[cache_accounting' --deselect 'tests/isolated/test_isolated.py::test_script[batch_memory' --deselect tests/isolated/test_isolated.py::test_a_leak $(SANITIZE_TESTS)

build/sanitize/done: $(BUILT) $(NATIVE) setup.py $(wildcard src/jotgate/*.py src/jotgate/*/*.py)
	JOTGATE_SANITIZE=1 $(BIN)/python setup.py -q build --build-base build/sanitize --build-lib build/sanitize/lib
	touch $@

# Line coverage of ext/: a build instrumented for gcov, in a copy of the tree.
coverage: $(BUILT)
	rm -rf build/coverage && mkdir -p build/coverage
	cp -r ext src tests bench setup.py pyproject.toml README.md build/coverage/
	rm -f build/coverage/src/jotgate/*.so
	cd build/coverage && JOTGATE_COVERAGE=1 ../../$(BIN)/python setup.py -q build_ext --inplace
	cd build/coverage && PYTHONPATH=src ../../$(BIN)/python -m pytest -q -p no:cacheprovider --ignore=tests/unit/cli --ignore=tests/unit/issuing --ignore=tests/unit/audit --ignore=tests/unit/sessions --ignore=tests/unit/introspection --ignore=tests/model/test_key_ring.py --ignore=tests/model/test_sessions.py --ignore=tests/typing --ignore=tests/services --deselect 'tests/isolated/test_isolated.py::test_script[ring_kill]' --deselect 'tests/isolated/test_isolated.py::test_script[ring_processes]' --deselect 'tests/isolated/test_isolated.py::test_script[session_kill]'
	$(BIN)/python tests/native_coverage.py build/coverage 95

# An sdist, a wheel built from it, and the suite on that wheel in an empty environment, for each Python named.
PYTHONS ?= $(PYTHON)
wheels: $(BUILT)
	rm -rf dist && $(BIN)/python -m build --quiet --sdist --outdir dist
	printf '%s\n' $(PYTHONS) | xargs -P 2 -I PYTHON tests/wheel PYTHON $(WHEEL_TESTS)

clean:
	rm -rf build dist .venv .venv-* src/jotgate/*.so
