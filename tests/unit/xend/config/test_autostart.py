"""autostart_after and autostart_delay."""

import pytest

from tests.unit.xend.config.conftest import complaint, config


def test_what_is_given() -> None:
    read = config("autostart_after = [ 'db', \"dns\" ]\nautostart_delay = 5")
    assert (read.autostart_after, read.autostart_delay_s) == (("db", "dns"), 5)
    assert config("autostart_delay = '0x10'").autostart_delay_s == 16
    assert config("on_shutdown = 'save'").on_shutdown == "save"


def test_nothing_by_default() -> None:
    read = config("")
    assert (read.autostart_after, read.autostart_delay_s, read.on_shutdown) == ((), 0, None)


WRONG = [
    ("autostart_after = 'db'", "autostart_after is a text, expected a list in brackets"),
    ("autostart_after = [1]", "autostart_after holds 1, expected texts in quotes"),
    ("autostart_after = ['a/b']", 'autostart_after holds "a/b": expected a name without / and control'),
    ("autostart_after = ['']", 'autostart_after holds "": expected a name that is not empty'),
    ("autostart_after = ['7']", 'autostart_after holds "7": expected more than digits'),
    ("autostart_after = ['a', 'a']", 'autostart_after holds "a": it is there already, expected each once'),
    ("autostart_delay = 3601", "autostart_delay = 3601: expected a number of seconds from 0 to 3600"),
    ("autostart_delay = '-1'", 'autostart_delay = "-1": expected a number of seconds from 0 to 3600'),
    ("autostart_delay = 'soon'", 'autostart_delay = "soon": expected a number (decimal'),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_place(line: str, message: str) -> None:
    error = complaint(lambda: config(f"\n{line}"))
    assert error.code == "bad_config"
    assert error.message.startswith(f"foo.cfg:2: {message}")


def test_other_words_of_on_shutdown_never_had_an_effect() -> None:
    read = config("on_shutdown = 'destroy'")
    assert read.on_shutdown is None
    assert [each.message for each in read.warnings] == [
        'foo.cfg:1: on_shutdown = "destroy" has no effect: expected shutdown or save'
    ]
