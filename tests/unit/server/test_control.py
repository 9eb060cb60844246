"""CONTROL's answers, byte for byte, over a store and a trace file that only remember."""

import errno
import os

import pytest

from xenstore import errors
from xenstore.control import Control
from xenstore.limits import QUOTAS
from xenstore.store import Session, Store

HARD = [quota.name for quota in QUOTAS if quota.name != "soft-memory"]
#: What a domain holds, and not what bounds a single node, path or transaction.
HELD = ["nodes", "watches", "outstanding", "memory", "transactions"]


class FakeStore:
    def __init__(self) -> None:
        self.quotas = {quota.name: quota.default for quota in QUOTAS}
        self.problems: list[str] = []
        self.journal_failure: str | None = None
        self.resets = 0

    def check(self) -> list[str]:
        return self.problems

    def set_quota(self, name: str, value: int) -> None:
        self.quotas[name] = value

    def usage(self, domid: int) -> dict[str, int]:
        if domid != 3:
            raise errors.ENOENT(f"domain {domid}")
        return {name: number for number, name in enumerate(HELD)}

    def peaks(self, domid: int) -> dict[str, int]:
        return {name: value + 7 for name, value in self.usage(domid).items()}

    def maxima(self, reset: bool = False) -> dict[str, int]:
        self.resets += reset
        return {name: 10 + number for number, name in enumerate(HELD)}

    def report(self) -> str:
        return "nodes: 5\n"


class FakeTracing:
    def __init__(self) -> None:
        self.is_open = False
        self.calls: list[tuple[str, ...]] = []
        self.failure: OSError | None = None

    def switches(self) -> dict[str, bool]:
        return {"obj": True, "io": False}

    def switch(self, setting: str) -> None:
        if setting[1:] != "io":
            raise ValueError(setting)
        self.calls.append(("switch", setting))

    def on(self) -> None:
        self.calls.append(("on",))

    def off(self) -> None:
        self.calls.append(("off",))

    def redirect(self, name: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.calls.append(("redirect", name))

    def write(self, text: str) -> None:
        self.calls.append(("write", text))

    def append(self, name: str, text: str) -> None:
        self.calls.append(("append", name, text))


class Desk:
    """A Control with all that it touches."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.tracing = FakeTracing()
        self.log: list[str] = []
        self.control = Control(self.store, self.tracing, self.log.append)  # type: ignore[arg-type]
        self.session: Session = Store().connect()

    def ask(self, text: str) -> bytes:
        answer = self.control(self.session, [os.fsencode(word) for word in text.split()])
        assert answer is not None
        return answer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        ("log on", ("on",)),
        ("log off", ("off",)),
        ("log +io", ("switch", "+io")),
        ("log -io", ("switch", "-io")),
        ("logfile a/b", ("redirect", "a/b")),
        ("memreport /m", ("append", "/m", "nodes: 5\n")),
    ],
)
def test_commands_about_the_trace(desk: Desk, request_: str, call: tuple[str, ...]) -> None:
    assert desk.ask(request_) == b"OK\0"
    assert desk.tracing.calls == [call]


def test_log_shows_the_switches(desk: Desk) -> None:
    assert desk.ask("log") == b"Log switch settings:\nobj     : on\nio      : off\n\0"


def test_memreport_goes_to_the_open_trace(desk: Desk) -> None:
    with pytest.raises(errors.EINVAL):
        desk.ask("memreport")
    desk.tracing.is_open = True
    assert desk.ask("memreport") == b"OK\0"
    assert desk.tracing.calls == [("write", "nodes: 5\n")]


def test_print_and_check_reach_the_log(desk: Desk) -> None:
    assert desk.ask("print hello") == b"OK\0"
    assert desk.ask("check") == b"OK\0"
    desk.store.problems = ["/a: dangling"]
    assert desk.ask("check") == b"OK\0"
    assert desk.log == ["control: hello", "check: /a: dangling"]


def test_check_fails_while_nothing_is_recorded(desk: Desk) -> None:
    desk.store.journal_failure = "No space left on device"
    with pytest.raises(errors.EIO, match="the journal is not complete: No space left on device"):
        desk.ask("check")


def test_quota_lists_the_settings(desk: Desk) -> None:
    lines = desk.ask("quota").decode().split("\n")
    assert lines[0] == "Quota settings:"
    assert lines[1] == "nodes            :     1000 Nodes owned by a domain"
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == HARD
    assert lines[-1] == "\0"


def test_quota_soft_lists_its_one_setting(desk: Desk) -> None:
    description = next(quota.description for quota in QUOTAS if quota.name == "soft-memory")
    assert (
        desk.ask("quota-soft") == f"Quota settings:\nmemory           :  2097152 {description}\n\0".encode()
    )


def test_quota_set(desk: Desk) -> None:
    assert desk.ask("quota set nodes 7") == b"OK\0"
    assert desk.ask("quota-soft set memory 8") == b"OK\0"
    assert (desk.store.quotas["nodes"], desk.store.quotas["soft-memory"]) == (7, 8)
    assert b"nodes            :        7 " in desk.ask("quota")


def test_quota_of_a_domain(desk: Desk) -> None:
    lines = desk.ask("quota 3").decode().split("\n")
    assert lines[0] == "Domain 3:"
    assert lines[1] == "nodes            :        0 (max        7)"
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == HELD
    with pytest.raises(errors.ENOENT):
        desk.ask("quota 4")


def test_quota_max(desk: Desk) -> None:
    lines = desk.ask("quota max").decode().split("\n")
    assert lines[:3] == [
        "Max. seen accounting values:",
        "nodes            :       10",
        "watches          :       11",
    ]
    assert desk.store.resets == 0
    assert desk.ask("quota max -r").decode().split("\n") == lines
    assert desk.store.resets == 1


def test_help_lists_every_command(desk: Desk) -> None:
    lines = desk.ask("help").decode().rstrip("\n\0").split("\n")
    assert [line.split()[0] for line in lines] == [
        "check", "log", "logfile", "memreport", "print", "quota", "quota-soft", "help",
    ]  # fmt: skip
    assert lines[1] == "log             [on|off|+<switch>|-<switch>]"


@pytest.mark.parametrize(
    "request_",
    [
        "", "unknown", "live-update -f /bin/true", "CHECK", "check x", "help x",
        "log maybe", "log +nonsense", "log on off", "logfile", "logfile a b", "print", "print a b",
        "memreport a b", "quota set", "quota set nodes", "quota set nodes 0", "quota set nodes -1",
        "quota set nodes x", "quota set nodes 1 2", "quota set soft-memory 1", "quota set space 1",
        "quota set memory 2147483648", "quota x", "quota 3 4", "quota max x", "quota max -r -r",
        "quota-soft 3", "quota-soft set nodes 1", "quota-soft set memory", "quota-soft max",
    ],
)  # fmt: skip
def test_what_is_refused(desk: Desk, request_: str) -> None:
    before = dict(desk.store.quotas)
    with pytest.raises(errors.EINVAL):
        desk.ask(request_)
    assert desk.tracing.calls == []
    assert desk.store.quotas == before


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EACCES, errors.EACCES),
        (errno.ENOENT, errors.ENOENT),
        (errno.ENOSPC, errors.ENOSPC),
        (errno.EISDIR, errors.EISDIR),
        (errno.ENXIO, errors.EIO),  # a pipe without a reader
    ],
)
def test_a_file_that_cannot_be_opened_is_an_error(
    desk: Desk, number: int, error: type[errors.XenstoreError]
) -> None:
    desk.tracing.failure = OSError(number, os.strerror(number))
    with pytest.raises(error):
        desk.ask("logfile /a")
