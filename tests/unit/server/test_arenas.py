"""Python's small objects in huge pages: nothing is lost, given up memory goes back, the kernel was asked."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")

USE = """
from pathlib import Path
from xenstore._arenas import use_huge_pages

before = [b"%040d" % i for i in range(20_000)]
print(use_huge_pages())
after = [b"%040d" % i for i in range(200_000)]
asked = [line for line in Path("/proc/self/smaps").read_text().splitlines() if line.startswith("VmFlags")]
print(any(" hg" in line for line in asked))
print(before == after[:20_000], after == [b"%040d" % i for i in range(200_000)])
del before, after
resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
print(resident < 30 << 20 or resident)
"""


@pytest.mark.skipif(not HUGE_PAGES.exists(), reason="this system has no transparent huge pages")
def test_arenas_lie_in_huge_pages_and_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.split()) == ("", ["True"] * 5)


GIVE_BACK = """
from pathlib import Path
from xenstore._arenas import give_back_unused

def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

blocks = [bytes(5000) for _ in range(10_000)]
blocks = blocks[::1000]
before = resident_kib()
give_back_unused()
print(before - resident_kib() > 30_000)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc keeps what lies below a block in use"
)
def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GIVE_BACK], capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.split()) == ("", ["True"])
