# Two commands on a fresh machine, `make run` and `make test`, set up all they need; `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
STUBS := .venv/stubs
VM := tests/vm/node_modules
MINISTACK := .ministack
AZURE := .azure
ALIBABA := .alibaba
FLASHER := .flasher
DOCS := .docs

# The path of a MicroPython unix binary for `make run`, `make test` and `make bench`; never needed.
export MICROPYTHON
# Debian keeps mosquitto where only root looks.
export PATH := $(PATH):/usr/sbin
# Images for containers say so; here a thousand processes would compile the same files, each for itself.
unexport PYTHONDONTWRITEBYTECODE

# Both set-up steps leave a stamp: done again when a pin changes, and not a word to the network otherwise.
PIP := $(BIN)/pip install -qq --disable-pip-version-check
PINS = $(BIN)/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*$(1))'

.PHONY: help setup run dev camera docs image flasher flash deploy configure console phone packages test test-slow test-unit test-aws coverage test-board lint format size bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/ready $(VM)/ready $(FLASHER)/ready .venv/delta  ## make the virtual environment and get the MicroPython VM and ESP Web Tools (every other target does this itself)

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python's venv module is needed: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv"
	@$(PYTHON) -m venv .venv
	@pins=$$($(call PINS,project["dependencies"] + project["optional-dependencies"]["dev"] + project["optional-dependencies"]["camera"] + project["optional-dependencies"]["clouds"] + project["optional-dependencies"]["pkcs11"])); $(PIP) $$pins
	@pins=$$($(call PINS,project["optional-dependencies"]["page"])); $(PIP) --no-deps $$pins
	@pins=$$($(call PINS,project["optional-dependencies"]["stubs"])); \
	if [ "$$pins" != "$$(cat $(STUBS)/pins 2>/dev/null)" ]; then \
	  rm -rf $(STUBS); $(PIP) --target $(STUBS) $$pins; echo "$$pins" >$(STUBS)/pins; \
	fi
	@touch $@

# Node is not needed to run a device; the tests say what they skip without it.
$(VM)/ready: tests/vm/package.json
	@if ! command -v npm >/dev/null; then echo "No npm: the tests on the MicroPython VM will be skipped"; exit 0; fi; \
	echo "Getting the MicroPython VM"; \
	npm install --prefix tests/vm --silent --no-package-lock --no-audit --no-fund; \
	touch $@

$(FLASHER)/ready: tools/flasher/package.json
	@if ! command -v npm >/dev/null; then echo "No npm: the tests of the page that flashes boards will be skipped"; exit 0; fi; \
	echo "Getting ESP Web Tools"; \
	mkdir -p $(FLASHER); cp $< $(FLASHER); \
	npm install --prefix $(FLASHER) --silent --no-package-lock --no-audit --no-fund; \
	touch $@

# Makes deltas. It is compiled here; the tests say what they skip without it.
.venv/delta: .venv/ready
	@pins=$$($(call PINS,project["optional-dependencies"]["delta"])); \
	if ! $(PIP) $$pins 2>/dev/null; then echo "No C++ compiler: the tests of deltas will be skipped"; exit 0; fi; \
	touch $@

# What wants other versions than .venv has, or is of use to few, is in an environment of its own, by the name of its
# extra. Made anew when its pins change, and only then.
$(MINISTACK)/ready $(AZURE)/ready $(ALIBABA)/ready $(DOCS)/ready: .%/ready: .venv/ready
	@pins=$$($(call PINS,project["optional-dependencies"]["$*"])); \
	if [ "$$pins" != "$$(cat $@ 2>/dev/null)" ]; then \
	  echo "Setting up $(@D)"; rm -rf $(@D); $(BIN)/python -m venv $(@D); \
	  $(@D)/bin/pip install -qq --disable-pip-version-check $$pins; echo "$$pins" >$@; \
	fi
	@touch $@

run: .venv/ready  ## bring a simulated ESP32 to life against a local AWS IoT Core (ONCE=1, DEVICES=20, CHAIN=rsa, CLOUD=azure|clearblade|alibaba|mqtt|greengrass)
	@$(BIN)/python -m tools run --updates $(if $(filter-out 0,$(ONCE)),--once) $(if $(DEVICES),--devices $(DEVICES)) \
	  $(if $(CHAIN),--server-chain $(CHAIN)) $(if $(CLOUD),--cloud '$(CLOUD)')

dev: .venv/ready  ## bring what is saved in firmware/ or lib/ to a simulated device, or to the board on PORT=…, at once
	@$(BIN)/python -m tools dev $(port)

camera: .venv/ready  ## a simulated camera, its service and its page, all of it on this computer (ONCE=1, PICTURES=dir)
	@$(BIN)/python -m tools camera $(if $(filter-out 0,$(ONCE)),--once) $(if $(PICTURES),--pictures '$(PICTURES)')

docs: $(DOCS)/ready  ## build the documentation as a site in build/site, its links checked
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet
	@echo "build/site/index.html"

# A real board, or whatever speaks like one on a serial port; PORT may be left out where one is plugged in.
# Values with blanks or $ belong in single quotes.
port = $(if $(PORT),'$(PORT)')
needs = $(if $(2),,$(error $(1) is needed: make $@ $(3)))

image: .venv/ready  ## one file for a board, MicroPython and this firmware (IMAGE=file.bin OUT=board.bin CODE=new PRODUCT=file.json PACKAGES=dir)
	@:$(call needs,IMAGE,$(IMAGE),IMAGE=… OUT=…)
	@:$(call needs,OUT,$(OUT),IMAGE=… OUT=…)
	@$(BIN)/python -m tools image '$(IMAGE)' '$(OUT)' $(if $(CODE),--code '$(CODE)') $(if $(PRODUCT),--product '$(PRODUCT)') $(if $(PACKAGES),--packages '$(PACKAGES)')

flasher: .venv/ready $(FLASHER)/ready  ## serve the page that flashes boards from a browser (IMAGE='board.bin …' PRODUCT=file.json)
	@:$(call needs,IMAGE,$(IMAGE),IMAGE=…)
	@$(BIN)/python -m tools flasher $(IMAGE) $(if $(PRODUCT),--product '$(PRODUCT)')

flash: .venv/ready  ## write an image to a board, MicroPython or what make image has made (IMAGE=file.bin, PORT=/dev/ttyUSB0 where several are plugged in)
	@:$(call needs,IMAGE,$(IMAGE),IMAGE=…)
	@$(BIN)/python -m tools flash $(port) '$(IMAGE)'

deploy: .venv/ready  ## put the firmware on a board that runs MicroPython (PORT=… PACKAGES=dir)
	@$(BIN)/python -m tools deploy $(port) $(if $(PACKAGES),--packages '$(PACKAGES)')

configure: .venv/ready  ## give a board its configuration (PORT=… FILE=board.json)
	@:$(call needs,FILE,$(FILE),FILE=…)
	@$(BIN)/python -m tools configure $(port) '$(FILE)'

console: .venv/ready  ## a board's log and its line commands, Ctrl-] leaves (PORT=…)
	@$(BIN)/python -m tools console $(port)

phone: .venv/ready  ## serve the page that sets a device up over Bluetooth LE (PRODUCT=file.json)
	@$(BIN)/python -m tools phone $(if $(PRODUCT),--product '$(PRODUCT)')

packages:  # installs what some tests need, where the system's package manager may do that without asking
	@$(PYTHON) tests/programs.py

test: packages setup $(MINISTACK)/ready $(AZURE)/ready $(ALIBABA)/ready  ## run all tests, four at a time: most of them wait for something
	@echo "All tests: about twenty minutes on two cores, longer where those have other work (make test-unit: some seconds)"
	@status=0; $(BIN)/python -m pytest tests -n 4 --dist worksteal || status=$$?; \
	$(PYTHON) tests/programs.py --missing; exit $$status

test-slow: packages setup $(MINISTACK)/ready  ## run the tests that wait for a device's real deadlines with its clock at their real speed, and those that take long
	@SIM_SPEED=1 $(BIN)/python -m pytest tests -m slow -n 4 --dist worksteal
	@$(BIN)/python -m pytest tests -m every -n 4 --dist worksteal

test-unit: .venv/ready  ## run the device modules' unit tests on CPython alone
	@$(BIN)/python -m pytest tests/unit -n 4 --dist worksteal

test-aws: .venv/ready  ## set an account of AWS up, register a device there, and take it down again; tells first what that makes (AWS_PROFILE=name YES=1)
	@$(BIN)/python -m tests.aws_account

# Left out: a full disk is one for what coverage writes, too, and what it says at a device's end is no line of aioble's.
# Simulated devices are killed, and leave halves of files behind, which `combine` passes over.
coverage: setup  ## the lines of device code that the tests on CPython reach, in process
	@rm -rf build/coverage; mkdir -p build/coverage
	@status=0; $(BIN)/python -m coverage run -m pytest tests/unit tests/host -n 4 --dist worksteal \
	  --deselect tests/host/cloud/test_full_disk.py --deselect tests/host/sim/test_aioble.py || status=$$?; \
	$(BIN)/python -m coverage combine -q 2>/dev/null || true; $(BIN)/python -m coverage report; exit $$status

test-board: .venv/ready  ## test a board, and report (PORT=… WIFI=ssid:password HOST=address LISTEN=… NTP=… PACKAGES=… ONLY=soak|memory|config|ota|image IMAGE=….bin)
	@:$(call needs,WIFI,$(WIFI),WIFI=ssid:password HOST=address)
	@:$(call needs,HOST,$(HOST),WIFI=ssid:password HOST=address)
	@$(BIN)/python -m pytest tests/board --port '$(PORT)' --wifi '$(WIFI)' --host '$(HOST)' \
	  $(if $(LISTEN),--listen '$(LISTEN)') $(if $(NTP),--ntp '$(NTP)') $(if $(PACKAGES),--packages '$(PACKAGES)') $(if $(IMAGE),--image '$(IMAGE)') $(if $(ONLY),-m '$(ONLY)')

lint: setup  ## ruff, mypy (device code against the ESP32's stubs), and the names that a board has not
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --config-file tools/mypy-device.ini --cache-dir .mypy_cache/device
	$(BIN)/mypy --cache-dir .mypy_cache/host
	cd firmware/examples/camera && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/tools/mypy-device.ini --cache-dir $(CURDIR)/.mypy_cache/camera -p firmware
	$(BIN)/python -m tools names
	IOT_APP=firmware/examples/camera $(BIN)/python -m tools names

format: .venv/ready  ## let ruff lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

size: setup  ## bytes of a slot, the heap of what stays in each mode and for a moment, and a start in the chip's heap
	@$(BIN)/python -m tools size

bench: .venv/ready .venv/delta  ## measure the MQTT client beside umqtt.simple, what services cost it, the local cloud beside mosquitto, a phone's set-up, P-256, a delta, and updates
	@$(BIN)/python -m tools bench

clean:  ## remove what was made here, the virtual environment included
	rm -rf .venv $(MINISTACK) $(AZURE) $(ALIBABA) $(FLASHER) $(DOCS) build state .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info tests/vm/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
