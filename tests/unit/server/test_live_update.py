"""What xenstore-control live-update is answered, step by step; no program is started here."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.control import Control
from xenstore.live_update import OK, Attempt, LiveUpdate
from xenstore.server.trace import Trace
from xenstore.wire import MessageType, pack


class Dialogue:
    """A store that takes live-update commands, and how often an attempt was begun."""

    def __init__(self, directory: Path) -> None:
        self.world = World()
        self.log: list[str] = []
        self.live_update = LiveUpdate(self.world.store, self.log.append)
        self.begun = 0
        self.live_update.on_start = self.begin
        trace = Trace(self.world.store, self.log.append, str(directory))
        self.world.store.control = Control(self.world.store, trace, self.log.append, self.live_update)
        self.admin = self.world.connect()
        self.program = directory / "program"
        self.program.write_text("#!/bin/sh\n")
        self.program.chmod(0o755)

    def begin(self) -> None:
        self.begun += 1

    def ask(self, *words: str, who: Client | None = None) -> str:
        reply = (who or self.admin).ask(MessageType.CONTROL, b"live-update", *map(os.fsencode, words))
        assert reply[-1:] == b"\0"
        return reply[:-1].decode()

    def start(self, *options: str) -> Attempt:
        """An attempt in which -s is not answered yet."""
        assert self.ask("-f", str(self.program)) == OK
        self.admin.send(
            MessageType.CONTROL, b"".join(os.fsencode(w) + b"\0" for w in ("live-update", "-s", *options))
        )
        assert self.admin.take() == []
        attempt = self.live_update.attempt
        assert attempt is not None
        self.live_update.hold_transactions()
        return attempt

    def verdict(self, attempt: Attempt) -> str | None:
        return self.live_update.verdict(attempt, self.world.store.now)


@pytest.fixture
def dialogue(tmp_path: Path) -> Dialogue:
    return Dialogue(tmp_path)


def test_the_program_must_be_executable(dialogue: Dialogue) -> None:
    assert dialogue.ask("-f", "/nonexistent") == "File not accessible."
    assert dialogue.ask("-f", "a\0b"[:1]) == "File not accessible."
    dialogue.program.chmod(0o644)
    assert dialogue.ask("-f", str(dialogue.program)) == "File not executable."
    assert dialogue.ask("-f", str(dialogue.program.parent)) == "File not executable."
    assert dialogue.live_update.attempt is None


def test_one_attempt_at_a_time(dialogue: Dialogue) -> None:
    other = dialogue.world.connect()
    assert dialogue.ask("-f", str(dialogue.program)) == OK
    assert dialogue.ask("-f", str(dialogue.program)) == "live-update session already active."
    assert dialogue.ask("-f", str(dialogue.program), who=other) == "live-update session already active."
    assert dialogue.ask("-c", "-N", who=other) == "Not in live-update session."
    assert dialogue.ask("-s", who=other) == "Not in live-update session."
    assert dialogue.ask("-a", who=other) == OK
    assert dialogue.ask("-a") == "No live-update session active."
    assert dialogue.ask("-s") == "Not in live-update session."


def test_an_attempt_ends_with_its_session(dialogue: Dialogue) -> None:
    dialogue.start()
    dialogue.admin.session.close()
    assert dialogue.live_update.attempt is None
    assert not dialogue.world.store.transactions_paused
    dialogue.live_update.finish("too late")


def test_what_was_asked_for(dialogue: Dialogue) -> None:
    assert dialogue.ask("-f", str(dialogue.program)) == OK
    assert dialogue.ask("-c", " -N  --rundir /x ") == OK
    dialogue.admin.send(MessageType.CONTROL, b"live-update\0-s\0-F\0-t\x0030\0-v\x001\0")
    attempt = dialogue.live_update.attempt
    assert attempt is not None
    assert dialogue.begun == 1
    assert (attempt.program, attempt.arguments) == (str(dialogue.program), ["-N", "--rundir", "/x"])
    assert (attempt.force, attempt.timeout_seconds, attempt.version) == (True, 30, 1)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-f"],
        ["-f", "a", "b"],
        ["-c"],
        ["-s", "-x"],
        ["-s", "-t"],
        ["-s", "-t", "x"],
        ["-s", "-v", ""],
        ["-a", "x"],
    ],
)
def test_wrong_usage_is_einval(dialogue: Dialogue, words: list[str]) -> None:
    with pytest.raises(errors.EINVAL):
        dialogue.ask(*words)


def test_a_version_that_is_none(dialogue: Dialogue) -> None:
    assert dialogue.ask("-f", str(dialogue.program)) == OK
    assert dialogue.ask("-s", "-v", "3") == "Migration stream version not supported."
    assert dialogue.ask("-s", "-v", "0") == "Migration stream version not supported."


def test_the_answer_comes_later_and_in_order(dialogue: Dialogue) -> None:
    dialogue.start()
    dialogue.admin.session.feed(pack(MessageType.GET_DOMAIN_PATH, b"1\0", req_id=7))
    assert dialogue.admin.take() == []
    dialogue.live_update.finish("no")
    assert [message.payload for message in dialogue.admin.take()] == [b"no\0", b"/local/domain/1\0"]
    assert dialogue.live_update.attempt is None


def test_the_answer_may_go_into_the_state_instead(dialogue: Dialogue) -> None:
    dialogue.start()
    reply = dialogue.admin.session.postponed_reply(b"OK\0")
    dialogue.live_update.finish(OK)
    assert dialogue.admin.session.take() == reply


def test_an_abort_answers_the_one_who_waits(dialogue: Dialogue) -> None:
    dialogue.start()
    assert dialogue.ask("-a", who=dialogue.world.dom0) == OK
    assert [message.payload for message in dialogue.admin.take()] == [b"Cancellation was requested\0"]


def test_without_transactions_it_may_go_ahead(dialogue: Dialogue) -> None:
    assert dialogue.verdict(dialogue.start()) == OK


def test_it_waits_for_a_transaction_to_end(dialogue: Dialogue) -> None:
    tx = dialogue.world.dom0.start()
    attempt = dialogue.start("-t", "10")
    assert dialogue.verdict(attempt) is None
    dialogue.world.dom0.end(tx)
    assert dialogue.verdict(attempt) == OK


def later(dialogue: Dialogue, seconds: float) -> None:
    dialogue.world.store.now += seconds


def test_after_the_timeout_it_is_refused_with_the_culprits(dialogue: Dialogue) -> None:
    dialogue.world.dom0.start()
    dialogue.world.guest(5).start()
    attempt = dialogue.start("-t", "10")
    later(dialogue, 9.9)
    assert dialogue.verdict(attempt) is None
    later(dialogue, 0.2)
    assert (
        dialogue.verdict(attempt) == "Domains with long running transactions:\nDomain 0: 10 s\nDomain 5: 10 s"
    )


def test_transactions_that_follow_each_other_are_overlapping(dialogue: Dialogue) -> None:
    first = dialogue.world.dom0.start()
    attempt = dialogue.start("-t", "10")
    later(dialogue, 9)
    dialogue.world.dom0.end(first)
    dialogue.world.store.pause_transactions(False)
    dialogue.world.dom0.start()
    later(dialogue, 2)
    assert dialogue.verdict(attempt) == "Overlapping transactions"


def test_force_goes_ahead_when_all_are_old_or_the_time_is_over(dialogue: Dialogue) -> None:
    dialogue.world.dom0.start()
    later(dialogue, 20)
    attempt = dialogue.start("-F", "-t", "10")
    assert dialogue.verdict(attempt) == OK
    other = dialogue.world.connect()
    dialogue.world.store.pause_transactions(False)
    other.start()
    assert dialogue.verdict(attempt) is None
    later(dialogue, 11)
    assert dialogue.verdict(attempt) == OK


@pytest.mark.parametrize(
    "client", [lambda world: world.connect(), lambda world: world.guest(5)], ids=["socket", "ring"]
)
def test_new_transactions_wait_meanwhile(dialogue: Dialogue, client: Callable[[World], Client]) -> None:
    who, busy = client(dialogue.world), dialogue.world.dom0
    tx = busy.start()
    dialogue.start()
    who.session.feed(
        pack(MessageType.TRANSACTION_START, b"\0", req_id=1) + pack(MessageType.GET_DOMAIN_PATH, b"1\0")
    )
    assert who.take() == []
    assert busy.start() == tx + 1  # this one could not end otherwise, if it waits for its own
    assert who.session.export()["input"] != b""
    dialogue.live_update.finish("no")
    start, path = who.take()
    assert (start.type, start.req_id, path.payload) == (
        MessageType.TRANSACTION_START,
        1,
        b"/local/domain/1\0",
    )


def test_without_live_update_it_is_an_unknown_command(world: World, tmp_path: Path) -> None:
    trace = Trace(world.store, print, str(tmp_path))
    world.store.control = Control(world.store, trace, print)
    with pytest.raises(errors.EINVAL):
        world.dom0.ask(MessageType.CONTROL, b"live-update", b"-a")
    assert b"live-update" not in world.dom0.ask(MessageType.CONTROL, b"help")


def test_help_names_it(dialogue: Dialogue) -> None:
    assert b"live-update     [-c" in dialogue.admin.ask(MessageType.CONTROL, b"help")


@pytest.fixture
def world() -> World:
    return World()
