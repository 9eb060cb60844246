"""The jobs save, restore and resume: the order of calls, and what is refused."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.unit.xend.helper import fake_guest
from tests.unit.xend.helper.fake_guest import LIBRARIES, STREAM
from xend._sum import Sum
from xend.helper import limits, save
from xend.helper.session import Session
from xend.helper.steps import Refused
from xend.hypervisor import Blueprint, Image, Machine

PV = Blueprint(uuid="x", max_vcpus=1, max_memory_kib=65536)
PVH, HVM = (attrs.evolve(PV, type=type) for type in ("pvh", "hvm"))


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    LIBRARIES.__init__()  # type: ignore[misc]
    monkeypatch.setattr(limits, "for_memory", lambda domain_bytes, file_bytes: None)
    yield
    LIBRARIES.__init__()  # type: ignore[misc]


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "saved", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


class Steps:
    """A session's, and what it was told."""

    def __init__(self, fd: int | None) -> None:
        self.told: list[str] = []
        self.session = Session(fake_guest, self.told.append, lambda: self.told.append("suspend"), fd)


def job(blueprint: Blueprint, domid: int) -> dict[str, Any]:
    machine = Machine() if blueprint.type == "hvm" else None
    image = Image(blueprint=blueprint, memory_kib=65536, kernel="", machine=machine)
    return {"domid": domid, "image": attrs.asdict(image), "sum": Sum().state}


def whole() -> bytes:
    checksum = Sum()
    checksum.add(STREAM)
    return checksum.state


def test_a_save(fd: int) -> None:
    LIBRARIES.domains[5] = (False, 16384)
    steps = Steps(fd)
    assert save.save(steps.session, {"domid": 5, "sum": Sum().state}) == {"sum": whole()}
    assert steps.told == ["open", "domain", "save", "suspend"]
    assert os.pread(fd, 99, 0) == STREAM


@pytest.mark.parametrize(
    ("blueprint", "domid", "settings"),
    [
        (PV, 5, ["set_memory_map_limit"]),
        (PVH, 6, ["set_parameter", "set_altp2m", "set_paging_pool"]),
        (HVM, 6, ["set_parameter"] * 3 + ["set_altp2m", "set_paging_pool"]),
    ],
)
def test_a_restore(fd: int, blueprint: Blueprint, domid: int, settings: list[str]) -> None:
    os.pwrite(fd, STREAM, 0)
    rings = dict(save.restore(Steps(fd).session, job(blueprint, domid)))
    assert rings.pop("sum") == whole()
    assert rings == {"store_gfn": 0xFEFFC, "store_port": 1, "console_gfn": 0xFEFFF, "console_port": 2}
    assert LIBRARIES.names() == [
        "open", "domain", "event_channel", "event_channel", *settings, "restore", "claim",
    ]  # fmt: skip
    assert ("restore", domid, STREAM, 1, 2) in LIBRARIES.calls


def test_a_resume() -> None:
    assert save.resume(Steps(None).session, {"domid": 5, "is_cooperative": True}) == {}
    assert LIBRARIES.calls[-1] == ("resume", 5, True)


def refusal(number: int, log: str) -> None:
    def refuse() -> None:
        LIBRARIES.log = [(8, log.encode())]
        raise OSError(number, "xc_domain_something")

    LIBRARIES.at["restore"] = LIBRARIES.at["save"] = refuse


@pytest.mark.parametrize(
    ("number", "log", "expected", "text"),
    [
        (0, "Invalid marker", errno.EINVAL, "the saved memory cannot be restored: Invalid marker"),
        (0, "", errno.EINVAL, "the saved memory cannot be restored: "),
        (errno.EINVAL, "Failed to populate physmap", errno.ENOMEM, "65536 KiB at most"),
        (0, "Failed to set CPUID policy: leaf 7", errno.EINVAL, "a processor that this host has not"),
        (errno.ESRCH, "", errno.ESRCH, "there is no domain 5"),
    ],
)
def test_what_libraries_say_of_a_stream(fd: int, number: int, log: str, expected: int, text: str) -> None:
    refusal(number, log)
    with pytest.raises(Refused) as refused:
        save.restore(Steps(fd).session, job(PV, 5))
    assert refused.value.errno == expected
    assert text in refused.value.text
    assert LIBRARIES.names()[-1] == "claim"  # what was set aside is free


@pytest.mark.parametrize(
    ("number", "log", "expected"),
    [
        (errno.ENOSPC, "Failed to write page data to stream", errno.ENOSPC),
        (errno.EDQUOT, "", errno.ENOSPC),
        (0, "Domain has not been suspended: shutdown 0, reason 255", errno.EINVAL),
        (errno.EIO, "Failed to map guest pages", errno.EIO),
    ],
)
def test_what_they_say_of_a_save(fd: int, number: int, log: str, expected: int) -> None:
    LIBRARIES.domains[5] = (False, 16384)
    refusal(number, log)
    with pytest.raises(Refused) as refused:
        save.save(Steps(fd).session, {"domid": 5, "sum": Sum().state})
    assert refused.value.errno == expected


def test_what_is_refused(fd: int) -> None:
    LIBRARIES.domains[7] = (False, 16384)
    for run, arguments, number in (
        (save.save, {"domid": 5}, errno.EINVAL),
        (save.save, {"domid": 9}, errno.ESRCH),
        (save.restore, job(PVH, 5), errno.EINVAL),
        (save.restore, job(PV, 7), errno.EEXIST),
        (save.restore, job(PV, 9), errno.ESRCH),
        (save.resume, {"domid": 9, "is_cooperative": True}, errno.ESRCH),
    ):
        with pytest.raises(Refused) as refused:
            run(Steps(fd).session, arguments)
        assert refused.value.errno == number
    with pytest.raises(Refused, match="no descriptor"):
        save.save(Steps(None).session, {"domid": 5})
