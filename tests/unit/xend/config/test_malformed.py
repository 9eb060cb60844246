"""Hundreds of malformed files: each error names the file, the line, what was read and what is accepted."""

from collections.abc import Iterator

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.domain import parse
from xend.config.option import Option
from xend.config.options import OPTIONS

#: What stands before the line that is wrong, and behind it.
BEFORE = "name = 'foo'  # a guest\nkernel = '/netbsd'\n\ndisk = [ 'phy:/a,xvdz,w',\n  'phy:/b,xvdy,r' ]\n"
AFTER = "frob = '-v'\n"
LINE = 6

#: A line, and what of it the error quotes.
STATEMENTS = [
    ("foo", "the end of the line"), ("foo =", "the end of the line"), ("foo = bar", '"bar"'), ("= 1", '"="'),
    ("1 = foo", '"1"'), ("foo = 'a", "a text without its closing quote"), ('foo = "a', "a text without its"),
    ("foo == 1", '"="'), ("foo = 1 2", '"2"'), ("foo = 'a' bar", '"bar"'), ("Foo = ", '"Foo"'),
    ("foo = 0x", '"0x"'),
    ("foo = 08", '"08"'), ("foo = 12ab", '"12ab"'), ("foo = 1.5", "1.5"),
    ("foo = 512M", '"512M"'), ("foo = [ 'a' 'b' ]", "\"'b'\""), ("foo = [ a ]", '"a"'),
    ("foo = [ 1 ; 2 ]", '";"'),
    ("foo = ]", '"]"'), ("foo = [ , ]", '","'), ("foo : 1", '":"'), ("foo = $x", '"$"'), ("foo = `x`", '"`"'),
    ("foo += bar", '"bar"'), ("+= 1", '"+="'), ("foo - 1", "foo - 1"),
    ("foo = 99999999999999999999", '"9999'),
    ("foo = [[['a']] 'b']", "\"'b'\""), ("foo = & 1", '"&"'), ("foo, bar = 1", '","'), ("[ 'a' ]", '"["'),
    ("'a' = 1", "\"'a'\""), ("foo bar = 1", '"bar"'), ("foo = 0x1ffffffffffffffffffff", '"0x1f'),
]  # fmt: skip
DISKS = [
    ("xvda", "xvda"), ("phy:/a", "no vdev"), ("/a,raw", "no vdev"), ("/a,raw,", "no vdev"),
    ("/a,raww,xvda", "raww"),
    ("/a,raw,xvd", "xvd"), ("/a,raw,xvda0", "xvda0"), ("/a,raw,yvda", "yvda"), ("/a,raw,xvda,x", '"x"'),
    ("/a,raw,xvda,w,frob", "frob"), ("/a,raw,xvda,w,frob=1", "frob="), ("fiel:/a,xvda,w", "fiel:"),
    (",raw,xvda", "no target"), ("/a,raw,xvda,w,devtype=tape", "tape"),
    ("/a,raw,xvda,w,backendtype=x", '"x"'), ("/a,raw,xvda,w,script=a b", "a b"),
    ("/a,raw,xvda,w,script=/", '"/"'),
    ("/a,raw,xvda,w,backend=a/b", "a/b"), ("/a,raw,xvda,w,trusted,untrusted", "twice"),
    ("/a,raw,xvda,w,rw,x", "rw"),
    ("format=raw,format=vhd,vdev=xvda,target=/a", "twice"), ("vdev=xvda,vdev=xvdb,target=/a", "twice"),
    ("/a,raw,hdzz", "hdzz"), ("/a,raw,d0p", "d0p"), ("/a,raw,0x99999999", "0x99999999"),
    ("phy:/a,xvda:tape,w", "tape"),
    ("/a,raw,xvda,w,specification=x", '"x"'), ("/a\\nb,raw,xvda,w", "control characters"),
    ("file:,xvda,w", "no target"),
]  # fmt: skip
VIFS = [
    ("mac=x", '"x"'), ("mac=00:16:3e:00:00", "00:16:3e:00:00"), ("mac=00:16:3e:00:00:1g", "1g"),
    ("mac=01:16:3e:00:00:01", "multicast"), ("mac=00-16-3e-00-00-01", "00-16"), ("rate=x", '"x"'),
    ("rate=10", '"10"'),
    ("rate=10MB", "10MB"), ("rate=10MB/h", "10MB/h"), ("rate=10MB/s@x", "@x"), ("rate=10TB/s", "10TB/s"),
    ("mtu=x", '"x"'), ("mtu=1", '"1"'), ("mtu=99999", "99999"), ("devid=x", '"x"'), ("devid=-1", '"-1"'),
    ("devid=65536", "65536"), ("type=x", '"x"'), ("script=a b", "a b"), ("script=../x", "../x"),
    ("vifname=a very long name", "a very"), ("vifname=a/b", "a/b"), ("bridge=-x", '"-x"'),
    ("bridge=/x", '"/x"'),
    ("ip=-1", '"-1"'), ("backend=a/b", "a/b"), ("model=a b", "a b"), ("bridge=a,bridge=b", "twice"),
    ("bridge=a\\nb", "control"),
    ("gatewaydev=-x", '"-x"'), ("vlan=-1", '"-1"'), ("trusted,untrusted", "twice"),
]  # fmt: skip
#: Of options that judge more than their kind.
VALUES = {
    "uuid": ("'x'", "'00000000-0000-0000-0000-000000000000'", "'039e9ee6'"),
    "type": ("'pvm'",), "builder": ("'x'",), "on_crash": ("'x'", "'soft-reset'"),
    "on_poweroff": ("'poweroff'",),
    "on_reboot": ("'reboot'",), "on_watchdog": ("''",), "on_soft_reset": ("'x'",),
    "vcpus": ("0", "129", "'-1'"),
    "maxvcpus": ("0", "999"), "memory": ("0", "'1G'", "99999999"), "maxmem": ("0", "'x'"),
    "name": ("''", "'a/b'", "'1'"),
    "cpus": ("'x'", "'1-'", "'3-1'", "'^1'", "['x']", "'1,,2'"), "cpus_soft": ("'x'", "'0-99999'"),
    "tsc_mode": ("'x'", "4"), "irqs": ("['x']", "['0x5']", "[99999]"),
    "ioports": ("['x']", "['3-1']", "['1ffff']"),
    "iomem": ("['x']", "['1']", "['1,0']", "['1,1@x']"), "cpu_weight": ("65536", "'-1'"),
    "cap": ("101", "'x'"),
    "vmtrace_buf_kb": ("5", "2", "131072"), "passthrough": ("'x'", "'share_pt'"),
    "max_grant_version": ("0", "3"),
    "rtc_timeoffset": ("'x'", "9999999999"), "xenstore_quota": ("['x']", "['x=']", "['x=-1']", "['=1']"),
    "cpuid": ("'x'", "'host,x'", "'host,x=1'", "'host,htt=2'", "'host,family=999'", "['1']", "['1:eax=1']",
              "['1:exx=1']", "['host,htt=0']", "['x:eax=" + 32 * "1" + "']"),
    "autostart_after": ("['-x']", "['a', 'a']"), "autostart_delay": ("3601", "'x'"),
    "max_event_channels": ("131073",),
    "vtpm": ("['']", "['frob=1']", "['backend=a,uuid=x']"),
}  # fmt: skip


def wrong_kinds(option: Option) -> tuple[str, ...]:
    """Values of other kinds than an option takes."""
    numeric = ("'x'", "['x']", "'1 2'")
    return {
        "s": ("['x']", "[[]]"), "n": numeric, "b": numeric, "l": ("'x'", "5", "[['x']]"),
    "sl": ("[['x']]",), "sn": ("['x']", "[[]]"), "bl": ("'x'", "[['x']]"),
    }[option.kind]  # fmt: skip


def lines() -> Iterator[tuple[str, str]]:
    """Each line that is wrong, and what of it the error has."""
    yield from STATEMENTS
    yield from ((f"disk += [ '{text}' ]", what) for text, what in DISKS)
    yield from ((f"vif = [ '{text}' ]", what) for text, what in VIFS)
    for option in OPTIONS.values():
        # What means nothing for a pv domain is judged for another one.
        guest = "" if option.has_effect("pv") else f"; type = '{(*option.guests, 'pvh')[0]}'"
        if option.is_here and option.name not in ("type", "disk", "vif"):
            for value in wrong_kinds(option) + VALUES.get(option.name, ()):
                yield f"{option.name} = {value}{guest}", option.name
    yield from ((f"type = {value}", "type") for value in VALUES["type"])


LINES = list(dict.fromkeys(lines()))


def test_there_are_enough() -> None:
    assert len(LINES) >= 300


@pytest.mark.parametrize(("line", "what"), LINES)
def test_an_error_says_where_what_and_what_is_accepted(line: str, what: str) -> None:
    """No other line is told of: nothing that is right is taken for wrong."""
    error = complaint(lambda: parse(f"{BEFORE}{line}\n{AFTER}", source="foo.cfg", name="foo"))
    assert error.code == "bad_config"
    for each in error.fields["problems"]:
        assert (each["file"], each["line"]) == ("foo.cfg", LINE)
        assert "expected" in each["message"], each["message"]
        assert each["message"].startswith(f"foo.cfg:{LINE}: ")
    assert any(what in each["message"] for each in error.fields["problems"]), error.message
