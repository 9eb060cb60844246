"""Domains that xend's helper builds and dumps on the real Xen; by class Xen, without xend itself."""

import errno
import gzip
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.xen import packages
from tests.xen.bzimage import COMPRESSIONS, bzimage
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import UNTIL

pytestmark = [pytest.mark.xen, pytest.mark.ours]
ROOT = Path(__file__).parents[2]
#: Of a Linux guest, and of one small program, in KiB.
LINUX_KIB, PROGRAM_KIB = 96 * 1024, 8 * 1024
SHARE = "/run/share"
#: More than a kernel may unpack to.
BOMB_BYTES = 300 << 20

Order = dict[str, Any]


def obeyed(dom0: Dom0, orders: list[Order], limit_s: int) -> list[dict[str, Any]]:
    """What came of orders to `tests.xen.builder`; afterwards nothing is left of its domains and helpers."""
    (dom0.share / "orders").write_text(json.dumps(orders))
    program = f"cd {ROOT} && {sys.executable} -m tests.xen.builder {SHARE}/orders"
    state = "xl list | cut -c-40; xl info | grep -E '^(free_memory|outstanding)'"
    before = dom0.must(state)
    said = dom0.must(f"{program} || {{ tail {SHARE}/log/syslog; dmesg | tail; false; }}", limit_s)
    others = len(before.splitlines()) - 2
    dom0.must(f"{UNTIL}alone() {{ [ $(xl list | wc -l) = {others} ]; }}\nuntil_done alone")
    assert dom0.run("pgrep -f xend.helper").status == 1
    assert dom0.must(state) == before
    results = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(results) == len(orders)
    return results


def linux(dom0: Dom0, type: str, **fields: Any) -> Order:
    """A Linux that comes up and says how many processors and how much memory it has."""
    return {
        "do": "live",
        "type": type,
        "kernel": str(dom0.images.kernel),
        "ramdisk": str(dom0.images.guest),
        "command_line": "console=hvc0 quiet",
        "memory_kib": LINUX_KIB,
        "commands": ["nproc", "sed -n 's/MemTotal: *//p' /proc/meminfo"],
    } | fields


def program(dom0: Dom0, **fields: Any) -> Order:
    """The small program, which is a paravirtual guest."""
    order = {"do": "live", "type": "pv", "kernel": str(dom0.images.program), "memory_kib": PROGRAM_KIB}
    return order | fields


def refused(dom0: Dom0, type: str, **fields: Any) -> Order:
    order = {"do": "refused", "type": type, "kernel": str(dom0.images.kernel), "memory_kib": LINUX_KIB}
    return order | fields


@pytest.fixture(scope="module")
def bad(dom0: Dom0) -> Iterator[str]:
    """A folder of dom0's with what is no kernel."""
    folder = dom0.share / "bad"
    folder.mkdir()
    whole, shipped = dom0.images.kernel.read_bytes(), packages.kernel().image.read_bytes()
    liar = bytearray(gzip.compress(bytes(BOMB_BYTES), 1))
    liar[-4:] = (1000).to_bytes(4, "little")
    contents = {
        "empty": b"",
        "junk": b"junk" * 1000,
        "cut": whole[: len(whole) // 8],
        "head": whole[:100],
        "cut-bzimage": shipped[: len(shipped) // 2],
        "liar.gz": bytes(liar),
        "bomb": bzimage(bytes(BOMB_BYTES), "xz"),
        "bomb.gz": gzip.compress(bytes(BOMB_BYTES), 1),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    dom0.must("mkfifo /run/fifo")
    yield f"{SHARE}/bad"
    dom0.must("rm /run/fifo")


@pytest.mark.long  # by xend itself in test_xend_*.py
def test_a_core(dom0: Dom0) -> None:
    dom0.must("mkdir /run/cores")
    (result,) = obeyed(dom0, [linux(dom0, "pv", dump="/run/cores/core")], 300)
    assert result["rings"]["store_port"] == 1
    assert result["rings"]["console_port"] == 2
    assert result["info"]["memory_kib"] == LINUX_KIB
    assert result["info"]["outstanding_kib"] == 0
    assert result["again"] == [errno.EEXIST, "/run/cores/core exists, and nothing is overwritten"]
    assert (result["left"], result["is_paused"]) == (["core"], False)
    assert dom0.must("stat -c %a /run/cores/core") == "600"
    sections = dom0.must("readelf -S /run/cores/core; rm -r /run/cores")
    for name in (".note.Xen", ".xen_prstatus", ".xen_pages"):
        assert name in sections


def test_all_compressions_of_a_bzimage(dom0: Dom0) -> None:
    image = dom0.images.program.read_bytes()
    for name in COMPRESSIONS:
        (dom0.share / f"bz-{name}").write_bytes(bzimage(image, name))
    (dom0.share / "gz").write_bytes(gzip.compress(image))
    kernels = [f"{SHARE}/gz", *(f"{SHARE}/bz-{name}" for name in COMPRESSIONS)]
    results = obeyed(dom0, [program(dom0, kernel=kernel) for kernel in kernels], 300)
    for result, kernel in zip(results, kernels, strict=True):
        # Debian's libxenguest is built without libbz2.
        expected = "cannot unpack" if kernel.endswith("bzip2") else "up"
        assert expected in str(result.get("up", result.get("text"))), kernel


@pytest.mark.long  # by xend itself in test_xend_*.py
@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_linux_comes_up(dom0: Dom0, type: str, figures: Figures) -> None:
    orders = [
        linux(dom0, type, max_vcpus=2),
        # To the page; populated on demand (pvh), or given later (pv).
        linux(dom0, type, memory_kib=LINUX_KIB + 12, max_memory_kib=2 * LINUX_KIB + 4, max_vcpus=2, vcpus=1),
    ]
    if type == "pv":
        orders.append(linux(dom0, type, has_host_memory_map=True))
    results = obeyed(dom0, orders, 600)
    assert [result["answers"][0] for result in results] == ["2", "1", "1"][: len(orders)]
    for result, order in zip(results, orders, strict=True):
        total_kib = int(result["answers"][1].split()[0])
        assert LINUX_KIB // 3 < total_kib < order.get("max_memory_kib", LINUX_KIB)
        assert 0 <= result["info"]["memory_kib"] - order["memory_kib"] <= 256
        assert result["info"]["outstanding_kib"] == 0
    figures.add(f"helper: {type} built in {[result['built_s'] for result in results]} s")


@pytest.mark.long  # by xend itself in test_xend_*.py
@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_what_cannot_be_built(dom0: Dom0, bad: str, type: str) -> None:
    none = "is none that a"
    table: list[tuple[dict[str, Any], int, str]] = [
        ({"kernel": "/nope"}, errno.ENOENT, "the kernel /nope: No such file or directory"),
        ({"kernel": "/run"}, errno.EINVAL, "the kernel /run is a directory"),
        ({"kernel": "/dev/zero"}, errno.EINVAL, "is a character device"),
        ({"kernel": "/run/fifo"}, errno.EINVAL, "is a FIFO"),
        ({"kernel": f"{bad}/empty"}, errno.ENOEXEC, "is empty"),
        ({"kernel": f"{bad}/junk"}, errno.ENOEXEC, none),
        ({"kernel": f"{bad}/cut"}, errno.ENOEXEC, none),
        ({"kernel": f"{bad}/head"}, errno.ENOEXEC, none),
        ({"kernel": f"{bad}/bomb.gz"}, errno.ENOEXEC, "unpacks to more than 256 MiB"),
        ({"ramdisk": "/run/fifo"}, errno.EINVAL, "the ramdisk /run/fifo is a FIFO"),
        ({"ramdisk": "/nope"}, errno.ENOENT, "the ramdisk /nope: No such file or directory"),
        ({"memory_kib": 4096}, errno.ENOMEM, "do not fit 4096 KiB of memory"),
        ({"memory_kib": 4 << 20}, errno.ENOMEM, "the host has not enough free memory"),
        ({"command_line": "x" * 1024}, errno.EINVAL, "has 1024 bytes"),
        ({"do": "twice"}, errno.EEXIST, "was built already"),
    ]
    if type == "pv":  # the slow ones
        table += [
            ({"kernel": f"{bad}/cut-bzimage"}, errno.ENOEXEC, none),
            ({"kernel": f"{bad}/liar.gz"}, errno.ENOEXEC, none),
            ({"kernel": f"{bad}/bomb"}, errno.ENOEXEC, "unpacks to more than 256 MiB"),
        ]
    else:
        table = [row for row in table if "command_line" not in row[0]]
        table.append(({"kernel": str(dom0.images.program)}, errno.ENOEXEC, "no entry point for pvh"))
    orders = [refused(dom0, type, **fields) for fields, _, _ in table]
    results = obeyed(dom0, orders, 400)
    wrong = [
        (fields, result)
        for (fields, number, text), result in zip(table, results, strict=True)
        if result.get("errno") != number or text not in result["text"] or "\n" in result["text"]
    ]
    assert not wrong


@pytest.mark.long  # test_xend_stages.py kills them under xend
def test_a_helper_that_is_killed(dom0: Dom0) -> None:
    steps = ("open", "files", "policy", "populate", "load", "boot")
    orders = [refused(dom0, type, do="killed", step=step) for step in steps for type in ("pv", "pvh")]
    for result, order in zip(obeyed(dom0, orders, 300), orders, strict=True):
        # A step may be over before it is killed: then it ended in the next one, or was done.
        assert result.get("built") or "was ended by SIGKILL" in result["text"], order


@pytest.mark.long
def test_a_build_that_is_cancelled(dom0: Dom0) -> None:
    kernel = str(dom0.images.compressed)  # whose unpacking takes seconds
    (result,) = obeyed(dom0, [refused(dom0, "pv", do="cancelled", step="parse", kernel=kernel)], 120)
    assert result["cancelled"]


@pytest.mark.long
def test_a_helper_ends_with_who_started_it(dom0: Dom0) -> None:
    kernel = str(dom0.images.compressed)
    order = refused(dom0, "pv", do="abandoned", step="parse", kernel=kernel)
    (dom0.share / "orders").write_text(json.dumps([order]))
    done = dom0.run(f"cd {ROOT} && {sys.executable} -m tests.xen.builder {SHARE}/orders", 120)
    said = json.loads(done.output.splitlines()[0])
    gone = shlex.quote(f"while [ -e /proc/{said['pid']} ]; do read -r -t 0.1 <>/run/never; done")
    dom0.must(f"timeout 20 bash -c {gone}; xl destroy {said['domid']}")
