"""Whole configurations: what becomes of them, and what is wrong with those that are."""

from typing import Any

import attrs
import pytest

from tests.unit.xend.config.conftest import HOWTO, complaint, config
from xend.config import EVENTS, DomainConfig
from xend.config.boot import BootLoader
from xend.config.disk import DiskConfig
from xend.config.domain import parse
from xend.config.name import MAX_NAME_BYTES, name_complaint
from xend.config.vif import VifConfig

UUID = "039e9ee6-4a84-3055-4c81-8ba426ae2656"


def test_the_howtos_example() -> None:
    assert parse(HOWTO, source="/usr/pkg/etc/xen/foo", name="foo") == DomainConfig(
        name="foo",
        memory_kib=256 * 1024,
        max_memory_kib=256 * 1024,
        kernel="/netbsd-XEN3_DOMU.gz",
        devices={
            "vbd": (
                DiskConfig(target="/n0/xen/foo-wd0", vdev="0x0", devid=0, name="0x0"),
                DiskConfig(target="/n0/xen/netbsd-ISO.iso", vdev="0x1", devid=1, name="0x1", mode="r"),
            ),
            "vif": (VifConfig(mac="aa:00:00:50:02:f0", bridge="bridge0", devid=0),),
        },
        given={
            "kernel": "/netbsd-XEN3_DOMU.gz",
            "memory": 256,
            "vif": ["mac=aa:00:00:50:02:f0,bridge=bridge0"],
            "disk": ["file:/n0/xen/foo-wd0,0x0,w", "file:/n0/xen/netbsd-ISO.iso,0x1,r"],
        },
    )


# What is added to a configuration with nothing but a kernel, and what changes by it.
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("name = 'bar'", {"name": "bar"}),
    ("name = 'bär 2'", {"name": "bär 2"}),
    (f"uuid = '{UUID.upper()}'", {"uuid": UUID}),
    ("type = 'pv'", {}),
    ("type = 'pv'; builder = 'generic'", {}),
    ("builder = 'linux'", {}),
    ("memory = 64", {"memory_kib": 65536, "max_memory_kib": 65536}),
    ("memory = '64'", {"memory_kib": 65536, "max_memory_kib": 65536}),
    ("memory = 0x40", {"memory_kib": 65536, "max_memory_kib": 65536}),
    ("memory = 64; maxmem = 128", {"memory_kib": 65536, "max_memory_kib": 131072}),
    ("maxmem = 256", {"max_memory_kib": 262144}),
    ("memory = 1; memory = 64", {"memory_kib": 65536, "max_memory_kib": 65536}),
    ("vcpus = 4", {"vcpus": 4, "max_vcpus": 4}),
    ("vcpus = 128", {"vcpus": 128, "max_vcpus": 128}),
    ("vcpus = 2; maxvcpus = 4", {"vcpus": 2, "max_vcpus": 4}),
    ("maxvcpus = 4", {"vcpus": 1, "max_vcpus": 4}),
    ("ramdisk = '/initrd'", {"ramdisk": "/initrd"}),
    ("ramdisk = ''", {}),
    ("cmdline = 'root=xbd0a -v'", {"command_line": "root=xbd0a -v"}),
    ("root = 'xbd0a'", {"command_line": "root=xbd0a"}),
    ("extra = '-v'", {"command_line": "-v"}),
    ("extra = 3", {"command_line": "3"}),
    ("root = '/dev/xvda1 ro'; extra = '-v'", {"command_line": "root=/dev/xvda1 ro -v"}),
    ("extra = '-v'\nextra += ' -x'\nextra += ' -a'", {"command_line": "-v -x -a"}),
    ("driver_domain = 1", {"driver_domain": True}),
    ("driver_domain = '0'", {}),
    ("on_crash = 'preserve'", {"actions": {**EVENTS, "crash": "preserve"}}),
    ("disk = []; vif = []", {}),
    ("disk = ['phy:/a,xvda,w']\ndisk += ['phy:/b,xvdb,r',]", {
        "devices": {"vbd": (
            DiskConfig(target="/a", vdev="xvda", devid=51712, name="xvda"),
            DiskConfig(target="/b", vdev="xvdb", devid=51728, name="xvdb", mode="r"),
        )}
    }),
    ("vif = ['', 'bridge=a', 'devid=7']", {
        "devices": {"vif": (VifConfig(devid=0), VifConfig(bridge="a", devid=1), VifConfig(devid=7))}
    }),
]  # fmt: skip


@pytest.mark.parametrize(("text", "changes"), GOOD)
def test_what_is_read(text: str, changes: dict[str, Any]) -> None:
    read = config(text)
    expected = DomainConfig(**{"name": "foo", "kernel": "/netbsd", "given": read.given, **changes})
    assert read == expected


BAD = [
    ("name = ''", 'name = "": expected a name that is not empty'),
    ("name = 'a/b'", 'name = "a/b": expected a name without / and control characters'),
    ("name = 'a\\nb'", r'name holds "a\nb", expected no control characters'),
    ("name = 'a\\xc2\\x85'", r'name = "a\x85": expected a name without / and control characters'),
    ("name = '-a'",
     'name = "-a": expected a name that neither begins with -, . or a blank nor ends with a blank'),
    ("name = '12'", 'name = "12": expected more than digits, which mean a domid'),
    ("name = 12", "name = 12: expected more than digits, which mean a domid"),
    ("name = 'Domain-0'", 'name = "Domain-0": expected another name: this is dom0\'s'),
    ("uuid = '12'", 'uuid = "12": expected hexadecimal digits in groups of 8-4-4-4-12, not all of them zero'),
    ("uuid = '00000000-0000-0000-0000-000000000000'",
     'uuid = "00000000-0000-0000-0000-000000000000": '
     "expected hexadecimal digits in groups of 8-4-4-4-12, not all of them zero"),
    ("type = 'xen'", 'type = "xen": expected pv, pvh or hvm'),
    ("builder = 'vmx'", 'builder = "vmx": expected generic, linux or hvm'),
    ("type = 'pv'; builder = 'hvm'",
     'builder = "hvm": the type is pv, expected the builder of that type, or none'),
    ("memory = 0", "memory = 0: expected a number of MiB from 1 to 16777216"),
    ("memory = '-1'", 'memory = "-1": expected a number of MiB from 1 to 16777216'),
    ("memory = 16777217", "memory = 16777217: expected a number of MiB from 1 to 16777216"),
    ("memory = '99999999999999999999'",
     'memory = "99999999999999999999": expected a number of MiB from 1 to 16777216'),
    ("memory = '1g'",
     'memory = "1g": expected a number (decimal, octal after 0, or hexadecimal after 0x) of MiB'),
    ("memory = ''",
     'memory = "": expected a number (decimal, octal after 0, or hexadecimal after 0x) of MiB'),
    ("memory = 100; maxmem = 99", "maxmem = 99: expected at least the 100 MiB of memory"),
    ("maxmem = 64", "maxmem = 64: expected at least the 128 MiB of memory, which is not given"),
    ("vcpus = 0", "vcpus = 0: expected a number from 1 to 128"),
    ("vcpus = 129", "vcpus = 129: expected a number from 1 to 128"),
    ("maxvcpus = 129", "maxvcpus = 129: expected a number from 1 to 128"),
    ("vcpus = 2; maxvcpus = 1", "maxvcpus = 1: expected at least the 2 of vcpus"),
    ("ramdisk = 'x'", 'ramdisk = "x": expected an absolute path'),
    (f"extra = '{'x' * 1024}'",
     f'extra = "{"x" * 57}...": the command line has 1024 bytes, expected at most 1023'),
    (f"extra = '{'x' * 2049}'", f'extra holds "{"x" * 57}...", expected at most 2048 bytes'),
    ("driver_domain = 'yes'", 'driver_domain = "yes": expected 0 or 1'),
    ("vcpus = 1\nmemory = 64; vcpus += 1",
     "vcpus += 1, but it is a number; expected a text after a text, or a list after a list"),
    ("extra = 'a'; extra += ['b']",
     "extra += a list, but it is a text; expected a text after a text, or a list after a list"),
    ("disk = [1]", "disk holds 1, expected texts in quotes"),
    ("vif = [['a']]", "vif holds a list, expected texts in quotes"),
    ("disk = ['phy:/a\\n,xvda,w']", r'disk holds "phy:/a\n,xvda,w", expected no control characters'),
    ("disk = ['phy:/a,xvda,w',\n 'phy:/b,0xca00,r']",
     'disk "phy:/b,0xca00,r": vdev 0xca00 (number 51712) is that of an earlier disk, expected each once'),
    ("vif = ['',\n 'devid=0']", 'vif "devid=0": devid 0 is that of an earlier vif, expected each once'),
    ("vif = ['devid=1',\n '']", 'vif "": devid 1 is that of an earlier vif, expected each once'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_refused(text: str, message: str) -> None:
    error = complaint(lambda: config("\n\n" + text))
    assert error.code == "bad_config"
    assert error.message == f"foo.cfg:{3 + text.count(chr(10))}: {message}"


def test_what_must_be_there() -> None:
    error = complaint(lambda: parse("memory = 64", source="foo.cfg", name="foo"))
    assert (
        error.message
        == "foo.cfg: there is no kernel, expected kernel = ... (a file of dom0) or bootloader = ..."
    )
    error = complaint(lambda: parse("kernel = '/x'", source="foo.cfg"))
    assert error.message == "foo.cfg: there is no name, expected name = ..."


def test_a_bootloader_finds_the_kernel() -> None:
    text = "bootloader = 'pygrub'\nbootloader_args = '-q --entry=1'\nkernel = 'boot/vmlinuz'\nextra = 'x'"
    read = parse(f"{text}\nbootloader_user = 'b'\nbootloader_restrict = 1", source="foo.cfg", name="foo")
    assert read.boot_loader == BootLoader(program="pygrub", args=("-q", "--entry=1"), user="b")
    assert (read.kernel, read.ramdisk, read.command_line) == ("boot/vmlinuz", None, "x")
    assert not read.warnings


def test_a_bootloader_is_shut_in_whatever_is_asked_for() -> None:
    read = parse("bootloader = '/x'\nbootloader_restrict = 0", source="foo.cfg", name="foo")
    assert [each.text for each in read.warnings] == [
        "bootloader_restrict = 0 has no effect: xend shuts every boot loader in"
    ]
    error = complaint(lambda: parse("bootloader = 'x/pygrub'", source="foo.cfg", name="foo"))
    assert error.message == 'foo.cfg:1: bootloader = "x/pygrub": expected a name, or an absolute path'


def test_bytes_that_are_no_utf8_are_kept() -> None:
    read = config("# caf\udce9\nextra = 'caf\udce9'; disk = ['file:/caf\udce9,xvda,w']", name="foo")
    assert read.command_line == "caf\udce9"
    assert read.of_kind("vbd")[0].target == "/caf\udce9"
    error = complaint(lambda: config("name = 'caf\udce9'"))
    assert error.message == r'foo.cfg:1: name = "caf\xe9": expected a name in UTF-8'


def test_a_files_name_that_cannot_be_a_domains() -> None:
    error = complaint(lambda: config("", name="12"))
    assert error.message == (
        "foo.cfg: the file's name \"12\" cannot be the domain's: "
        "expected more than digits, which mean a domid"
    )
    assert error.fields["hint"] == "add name = ... to the file"
    assert config("name = 'bar'", name="12").name == "bar"


def test_relative_paths_are_of_the_given_directory() -> None:
    text = "kernel = 'netbsd'"
    error = complaint(lambda: parse(text, source="foo.cfg", name="foo"))
    assert error.message == 'foo.cfg:1: kernel = "netbsd": expected an absolute path'
    error = complaint(lambda: parse(text, source="foo.cfg", name="foo", directory="etc"))
    assert error.message == 'foo.cfg:1: kernel = "netbsd": expected an absolute path'
    read = parse(text + "; ramdisk = 'md/root'", source="foo.cfg", name="foo", directory="/etc/xen")
    assert (read.kernel, read.ramdisk) == ("/etc/xen/netbsd", "/etc/xen/md/root")
    disks = (
        "disk = ['file:a,xvda,w', './b,raw,xvdb,w', 'c,qcow2,xvdc,w', 'phy:d,xvdd,w', 'e,,xvde', '/f,,xvdf']"
    )
    read = parse(f"{text}; {disks}", source="foo.cfg", name="foo", directory="/x")
    assert [disk.target for disk in read.of_kind("vbd")] == ["/x/a", "/x/b", "/x/c", "/dev/d", "/dev/e", "/f"]


# The command line

WORDS: list[tuple[list[str], dict[str, Any]]] = [
    (["memory=64"], {"memory_kib": 65536, "max_memory_kib": 65536}),
    (["kernel=/other"], {"kernel": "/other"}),
    (["extra+=' -x'"], {"command_line": "-v -x"}),
    (["disk=file:/b,0x1,w"],
     {"devices": {"vbd": (DiskConfig(target="/b", vdev="0x1", devid=1, name="0x1"),)}}),
    (["disk+=['file:/b,0x1,w']"], {"devices": {"vbd": (
        DiskConfig(target="/a", vdev="0x0", devid=0, name="0x0"),
        DiskConfig(target="/b", vdev="0x1", devid=1, name="0x1"),
    )}}),
    (["vif=bridge=xenbr0", "vif=bridge=xenbr1"], {"devices": {
        "vbd": (DiskConfig(target="/a", vdev="0x0", devid=0, name="0x0"),),
        "vif": (VifConfig(bridge="xenbr0", devid=0), VifConfig(bridge="xenbr1", devid=1)),
    }}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "changes"), WORDS)
def test_a_command_line_comes_after_the_file(words: list[str], changes: dict[str, Any]) -> None:
    text = "extra = '-v'; disk = ['file:/a,0x0,w']"
    expected = attrs.evolve(config(text), **changes)
    assert attrs.evolve(config(text, *words), given={}) == attrs.evolve(expected, given={})


def test_a_command_line_is_quoted_in_errors() -> None:
    error = complaint(lambda: config("", "memory=lots"))
    assert error.message == (
        'command line:memory=lots: memory = "lots": '
        "expected a number (decimal, octal after 0, or hexadecimal after 0x) of MiB"
    )
    error = complaint(lambda: config("disk = ['phy:/a,xvda,w']", "disk+=['phy:/b,xvda,w']"))
    assert error.message.startswith("command line:disk+=['phy:/b,xvda,w']: disk \"phy:/b,xvda,w\": vdev xvda")


# Names

NAMES = [
    ("foo", True),
    ("ttylinux.example.org", True),
    ("1a", True),
    ("a b", True),
    ("Domain-1", True),
    ("ä", True),
    ("x" * MAX_NAME_BYTES, True),
    ("x" * (MAX_NAME_BYTES + 1), False),
    ("ä" * (MAX_NAME_BYTES // 2 + 1), False),
    ("", False),
    (" ", False),
    ("a ", False),
    (".", False),
    ("..", False),
    ("-c", False),
    ("a/b", False),
    ("a\tb", False),
    ("a\0", False),
    ("a\u2028b", False),
    ("a\u202eb", False),
    ("a\udc80", False),
    ("0", False),
    ("\u0663", False),  # Arabic digits are digits
    ("Domain-0", False),
]


@pytest.mark.parametrize(("name", "is_right"), NAMES)
def test_names(name: str, is_right: bool) -> None:
    assert (name_complaint(name) is None) == is_right
