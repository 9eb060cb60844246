"""xl info, dmesg and uptime: the exact text."""

import json

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, dom0, domain
from xenclient.cli.xl.commands.uptime import DAY, lasted, short

INFO = """\
host                   : dom0.example.org
release                : 10.0
version                : NetBSD 10.0 (XEN3_DOM0)
machine                : amd64
nr_cpus                : 4
max_cpu_id             : 3
nr_nodes               : 1
cores_per_socket       : 2
threads_per_core       : 2
cpu_mhz                : 2600.052
hw_caps                : bfebfbff:77faf3ff:2c100800:00000121:0000000f:009c6fbf:00000000:00000100
virt_caps              :
total_memory           : 4095
free_memory            : 3071
sharing_freed_memory   : 3
sharing_used_memory    : 5
outstanding_claims     : 2
free_cpus              : 0
xen_major              : 4
xen_minor              : 17
xen_extra              : .4
xen_version            : 4.17.4
xen_caps               : xen-3.0-x86_64 \n\
xen_scheduler          : credit2
xen_pagesize           : 4096
platform_params        : virt_start=0xffff800000000000
xen_changeset          : \n\
xen_commandline        : dom0_mem=512M
cc_compiler            : gcc 12
cc_compile_by          : builder
cc_compile_domain      : example.org
cc_compile_date        : Fri Nov 27 2026
build_id               : ab12
xend_config_format     : 4
"""


def test_info(xl: Xl) -> None:
    assert xl("info") == (0, INFO, "")


def test_info_names_what_virtualisation_there_is(xl: Xl, xend: FakeXend) -> None:
    xend.host["virt_caps"] = ["pv", "hvm"]
    assert "\nvirt_caps              : pv hvm\n" in xl("info")[1]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("total_memory", "4095\n"),
        ("xen_m", "4\n17\n"),
        ("virt_caps", "\n"),
        ("release", "10.0\n"),
        ("nothing", ""),
    ],
)
def test_info_of_a_key(xl: Xl, key: str, text: str) -> None:
    assert xl("info", key) == (0, text, "")


def test_info_json(xl: Xl, xend: FakeXend) -> None:
    assert json.loads(xl("info", "--json")[1]) == xend.host


def test_dmesg_is_what_xen_wrote(xl: Xl, xend: FakeXend) -> None:
    assert xl("dmesg") == (0, "(XEN) Xen version 4.17\n(XEN) \xff\n", "")
    assert xend.asked == []


def test_dmesg_clear(xl: Xl, xend: FakeXend) -> None:
    assert xl("dmesg", "-c")[0] == 0
    assert xend.asked == [("host.dmesg", {"clear": True})]


def test_dmesg_json(xl: Xl) -> None:
    assert set(json.loads(xl("dmesg", "--json")[1])["text"]) == {"base64"}


@pytest.mark.parametrize(
    ("seconds", "long", "brief"),
    [
        (0, " 0:00:00", " 0:00"),
        (59.9, " 0:00:59", " 0:00"),
        (3661.9, " 1:01:01", " 1:01"),
        (DAY - 1, "23:59:59", "23:59"),
        (DAY, "1 day,  0:00:00", "1 day,  0:00"),
        (2 * DAY - 1, "1 day, 23:59:59", "1 day, 23:59"),
        (2 * DAY, "2 days,  0:00:00", "2 days,  0:00"),
        (400 * DAY + 36610, "400 days, 10:10:10", "400 days, 10:10"),
        (None, "-", "-"),
    ],
)
def test_durations(seconds: float | None, long: str, brief: str) -> None:
    assert lasted(seconds) == long
    assert lasted(seconds, seconds=False) == brief


def test_uptime(xl: Xl) -> None:
    assert xl("uptime") == (
        0,
        "Name                                ID Uptime\n"
        "Domain-0                             0 1 day,  1:01:01\n"
        "d1                                   1  1:01:01\n"
        "d2                                   2  1:01:01\n",
        "",
    )


def test_uptime_of_one(xl: Xl) -> None:
    assert xl("uptime", "d2")[1].splitlines()[1:] == ["d2                                   2  1:01:01"]
    assert xl("uptime", "no") == (1, "", "xl: no domain no (xl list shows those there are)\n")


def test_dom0_has_been_running_as_long_as_the_host(xl: Xl, xend: FakeXend) -> None:
    xend.domains[0]["uptime_s"] = None
    assert xl("uptime", "0")[1].splitlines()[1] == "Domain-0                             0 1 day,  1:01:01"


def test_uptime_short(xl: Xl) -> None:
    lines = short([dom0(), domain(1, "d1")], "14:05:09")
    assert lines == " 14:05:09 up 1 day,  1:01, Domain-0 (0)\n 14:05:09 up  1:01, d1 (1)\n"
    assert xl("uptime", "-s", "d1")[1].endswith(" up  1:01, d1 (1)\n")


def test_uptime_json(xl: Xl) -> None:
    assert json.loads(xl("uptime", "--json", "d1")[1]) == [{"name": "d1", "domid": 1, "uptime_s": 3661.9}]
