"""However it goes wrong, an operation ends, its caller hears how, and xend serves everybody else."""

import os

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


FAILING = """#!/bin/sh
[ "$1" = remove ] && { echo "loop7: busy"; exit 1; }
exec "$(dirname "$0")/block" "$@"
"""
FAILED = """\
name = "rmf"
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 32
disk = [ "script=block-rmfail,vdev=xvda,target=/n0/xen/foo-wd0" ]
"""


def test_a_script_that_cannot_take_a_disk_out_is_no_secret(place: Place) -> None:
    place.start()
    script = place.scripts / "block-rmfail"
    script.write_text(FAILING)
    script.chmod(0o755)
    (place.top / "rm.cfg").write_text(FAILED)
    for command in (("destroy", "rmf"), ("block-detach", "-f", "rmf", "xvda")):
        assert place.said("xl", "create", "-q", "rm.cfg") == ""
        done = place.tool("xl", *command)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == (
            f"xl: warning: vbd xvda: {script} exited with status 1 as it took it out; "
            "a loop unit may be left: loop7: busy (see losetup -a; losetup -d UNIT gives one back)\n"
        )
        if command[0] == "destroy":
            assert "rmf" not in place.said("xl", "list")
