"""xl vtpm-*: what xend is asked, and the exact text of the list."""

from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.commands.vtpm import uuid

UUID = "039e9ee6-4a84-3055-4c81-8ba426ae2656"
NO_UUID = "00000000-0000-0000-0000-000000000000"
#: printf("%-3s %-2s %-36s %-6s %-5s %-6s %-5s %-10s\n") of xl 4.17.
HEADER = f"Idx BE Uuid{' ' * 32} handle state evt-ch ring-ref BE-path   \n"
ROW = f"0   7  {UUID}      0     4     17       18 /local/domain/7/backend/vtpm/1/0\n"


def vtpm(**nodes: str) -> dict[str, Any]:
    return {
        "kind": "vtpm", "devid": 0, "name": "vtpm 0", "domid": 1, "backend_domid": 7,
        "frontend_path": "/local/domain/1/device/vtpm/0", "backend_path": "/local/domain/7/backend/vtpm/1/0",
        "frontend": {"state": "4", "event-channel": "17", "ring-ref": "18"},
        "backend": {"state": "4", "uuid": UUID, **nodes},
    }  # fmt: skip


def test_the_list(xl: Xl, xend: FakeXend) -> None:
    xend.devices = [vtpm()]
    assert xl("vtpm-list", "d1") == (0, HEADER + ROW, "")
    xend.devices = []
    assert xl("vtpm-list", "d1") == (0, HEADER, "")


WRITTEN = [
    (UUID, UUID), (UUID.upper(), NO_UUID), ("", NO_UUID), ("\x1b[2J", NO_UUID), (UUID + "0", NO_UUID),
    (UUID[:-1] + "\n", NO_UUID), (UUID.replace("-", ""), NO_UUID),
]  # fmt: skip


@pytest.mark.parametrize(("written", "shown"), WRITTEN)
def test_a_uuid_that_the_stub_domain_wrote(written: str, shown: str) -> None:
    assert uuid(vtpm(uuid=written)) == shown


CALLS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["vtpm-attach", "d1", "backend=stub"], "attach", {"spec": "backend=stub"}),
    (["vtpm-attach", "d1", "backend=s", f"uuid={UUID}"], "attach", {"spec": ["backend=s", f"uuid={UUID}"]}),
    (["vtpm-detach", "d1", "0"], "detach", {"device": "0"}),
    (["vtpm-detach", "-f", "d1", UUID], "detach", {"device": UUID, "force": True}),
]


@pytest.mark.parametrize(("words", "verb", "asked"), CALLS)
def test_what_xend_is_asked(xl: Xl, xend: FakeXend, words: list[str], verb: str, asked: Any) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == [(f"device.{verb}", {"domain": "d1", "kind": "vtpm", **asked})]
