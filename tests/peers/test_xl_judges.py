"""Configurations that Debian's own xl judges too: both take the same, and refuse the same.

Each option of the table alone, with values that change nothing, that ask for something, and that are wrong;
and specifications of interfaces.  Where the two differ there is a row with the reason.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import need, preloaded
from tests.peers.debian import XEN_BIN
from xend.config.domain import parse
from xend.config.option import Option
from xend.config.options import OPTIONS, XM
from xend.errors import XendError

XL = XEN_BIN / "xl"
SECONDS = 60
BASE = 'name = "foo"\nkernel = "/netbsd"\nmemory = 32\nuuid = "039e9ee6-4a84-3055-4c81-8ba426ae2656"\n'
#: Values of any kind.
VALUES = ("0", "1", "256", "''", "'x'", "'1'", "'all'", "'default'", "[]", "['x']")

#: What xl refuses of a paravirtual domain, and we take: it means nothing for one.
TAKEN_HERE = {
    "timer_mode": "xl says that it is for HVM domains only, and makes none",
    "device_model_args": "a text in place of a list, of which we warn",
    "device_model_args_pv": "a text in place of a list, of which we warn",
    "device_model_args_hvm": "a text in place of a list, of which we warn",
    "bootloader_args": "an empty text, on which xl stumbles (status 245)",
    "firmware": "an empty one, which asks for nothing; xl counts it as a second kernel",
}
#: What xl takes and we refuse, though not since it cannot be had; of values of another kind xl only warns.
REFUSED_HERE = {
    "maxmem": "less than memory",
    "name": "an empty one, or digits, which are a domid",
    "type": "an empty one is HVM",
    "builder": "an empty one is HVM",
    "kernel": "an empty one, or one below no directory",
    "ramdisk": "one below no directory",
    "cpus": "xl looks at a list only where vcpus or maxvcpus stands before it, and at none otherwise",
    "cpus_soft": "the same",
    "cpuid": "no policy, of which xl says so and goes on",
    "xenstore_quota": "xl 4.17 does not know it, newer ones do",
    "vmtrace_buf_kb": "no power of 2, which the hypervisor refuses",
}


#: What we refuse though nothing of it shows in what xl prints.
NOT_SHOWN = {
    "cpuid": "xl takes it to the hypervisor, which is not there",
    **dict.fromkeys(("cpus", "cpus_soft"), "as above"),
    **dict.fromkeys(
        ("llc_colors", "xenstore_feature_mask", "xenstore_quota", "virtio"),
        "xl 4.17 does not know it, newer ones do",
    ),
    **dict.fromkeys(("bootloader_restrict", "bootloader_user", "pvshim"), "it protects"),
}


def theirs(text: str, directory: Path) -> str | None:
    """What Debian's xl makes of it, as it prints that; None: it refuses."""
    file = directory / "foo.cfg"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    done = subprocess.run(
        [XL, "-N", "create", "-q", file],
        env={**os.environ, "LD_PRELOAD": preloaded("xl_offline"), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
    )
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def ours(text: str) -> XendError | None:
    """Why it is refused here; None: it is not."""
    try:
        parse(text, source="foo.cfg", name="foo")
    except XendError as error:
        return error
    return None


@pytest.fixture(autouse=True)
def their_xl() -> None:
    need(XL, Path("cc"))


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_an_option_alone(option: Option, tmp_path: Path) -> None:
    nothing = theirs(BASE, tmp_path)
    for value in VALUES:
        text = f"{BASE}{option.name} = {value}\n"
        made, error = theirs(text, tmp_path), ours(text)
        if error is None:
            assert made or option.name in TAKEN_HERE, text
        elif made:
            is_of_another_kind = option.accepted in error.message or option.is_here
            assert made != nothing or option.name in NOT_SHOWN or is_of_another_kind, text
            assert error.code == "unsupported" or option.name in REFUSED_HERE or is_of_another_kind, text


ALIKE = [
    *(f"{name} = 'x'" for name in XM),
    "frob = 1", "frob = [ 'a', [ 'b' ] ]", "vif_other_config = [ ]", "on_shutdown = 'destroy'",
    "arch = 'x86_64'",
    "type = 'pvh'", "type = 'pvh'; maxmem = 64", "pool = 1", "nomigrate = 0", "tsc_mode = 3", "e820_host = 1",
    "vcpus = 2; cpus = '0-3,^2'", "vcpus = 2; cpus = 1", "vcpus = 2; cpus = [ '0', 1 ]", "cpus = 'nodes:all'",
    "vcpus = 2; cpus_soft = 'all,^5'", "max_grant_frames = 64", "max_grant_version = 1",
    "irqs = [ 5, '6' ]", "ioports = [ '2f8-2ff', 378, '0x60' ]", "iomem = [ 'fe000,8', '0xfe000,8@100' ]",
    "vif = [ 'bridge=ovsbr0.4:12:34' ]", "vif = [ 'bridge=ovsbr0.4:1234:3456,script=vif-openvswitch' ]",
    "vif = [ 'bridge=a b' ]", "vif = [ 'gatewaydev=a-very-long-interface' ]", "vif = [ 'mac=0:16:3e:1:2:3' ]",
    "vif = [ 'mac=00:00:00:00:00:00' ]", "vif = [ 'frob=1,bridge=a' ]", "vif = [ 'frob' ]",
    "# caf\udce9", "extra = 'caf\udce9'", "kernel = '/caf\udce9'", "memory = 32 # \udcff\udcfe",
    "disk = [ 'file:/a,xvda,w', 'phy:b,xvdb,r' ]", "disk = [ './a,raw,xvda,w' ]",
]  # fmt: skip


@pytest.mark.parametrize("text", ALIKE, ids=lambda text: ascii(text))
def test_what_both_take(text: str, tmp_path: Path) -> None:
    assert theirs(BASE + text + "\n", tmp_path)
    parse(BASE + text + "\n", source="foo.cfg", name="foo", directory="/")


@pytest.mark.parametrize(
    "text",
    [
        "tsc_mode = 'x'",
        "passthrough = 'x'",
        "altp2m = 'x'",
        "vuart = 'x'",
        "tee = 'x'",
        "a = ",
        "a = x",
        "tsc_mode = 4",
        "vcpus = 1; cpus = '1x'",
        "vcpus = 1; cpus = '3-1'",
        "vcpus = 1; cpus = '0,^all'",
        "vcpus = 2; cpus_soft = [ 'x' ]",
        "irqs = [ '0x5' ]",
        "irqs = [ '5x' ]",
        "irqs = [ '-1' ]",
        "ioports = [ '3f8-' ]",
        "ioports = [ 'x' ]",
        "iomem = [ 'fe000' ]",
        "iomem = [ 'fe000,8x' ]",
        "max_grant_frames = 'x'",
        "max_maptrack_frames = 'x'",
    ],
)
def test_what_both_refuse(text: str, tmp_path: Path) -> None:
    assert not theirs(BASE + text + "\n", tmp_path)
    assert ours(BASE + text + "\n") is not None
