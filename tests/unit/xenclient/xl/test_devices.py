"""xl network-* and block-*: what xend is asked, the exact text of the lists, and where more is told."""

import json
import os
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, vbd, vif
from tests.unit.xenclient.xl.test_explain import story
from xenclient.cli.xl.commands import block, network
from xenclient.cli.xl.commands.network import mac
from xenclient.cli.xl.device_type import number
from xenclient.xend.errors import BusError

#: %-30s after seven characters.
PAD = " " * 23
NETWORK_HEADER = f"Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path{PAD}\n"
VIF0 = "0   0  00:16:3e:00:00:01     0     4      8     9/10          /local/domain/0/backend/vif/1/0\n"
BLOCK_HEADER = f"Vdev  BE  handle state evt-ch ring-ref BE-path{PAD}\n"
XVDB = "51728 0   1      4     17     18       /local/domain/0/backend/vbd/1/51728\n"
NOBODY = "xl: no domain no (xl list shows those there are)\n"


@pytest.fixture
def xend(xend: FakeXend) -> FakeXend:
    """Its d1 has an interface and a disk."""
    xend.devices = [vbd(1, 51728, "xvdb"), vif(1, 0)]
    return xend


ATTACHED = [
    (["network-attach", "d1"], "vif", ""),
    (["network-attach", "d1", ""], "vif", ""),
    (["network-attach", "d1", "bridge=br0"], "vif", "bridge=br0"),
    (
        ["network-attach", "d1", "bridge=br0", "mac=00:16:3e:1:2:3"],
        "vif",
        ["bridge=br0", "mac=00:16:3e:1:2:3"],
    ),
    (["network-attach", "d1", "bridge=br0,", "ip=10.0.0.2"], "vif", ["bridge=br0,", "ip=10.0.0.2"]),
    (["network-attach", "d1", "bridge=br0,script=vif-nat"], "vif", "bridge=br0,script=vif-nat"),
    (["network-a", "1", "type=netfront"], "vif", "type=netfront"),
    (["block-attach", "d1", "file:/disk.img,xvdb,w"], "vbd", "file:/disk.img,xvdb,w"),
    (["block-attach", "d1", "/dev/vg/x,raw,xvdb,rw"], "vbd", "/dev/vg/x,raw,xvdb,rw"),
    (["block-attach", "d1", "phy:sd0e", "xvdb", "w!"], "vbd", ["phy:sd0e", "xvdb", "w!"]),
    (["block-attach", "d1", "phy:sd0e", "/dev/xvdb", "r", "dom7"], "vbd", ["phy:sd0e", "xvdb", "r", "dom7"]),
    (["block-attach", "d1", "file:/d,", "xvdb,", "w"], "vbd", ["file:/d,", "xvdb,", "w"]),
    (
        ["block-attach", "d1", "vdev=xvdb", "target=/d", "access=r"],
        "vbd",
        ["vdev=xvdb", "target=/d", "access=r"],
    ),
    (["block-attach", "d1", "phy:/dev/dk3"], "vbd", "phy:/dev/dk3"),
]


@pytest.mark.parametrize(("words", "kind", "spec"), ATTACHED)
def test_attach(xl: Xl, xend: FakeXend, words: list[str], kind: str, spec: object) -> None:
    assert xl(*words) == (0, "", "")
    where = {"directory": os.getcwd()} if kind == "vbd" else {}
    assert xend.asked == [("device.attach", {"domain": words[1], "kind": kind, "spec": spec, **where})]


DETACHED: list[tuple[list[str], dict[str, Any]]] = [
    (["network-detach", "d1", "0"], {"kind": "vif", "device": "0"}),
    (["network-detach", "d1", "00:16:3E:00:00:01"], {"kind": "vif", "device": "00:16:3E:00:00:01"}),
    (["network-detach", "d1", "0", "-f"], {"kind": "vif", "device": "0", "force": True}),
    (["block-detach", "d1", "51728"], {"kind": "vbd", "device": "51728"}),
    (["block-detach", "d1", "/dev/xvdb"], {"kind": "vbd", "device": "xvdb"}),
    (["block-detach", "-f", "d1", "xvdb"], {"kind": "vbd", "device": "xvdb", "force": True}),
    (["block-detach", "d1", "xvdb", "--force"], {"kind": "vbd", "device": "xvdb", "force": True}),
]


@pytest.mark.parametrize(("words", "parameters"), DETACHED)
def test_detach(xl: Xl, xend: FakeXend, words: list[str], parameters: dict[str, Any]) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == [("device.detach", {"domain": "d1", **parameters})]


DISCS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["cd-insert", "d1", "hdc", "/a.iso"], "device.insert", {"device": "hdc", "target": "/a.iso"}),
    (["cd-insert", "d1", "/dev/xvdc", "a,b"], "device.insert", {"device": "xvdc", "target": "a,b"}),
    (["cd-eject", "d1", "hdc"], "device.eject", {"device": "hdc"}),
]


@pytest.mark.parametrize(("words", "method", "parameters"), DISCS)
def test_discs(xl: Xl, xend: FakeXend, words: list[str], method: str, parameters: dict[str, Any]) -> None:
    assert xl(*words) == (0, "", "")
    where = {"directory": os.getcwd()} if method == "device.insert" else {}
    assert xend.asked == [(method, {"domain": "d1", **parameters, **where})]


CHANGES = [
    ["cd-insert", "d1", "hdc", "/a.iso"],
    ["cd-eject", "d1", "hdc"],
    ["network-attach", "d1"],
    ["network-detach", "d1", "0"],
    ["block-attach", "d1", "file:/d,xvdc,w"],
    ["block-detach", "d1", "xvdb"],
]


@pytest.mark.parametrize("words", CHANGES)
def test_a_dry_run_prints_the_steps_and_does_nothing(xl: Xl, xend: FakeXend, words: list[str]) -> None:
    assert xl(*words, "--dry-run") == (0, "first step\nsecond step\n", "")
    assert xl("-N", *words) == (0, "first step\nsecond step\n", "")
    assert json.loads(xl(*words, "--dry-run", "--json")[1])["steps"] == ["first step", "second step"]
    assert [parameters["dry_run"] for _, parameters in xend.asked] == [True] * 3


@pytest.mark.parametrize("words", CHANGES)
def test_json_is_what_xend_answers(xl: Xl, words: list[str]) -> None:
    status, text, errors = xl(*words, "--json")
    assert (status, json.loads(text), errors) == (0, {"operation": 1, "domid": 1, "warnings": []}, "")


@pytest.mark.parametrize("words", CHANGES)
def test_progress(xl: Xl, xend: FakeXend, words: list[str]) -> None:
    waiting = {"for": "its backend", "since_s": 1.0, "deadline_s": 10.0}
    xend.steps = [
        {
            "kind": "device",
            "domain": "d1",
            "steps": ["wait"],
            "step": 0,
            "state": "running",
            "waiting": waiting,
        }
    ]
    assert xl("-v", *words) == (0, "", f"{words[0]} d1, 1 of 1: wait, waiting for its backend, 1 of 10 s\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["network-attach"], "needs DOM [KEY=VALUE ...] "),
        (["network-detach", "d1"], "needs DOM DEVID|MAC "),
        (["network-detach", "d1", "0", "1"], "'1' is too much "),
        (["network-list"], "needs DOM ... "),
        (["block-attach", "d1"], "needs DOM DISK ... "),
        (["block-detach", "d1"], "needs DOM DEVID|VDEV "),
        (["block-list"], "needs DOM ... "),
        (["block-detach", "-x", "d1", "0"], "invalid option -- 'x' "),
    ],
)
def test_wrong_use_changes_nothing(xl: Xl, xend: FakeXend, words: list[str], error: str) -> None:
    status, text, errors = xl(*words)
    assert (status, text, xend.asked) == (1, "", [])
    assert errors.startswith(f"xl: {words[0]}: {error}(usage: xl {words[0]} ")
    assert errors.count("\n") == 1


# --- lists ---------------------------------------------------------------------------------------------


def test_network_list(xl: Xl) -> None:
    assert xl("network-list", "d1") == (0, NETWORK_HEADER + VIF0, "")


def test_block_list(xl: Xl) -> None:
    assert xl("block-list", "1") == (0, BLOCK_HEADER + XVDB, "")


@pytest.mark.parametrize(
    ("verb", "header", "row"), [("network-list", NETWORK_HEADER, VIF0), ("block-list", BLOCK_HEADER, XVDB)]
)
def test_lists_of_several(xl: Xl, verb: str, header: str, row: str) -> None:
    assert xl(verb, "d2") == (0, header, "")
    assert xl(verb, "no") == (1, "", NOBODY)
    assert xl(verb, "d1", "no", "d2") == (1, header + row, NOBODY)
    assert xl(verb, "d2", "d1") == (0, header + row, "")
    assert xl(verb, "no", "no") == (1, "", NOBODY * 2)


@pytest.mark.parametrize(("verb", "kind"), [("network-list", "vif"), ("block-list", "vbd")])
def test_lists_in_json(xl: Xl, xend: FakeXend, verb: str, kind: str) -> None:
    assert json.loads(xl(verb, "--json", "d1")[1]) == [each for each in xend.devices if each["kind"] == kind]
    assert json.loads(xl(verb, "--json", "d2")[1]) == []
    assert json.loads(xl(verb, "--json", "no")[1])["error"]["code"] == "no_such_domain"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("0", 0),
        ("4294967295", 4294967295),
        ("", -1),
        ("-4", -1),
        ("4x", -1),
        ("²", -1),
        ("9" * 11, -1),
    ],
)
def test_numbers_that_a_guest_wrote(text: str, value: int) -> None:
    assert number({"state": text}, "state") == value


def test_what_is_missing_is_minus_one() -> None:
    device = vif(1, 0)
    device["frontend"] = {}
    assert network.row(device).split()[2:6] == ["00:00:00:00:00:00", "0", "-1", "-1"]
    assert number({}, "state") == -1


@pytest.mark.parametrize(
    "text",
    ["", "\x1b[31m", "00:16:3e:00:00", "00:16:3e:00:00:01:02", "00:16:3e:00:00:0g", "0:16:3e:0:0:001"],
)
def test_an_address_that_is_none(text: str) -> None:
    assert mac({"mac": text}) == "00:00:00:00:00:00"


def test_one_event_channel_for_both_directions_goes_first() -> None:
    assert network.row(vif(1, 0, **{"event-channel": "77"})).split()[5] == "77"


def test_columns_of_large_numbers() -> None:
    device = vbd(12345, 268435455, "xvdzz", state="6")
    assert block.row(device).split()[:4] == ["268435455", "0", "12345", "6"]


# --- errors --------------------------------------------------------------------------------------------

FAILED = BusError(
    "script_failed",
    "vif 0: /etc/xen/scripts/vif-bridge exited with status 1",
    {"domain": "d1", "device": "vif 0", "script_output": "bridge0 does not exist\n"},
)
TOLD = "xl: vif 0: /etc/xen/scripts/vif-bridge exited with status 1\n    bridge0 does not exist\n"
MORE = "xl device-explain d1 vif 0 tells more\n"


def failed(**fields: str) -> BusError:
    """As FAILED, with other fields."""
    return BusError(fields.pop("code", FAILED.code), FAILED.message, {**FAILED.fields, **fields})


def test_a_failed_attach_says_where_more_is_told(xl: Xl, xend: FakeXend) -> None:
    xend.fails["device.attach"] = failed()
    xend.stories[1, "vif 0"] = story(error={"code": FAILED.code, "message": FAILED.message})
    assert xl("network-attach", "d1") == (1, "", TOLD + MORE)
    assert xl("network-attach", "d1", program_name="xm")[2].endswith(
        "\nxm device-explain d1 vif 0 tells more\n"
    )
    error = json.loads(xl("network-attach", "--json", "d1")[1])["error"]
    assert error["more"] == "xl device-explain d1 vif 0 tells more"


def test_a_failed_detach_says_so_too(xl: Xl, xend: FakeXend) -> None:
    xend.fails["device.detach"] = failed()
    xend.stories[1, "vif 0"] = story()
    assert xl("network-detach", "d1", "0") == (1, "", TOLD + MORE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"domain": "gone"}, FAILED.message),  # the domain was undone with its device
        ({"code": "busy"}, FAILED.message),  # nothing was done to the device
        ({"code": "bad_image"}, FAILED.message),
        ({"device": "vif 7"}, FAILED.message),  # refused before it had a story
        ({"device": ""}, FAILED.message),
        ({}, "vif 0: what failed before this one"),
    ],
)
def test_where_nothing_more_is_told(xl: Xl, xend: FakeXend, fields: dict[str, str], message: str) -> None:
    xend.stories[1, "vif 0"] = story(error={"code": "script_failed", "message": message})
    xend.fails["device.attach"] = failed(**fields)
    assert xl("network-attach", "d1") == (1, "", TOLD)


def test_an_error_of_explaining_hides_no_other(xl: Xl, xend: FakeXend) -> None:
    xend.fails = {"device.attach": failed(), "device.explain": BusError("internal", "it broke")}
    assert xl("network-attach", "d1") == (1, "", TOLD)


def test_a_failed_create_names_no_domain_that_is_gone(xl: Xl, xend: FakeXend) -> None:
    xend.fails["domain.create"] = failed(domain="d9")
    assert xl("create", "-q", "/dev/null") == (1, "", TOLD)
