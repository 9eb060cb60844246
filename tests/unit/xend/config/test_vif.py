"""Network interfaces' specifications."""

from typing import Any

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.place import Place
from xend.config.problem import Problem
from xend.config.vif import UNLIMITED, VifConfig, parse_vif

PLACE = Place("foo.cfg", 3)
WORDS = (
    "mac=, bridge=, gatewaydev=, netdev=, type=, model=, vifname=, script=, ip=, backend=, rate=, devid=, "
    "mtu=, vlan=, trusted or untrusted"
)
RATE = (
    "a number, then perhaps G, M or K, then B/s (bytes) or b/s (bits), then perhaps @ and an interval in s, "
    "ms or us: 10MB/s@20ms"
)
MAC = "six pairs of hexadecimal digits with colons, such as 00:16:3e:00:00:01"
FREE = "what does not begin with -, / or ."
SCRIPT = "the name of a file in the script directory, or an absolute path"

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    (" ", {}),
    ("mac=aa:00:00:50:02:f0,bridge=bridge0", {"mac": "aa:00:00:50:02:f0", "bridge": "bridge0"}),
    ("mac=00:16:3E:AB:CD:EF, bridge = xenbr0,", {"mac": "00:16:3e:ab:cd:ef", "bridge": "xenbr0"}),
    ("mac=", {}),
    ("mac=0:16:3e:1:2:A", {"mac": "00:16:3e:01:02:0a"}),
    ("mac=00:00:00:00:00:00", {}),
    ("bridge=ovsbr0.4:1234:3456", {"bridge": "ovsbr0.4:1234:3456"}),
    (
        "bridge=ovsbr0.4:12:34,script=vif-openvswitch",
        {"bridge": "ovsbr0.4:12:34", "script": "vif-openvswitch"},
    ),
    ("bridge=ovsbr0:10", {"bridge": "ovsbr0:10"}),
    ("bridge=a b;c", {"bridge": "a b;c"}),
    ("bridge=caf\udce9", {"bridge": "caf\udce9"}),
    ("gatewaydev=vlan-of-a-long-name", {"gatewaydev": "vlan-of-a-long-name"}),
    ("ip=fe80::1", {"ip": "fe80::1"}),
    ("vlan=10,mtu=1500", {"vlan": "10", "mtu": 1500}),
    ("gatewaydev=eth0", {"gatewaydev": "eth0"}),
    ("netdev=eth0", {"gatewaydev": "eth0"}),
    ("type=vif", {}),
    ("type=netfront", {}),
    ("type=ioemu,model=e1000", {"type": "ioemu", "model": "e1000"}),
    ("vifname=web.0", {"vifname": "web.0"}),
    ("script=vif-ip", {"script": "vif-ip"}),
    ("script=/etc/xen/scripts/vif-ip", {"script": "/etc/xen/scripts/vif-ip"}),
    ("ip=10.0.0.1/24", {"ip": "10.0.0.1/24"}),
    ("ip=10.0.0.1 fe80::1", {"ip": "10.0.0.1 fe80::1"}),
    ("backend=net", {"backend": "net"}),
    ("backend=2", {"backend": "2"}),
    ("backend=Domain-0", {}),
    ("devid=0", {"devid": 0}),
    ("devid=0x10", {"devid": 16}),
    ("mtu=9000", {"mtu": 9000}),
    ("vlan=10p/11-20", {"vlan": "10p/11-20"}),
    ("trusted", {}),
    ("untrusted", {"trusted": False}),
    ("rate=10MB/s", {"rate": (500_000, 50_000)}),
    ("rate=10Mb/s", {"rate": (62_500, 50_000)}),
    ("rate=1GB/s@1ms", {"rate": (1_000_000, 1_000)}),
    ("rate=1KB/s@2s", {"rate": (2_000, 2_000_000)}),
    ("rate=1000000B/s@20us", {"rate": (20, 20)}),
    ("rate=0B/s", {"rate": UNLIMITED}),
    ("rate=1B/s@1us", {"rate": UNLIMITED}),
    ("rate=1MB/s@0ms", {"rate": UNLIMITED}),
    ("rate=999999GB/s", {"rate": UNLIMITED}),
    ("rate=1B/s@5000s", {"rate": UNLIMITED}),
]


@pytest.mark.parametrize(("specification", "expected"), GOOD)
def test_what_is_read(specification: str, expected: dict[str, Any]) -> None:
    assert parse_vif(specification, PLACE) == VifConfig(**expected)


BAD = [
    ("bridge0", f'found "bridge0", expected {WORDS}'),
    ("brigde=a", f'found "brigde=", expected {WORDS}'),
    ("mac=00:16:3e:00:00", f'mac "00:16:3e:00:00", expected {MAC}'),
    ("mac=00-16-3e-00-00-01", f'mac "00-16-3e-00-00-01", expected {MAC}'),
    ("mac=000:16:3e:0:0:1", f'mac "000:16:3e:0:0:1", expected {MAC}'),
    ("mac=01:00:5e:00:00:01",
     'mac "01:00:5e:00:00:01", expected the address of one interface; an odd first pair means a multicast'),
    ("bridge=-a", f'bridge "-a", expected {FREE}'),
    ("bridge=../a", f'bridge "../a", expected {FREE}'),
    ("bridge=/a", f'bridge "/a", expected {FREE}'),
    ("gatewaydev=-a", f'gatewaydev "-a", expected {FREE}'),
    ("ip=-a", f'ip "-a", expected {FREE}'),
    ("vlan=-a", f'vlan "-a", expected {FREE}'),
    ("vifname=a234567890123456",
     "vifname \"a234567890123456\", expected an interface's name: up to 15 letters, digits and - _ . : @"),
    ("vifname=a/b", "vifname \"a/b\", expected an interface's name: up to 15 letters, digits and - _ . : @"),
    ("type=hvm", 'type "hvm", expected vif, netfront or ioemu'),
    ("model=a b", 'model "a b", expected letters, digits and - _ . /'),
    ("script=../x", f'script "../x", expected {SCRIPT}'),
    ("backend=a/b", "backend \"a/b\", expected a domain's name or domid"),
    ("rate=10", f'rate "10", expected {RATE}'),
    ("rate=10mB/s", f'rate "10mB/s", expected {RATE}'),
    ("rate=10MB/s@", f'rate "10MB/s@", expected {RATE}'),
    ("rate=10MB/s@5", f'rate "10MB/s@5", expected {RATE}'),
    ("devid=-1", 'devid "-1", expected a number from 0 to 65535'),
    ("devid=65536", 'devid "65536", expected a number from 0 to 65535'),
    ("mtu=67", 'mtu "67", expected a number from 68 to 65517'),
    ("mtu=big", 'mtu "big", expected a number from 68 to 65517'),
    ("untrusted=1", 'found "untrusted=1", expected trusted or untrusted, without a value'),
    ("trusted=0", 'found "trusted=0", expected trusted or untrusted, without a value'),
    ("bridge=a,bridge=b", 'bridge is given twice, "a" and "b", expected once'),
    ("netdev=a,gatewaydev=b", 'gatewaydev is given twice, "a" and "b", expected once'),
    ("trusted,untrusted", 'trusted is given twice, "1" and "0", expected once'),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "message"), BAD)
def test_what_is_refused(specification: str, message: str) -> None:
    error = complaint(lambda: parse_vif(specification, PLACE))
    assert error.code == "bad_config"
    assert error.message == f'foo.cfg:3: vif "{specification}": {message}'


@pytest.mark.parametrize("word", ["bridge=a\nb", "ip=1\x1b[2J", "vlan=\x7f", "bridge=a\tb"])
def test_control_characters_reach_no_script(word: str) -> None:
    assert complaint(lambda: parse_vif(word, PLACE)).message.endswith(": expected no control characters")


def test_a_text_for_a_script_is_so_long() -> None:
    error = complaint(lambda: parse_vif("bridge=" + "ä" * 1021, PLACE))
    assert error.message.endswith(": found 2049 bytes, expected at most 2048")


def test_what_is_no_key_is_a_warning_in_a_file() -> None:
    warnings: list[Problem] = []
    assert parse_vif("brigde=a,bridge=b,frob", PLACE, warnings=warnings) == VifConfig(bridge="b")
    assert [(each.message, each.hint) for each in warnings] == [
        ('foo.cfg:3: vif "brigde=a,bridge=b,frob": "brigde=" has no effect: there is no such key',
         "did you mean bridge=?"),
        ('foo.cfg:3: vif "brigde=a,bridge=b,frob": "frob" has no effect: there is no such key', None),
    ]  # fmt: skip


COLO = "it is of COLO, a domain that is kept in step with a copy elsewhere, which this xend does not do"


@pytest.mark.parametrize("word", ["colo_compare_out=a", "forwarddev=eth1"])
def test_what_is_not_known_yet(word: str) -> None:
    error = complaint(lambda: parse_vif(word, PLACE))
    assert error.code == "unsupported"
    key = word.partition("=")[0]
    assert error.message == f'foo.cfg:3: vif "{word}": {key}: {COLO}'
