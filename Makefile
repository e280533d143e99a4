# Every target sets up what it needs: a virtual environment in VENV, made anew when requirements change.
PORT ?= 3000
STORE ?= memory
VENV ?= .venv
export VENV
python = $(VENV)/bin/python

.PHONY: dev test check lint typescript browsers slow vercel-check doctor bench peers load faults fuzz mutants openapi clean screenshots

dev: $(VENV)/$(if $(filter memory,$(STORE)),run,dev)
	@$(python) -m dev.serve --port $(PORT) --store $(STORE) --env-files

test: $(VENV)/dev
	@dev/test

check: lint typescript browsers test slow vercel-check

lint: $(VENV)/dev
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy

typescript: $(VENV)/dev
	@$(python) -m dev.typescript.check

browsers: $(VENV)/dev
	@$(python) -m dev.browsers.check

slow: $(VENV)/dev
	@dev/test slow

vercel-check: $(VENV)/dev
	@$(python) -m dev.vercel.check

# The shell expands URL and OLD, and ONLY below, so that nothing in them is run.
doctor: $(VENV)/dev
	@$(python) -m dev.doctor $(if $(JSON),--json) $(if $(OLD),--old="$$OLD") $(if $(URL),"$$URL")

bench: $(VENV)/dev
	@$(python) -m dev.measure.bench $(if $(ONLY),--only "$$ONLY") $(if $(QUICK),--quick) $(if $(BIG),--big) $(if $(JSON),--json)

load: $(VENV)/dev
	@$(python) -m dev.measure.load $(if $(JSON),--json) $(if $(MINUTES),--minutes "$$MINUTES")

faults: $(VENV)/dev
	@$(python) -m dev.prove.faults $(if $(QUICK),--quick) $(if $(JSON),--json)

fuzz: $(VENV)/dev
	@$(python) -m dev.prove.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

mutants: $(VENV)/dev
	@$(python) -m dev.prove.mutants $(if $(MODULE),"$$MODULE")

peers: $(VENV)/dev
	@$(python) -m dev.measure.peers $(if $(JSON),--json) $(if $(QUICK),--quick)

openapi: $(VENV)/dev
	@$(python) -m dev.openapi

screenshots: $(VENV)/dev
	@$(python) -m dev.screenshots

clean:
	rm -rf .venv .venv-* dev/vercel/node_modules dev/typescript/node_modules dev/browsers/node_modules dev/measure/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@python=$$(dev/find-python) && "$$python" -m venv --clear $(VENV)

$(VENV)/run: requirements.txt dev/requirements.txt | $(VENV)/bin/python
	@echo "Installing what tgauth and its development server run on into $(VENV) ..." >&2
	@$(python) -m pip install --quiet --disable-pip-version-check -r dev/requirements.txt
	@touch $@

$(VENV)/dev: requirements.txt dev/requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing what the tests and checks use into $(VENV) ..." >&2
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/run $@
