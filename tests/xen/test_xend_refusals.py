"""What no domain can be made of: one line each with the cause, and nothing is left."""

import re

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

#: Lines of the configuration, and what the error says.  KERNEL is one that boots.
REFUSED = {
    "missing kernel": ("kernel = '/run/none'", "/run/none"),
    "directory": ("kernel = '/run'", "/run"),
    "empty kernel": ("kernel = '/run/empty'", "/run/empty"),
    "junk": ("kernel = '/run/junk'", "none that a pv domain can boot"),
    "truncated": ("kernel = '/run/truncated'", "/run/truncated"),
    "ramdisk is a pipe": ("kernel = 'KERNEL'\nramdisk = '/run/pipe'", "/run/pipe"),
    "little memory": ("kernel = 'KERNEL'\nmemory = 8", "memory"),
    "more memory than the host's": ("kernel = 'KERNEL'\nmemory = 65536", "the whole host has"),
    "more vCPUs than Xen's": ("kernel = 'KERNEL'\nvcpus = 9000", "vcpus|vCPU"),
    "no such pool": ("kernel = 'KERNEL'\npool = 'none'", "none"),
    "junk, pvh": ("type = 'pvh'\nkernel = '/run/junk'", "none that a pvh domain can boot"),
    "no such script": ("kernel = 'KERNEL'\nvif = ['script=none']", "none"),
}


@pytest.fixture(scope="module")
def files(managed: Dom0) -> None:
    managed.must(
        "touch /run/empty; mkfifo /run/pipe; head -c 100000 /dev/urandom >/run/junk\n"
        f"head -c 100000 {managed.images.kernel} >/run/truncated"
    )


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_leaves_nothing(managed: Dom0, files: None, empty: Left, case: str) -> None:
    lines, expected = REFUSED[case]
    lines = lines.replace("KERNEL", str(managed.images.kernel))
    managed.must(f"cat >/run/bad.cfg <<'END'\nname = 'bad'\n{lines}\nEND")
    done = managed.run(f"{OURS.xl} create -q /run/bad.cfg", 120)
    assert done.status == 1, done
    assert re.search(expected, done.output), done.output
    assert "Traceback" not in done.output
    assert len(done.output.splitlines()) <= 2, done.output
    assert state_of(managed) == empty
