# The verbs of a working day.  Runs under GNU make and BSD make alike; needs python3 (3.11 or newer)
# with its headers and venv, and a C compiler.  Everything else is fetched into .venv.

PYTHON = python3
VENV = .venv
PY = $(VENV)/bin/python
BUILD_EXT = $(PY) -W ignore setup.py -q build_ext --inplace

.PHONY: all build install run test test-quick long test-xen sanitize lint bench bench-full stress chaos sdist clean

all: build

# Created once, again when the dependencies change.  In the place of setuptools' finder, which costs each start of a
# program 25 ms, the tree's two folders of packages are put into the path.
$(VENV)/.stamp: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -U pip "setuptools>=77" "Cython>=3.1"
	$(PY) -m pip install -q --disable-pip-version-check --no-build-isolation -e ".[test,lint,build]"
	site=$$($(PY) -c 'import site; print(site.getsitepackages()[0])') && rm "$$site"/__editable__*xend* && \
	    printf '%s\n' "$$PWD" "$$PWD/clients" >"$$site/xend.pth"
	touch $(VENV)/.stamp

# Compiles what changed; nothing to do costs about two seconds.
build: $(VENV)/.stamp
	@$(BUILD_EXT)

# xend with a simulated host in the foreground, all of it in ./run/, and a domain to try things on.
run: build
	@exec $(PY) -m xend.demo run

# For the whole host, as root; builds nothing (say `make` before).  PREFIX is /usr/pkg on NetBSD, else /usr/local;
# SYSCONFDIR has the domains' configurations, VARBASE is /var, PYTHON the interpreter that runs it.
DESTDIR =
PREFIX =
SYSCONFDIR =
VARBASE =
install:
	@if [ -x $(PY) ]; then installer=$(PY); else installer=$(PYTHON); fi; \
	$$installer -m contrib.install --destdir "$(DESTDIR)" --prefix "$(PREFIX)" --sysconfdir "$(SYSCONFDIR)" \
	    --varbase "$(VARBASE)" --python "$(PYTHON)" $(INSTALL_ARGS)

# Tests run beside each other: -n is how many workers.  `$(PY) -m pytest FILE` runs one file's tests in one process.
# Bytecode is kept, as every worker loads every test.
TEST = PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n auto --dist worksteal
test: build
	$(TEST)

# What needs no process, no peer and no patience.
test-quick: build
	$(TEST) --quick

# Suites too slow for CI, on the real hypervisor as well.
long: build
	$(TEST) --long
	$(TEST_XEN) --long tests/xen
	XEND_XEN=4.20 $(TEST_XEN) tests/xen

# The real hypervisor under QEMU, with Debian's packages (it says which).  What failed is tried once more, on a host
# booted for that: a limit may be too short where others use the processor, too.  XEN=4.20 is another Xen than this
# Debian's, with the Debian that has it in dom0: fetched, and this project built for it (800 MB, as root).
# Dom0 cannot write bytecode into this tree.
# A host needs little more than one core: two are tried at once, each worker's files in the order of their names: those
# with Debian's xl come before ours, and a worker has one host at a time.
XEN =
TEST_XEN = $(PY) -m pytest --xen
test-xen: build
	@$(PY) -m compileall -q xend xenstore clients
	export XEND_XEN=$(XEN); XEND_XEN_SLOWNESS=2 $(TEST_XEN) -n 2 --dist loadfile --no-loadscope-reorder tests/xen || \
	    $(TEST_XEN) --last-failed --last-failed-no-failures none tests/xen

# The compiled modules, built with checks of every memory access and of undefined behaviour, under the tests
# that feed them anything.
SANITIZED = build/sanitized
SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
sanitize: build
	mkdir -p $(SANITIZED)
	tar -cf - pyproject.toml setup.py README.md LICENSE MANIFEST.in cython xenstore xend clients tests | tar -xf - -C $(SANITIZED)
	find $(SANITIZED) -name '*.so' -exec rm -f {} +
	cd $(SANITIZED) && CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" ../../$(BUILD_EXT)
	cd $(SANITIZED) && PYTHONPATH="$$PWD:$$PWD/clients" PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 ../../$(PY) -m pytest $(SANITIZE_TESTS)
# Not those that measure the process's memory, which the sanitizers' allocator makes another.
SANITIZE_TESTS = tests/unit/journal tests/unit/platform tests/unit/server tests/unit/store tests/conformance tests/fuzz tests/model --ignore=tests/fuzz/test_memory.py \
    --ignore=tests/unit/server/test_arenas.py \
    --deselect=tests/unit/store/test_versions.py::test_a_large_removed_subtree_is_freed_in_slices \
    --deselect=tests/unit/store/test_versions.py::test_what_a_snapshot_holds_is_freed_with_it \
    --deselect=tests/unit/store/test_versions.py::test_what_transactions_copied_is_freed_as_fast_as_they_copy

lint: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PATH="$$PWD/$(VENV)/bin:$$PATH" $(VENV)/bin/cython-lint cython/*/*.p[yx][xd]
	$(VENV)/bin/mypy
	$(PY) -m contrib.nurseries

bench: build
	$(PY) -m tests.bench $(BENCH_ARGS)

bench-full: build
	$(PY) -m tests.bench --full $(BENCH_ARGS)

# make stress STRESS_ARGS="--seconds 60 --clients 64 --socket PATH --plant"
stress: build
	$(PY) -m tests.stress $(STRESS_ARGS)

# make chaos CHAOS_ARGS="--seconds 60 --every 1 --clients 32 --guests 8 --plant"
chaos: build
	$(PY) -m tests.chaos $(CHAOS_ARGS)

sdist: build
	$(PY) -m build

clean:
	rm -rf build dist run *.egg-info $(VENV)
	find xenstore xend clients -name '*.so' -exec rm -f {} +
	find cython -name '*.c' -exec rm -f {} +
