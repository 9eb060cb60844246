"""However it goes wrong, an operation ends, its caller hears how, and xend serves everybody else."""

import os

import pytest

from tests.manager.place import Place


def test_a_path_that_cannot_be_watched_is_named(place: Place) -> None:
    place.start()
    for path in ("/bad path", "//", ""):
        done = place.tool("xl", "events", "--watch", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"xl: {path!r} cannot be watched: it is no path of the store\n"
    assert "Traceback" not in place.log()


def test_operations_go_on_once_they_can_be_recorded(place: Place) -> None:
    place.start()
    place.create("example")
    directory = place.top / "operations"
    os.rename(directory, place.top / "away")
    for _ in range(2):
        done = place.tool("xl", "pause", "example")
        assert done.returncode == 1
        assert done.stderr.startswith("xl: cannot record the operation: No such file or directory")
    os.rename(place.top / "away", directory)
    assert place.said("xl", "pause", "example") == ""
    assert "example" in place.said("xl", "list")
