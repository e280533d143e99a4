# Every target sets up what it needs: a virtual environment in .venv, made anew when requirements change.
PORT ?= 3000
STORE ?= memory
python = .venv/bin/python

.PHONY: dev test check lint typescript browsers slow vercel-check doctor bench peers load faults fuzz mutants openapi clean screenshots

dev: .venv/$(if $(filter memory,$(STORE)),run,dev)
	@$(python) -m dev.server --port $(PORT) --store $(STORE)

test: .venv/dev
	@dev/test

check: lint typescript browsers test slow vercel-check

lint: .venv/dev
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy

typescript: .venv/dev
	@$(python) -m dev.typescript.check

browsers: .venv/dev
	@$(python) -m dev.browsers.check

slow: .venv/dev
	@dev/test slow

vercel-check: .venv/dev
	@$(python) -m dev.vercel_check

# The shell expands URL, and ONLY below, so that nothing in them is run.
doctor: .venv/dev
	@$(python) -m dev.doctor $(if $(JSON),--json) $(if $(URL),"$$URL")

bench: .venv/dev
	@$(python) -m dev.bench $(if $(ONLY),--only "$$ONLY") $(if $(QUICK),--quick) $(if $(BIG),--big) $(if $(JSON),--json)

load: .venv/dev
	@$(python) -m dev.load $(if $(JSON),--json) $(if $(MINUTES),--minutes "$$MINUTES")

faults: .venv/dev
	@$(python) -m dev.faults $(if $(QUICK),--quick) $(if $(JSON),--json)

fuzz: .venv/dev
	@$(python) -m dev.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

mutants: .venv/dev
	@$(python) -m dev.mutants $(if $(MODULE),"$$MODULE")

peers: .venv/dev
	@$(python) -m dev.bench.peers $(if $(JSON),--json) $(if $(QUICK),--quick)

openapi: .venv/dev
	@$(python) -m dev.openapi

screenshots: .venv/dev
	@$(python) -m dev.screenshots

clean:
	rm -rf .venv dev/vercel/node_modules dev/typescript/node_modules dev/browsers/node_modules dev/bench/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@python=$$(dev/find-python) && "$$python" -m venv --clear .venv

.venv/run: requirements.txt dev/requirements.txt | .venv/bin/python
	@echo "Installing what tgauth and its development server run on into .venv ..." >&2
	@$(python) -m pip install --quiet --disable-pip-version-check -r dev/requirements.txt
	@touch $@

.venv/dev: requirements.txt dev/requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing what the tests and checks use into .venv ..." >&2
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/run $@
