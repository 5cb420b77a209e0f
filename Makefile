# Ward. `make help` lists what there is.
PREFIX ?= /usr/local
BUILD ?= build
SAN ?= build-san
VENV ?= .deps/venv
NODE ?= .deps/node
JOBS ?= 2

.PHONY: all build run test check clang unit e2e san fuzz soak bench coverage deps deps-test install clean help format

all: build

help:
	@echo "make           build (touches no network)"
	@echo "make run       install what is missing, build, start Ward with the goodbuy blueprint"
	@echo "make test      install what is missing, build twice (release, sanitizers), run all tests"
	@echo "make fuzz      fuzz every parser, FUZZ_SECONDS each (default 60)"
	@echo "make soak      kill Ward 100 times in the middle of writes, and look"
	@echo "make bench     measure, side by side with moto where it is installed"
	@echo "make install   PREFIX=$(PREFIX)"
	@echo "make clean"

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix=$(PREFIX) --buildtype=release -Doptimization=2 -Dtests=false

build: $(BUILD)/build.ninja
	ninja -C $(BUILD) -j$(JOBS)

$(SAN)/build.ninja:
	meson setup $(SAN) --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false

san: $(SAN)/build.ninja
	ninja -C $(SAN) -j$(JOBS)

deps:
	@tools/deps.sh build

deps-test: deps
	@tools/deps.sh test $(VENV) $(NODE)

run: deps
	@$(MAKE) --no-print-directory build
	$(BUILD)/ward up --blueprint goodbuy --trail-interval 5

test: deps-test
	@$(MAKE) --no-print-directory build san
	@$(MAKE) --no-print-directory check clang unit e2e

check:
	python3 tools/check_tree.py

clang:
	python3 tools/check_clang.py $(SAN) $(JOBS)

unit:
	WARD_VENV=$(abspath $(VENV)) meson test -C $(SAN) --print-errorlogs --num-processes $(JOBS)

e2e:
	$(VENV)/bin/python tests/run.py --jobs $(JOBS) --ward $(SAN)/ward --fast $(BUILD)/ward \
	    --node $(NODE)

fuzz: deps
	tools/fuzz.sh

soak: deps-test build
	$(VENV)/bin/python tests/kill.py --ward $(BUILD)/ward --rounds 100

bench: deps-test build
	@# One that misses a limit says so; the other is to be seen too.
	a=0; $(VENV)/bin/python bench/run.py --ward $(BUILD)/ward || a=1; \
	    python3 bench/scan.py --tool $(BUILD)/ward && exit $$a

coverage: build
	$(BUILD)/ward coverage

install: build
	meson configure $(BUILD) --prefix=$(abspath $(PREFIX))
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) $(SAN) build-fuzz
