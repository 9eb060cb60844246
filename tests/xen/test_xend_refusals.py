"""What no domain can be made of: one line each with the cause, and nothing is left."""

import re
from collections.abc import Iterator

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL
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
    "a slash in a tag": (
        "kernel = 'KERNEL'\np9 = ['tag=a/b,path=/run,security_model=none']",
        "1 to 64 letters",
    ),
    "hvm without hap": ("type = 'hvm'\nhap = 0", "shadow not among the virt_caps"),
    "missing firmware": ("type = 'hvm'\nbios_path_override = '/run/none'", "firmware /run/none"),
    "qcow2 that is none": ("type = 'hvm'\ndisk = ['/run/junk,qcow2,hda,w']", "not in qcow2 format"),
    "VNC's port in use": ("type = 'hvm'\nvncdisplay = 9\nvncunused = 0", "Address already in use"),
    "option of another type": ("type = 'hvm'\nvfb = ['vncpasswd=x']", "shown by its graphics card"),
    "little for the screen": ("type = 'hvm'\nmemory = 11", "videoram"),
    "little for the firmware": (
        "type = 'hvm'\nmemory = 13\nbios_path_override = '/run/large'",
        "firmware of 6144 KiB and a graphics card with 8192 KiB do not fit 13312 KiB of memory",
    ),
}
LISTEN = (
    'import signal, socket; at = socket.create_server(("127.0.0.1", 5909)); '
    'print("listens", flush=True); signal.pause()'
)


@pytest.fixture(scope="module")
def files(managed: Dom0) -> Iterator[None]:
    """And somebody who has the port of a screen."""
    managed.must(
        "touch /run/empty; mkfifo /run/pipe; head -c 100000 /dev/urandom >/run/junk\n"
        f"head -c 100000 {managed.images.kernel} >/run/truncated; truncate -s 6M /run/large\n"
        f"setsid python3 -c '{LISTEN}' >/run/listens 2>&1 & echo $! >/run/listens.pid\n"
        f"{UNTIL}until_done grep listens /run/listens"
    )
    yield
    managed.must("kill $(cat /run/listens.pid)")


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
