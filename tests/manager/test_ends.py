"""However it goes wrong, an operation ends, its caller hears how, and xend serves everybody else."""

import os
import select
import subprocess

from tests.manager.daemon import PATIENCE_SECONDS
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


HANGING = """#!/bin/sh
echo "$1" >>{calls}
exec 9>{alive}
echo begun >&9
(setsid sleep 1000 &)
sleep 1000
"""


def test_a_script_that_hangs_is_over_once_with_all_it_started_and_others_are_served(place: Place) -> None:
    place.start("--hotplug-seconds=10")  # enough for the scripts of those that come up, on a busy machine
    place.create("example")
    calls, alive = place.top / "calls", place.top / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    script = place.scripts / "vif-hang"
    script.write_text(HANGING.format(calls=calls, alive=alive))
    script.chmod(0o755)
    attach = [place.program("xl"), "network-attach", "example", "script=vif-hang"]
    with subprocess.Popen(attach, env=place.environment, stderr=subprocess.PIPE, text=True) as xl:
        assert select.select([reader], [], [], PATIENCE_SECONDS)[0]
        assert "example" in place.said("xl", "list")
        place.create("other")
        _, errors = xl.communicate(timeout=PATIENCE_SECONDS)
    assert xl.returncode == 1
    warning, error, _ = errors.splitlines()
    assert warning.startswith(f"xl: warning: vif 1: {script} hung before, and is not run to take it out; ")
    assert error.startswith(f"xl: vif 1: {script} did not end within 10 s and was killed")
    assert len(calls.read_text().splitlines()) == 1
    assert os.read(reader, 100) == b"begun\n"
    assert select.select([reader], [], [], PATIENCE_SECONDS)[0]  # nobody has it open any more
    assert os.read(reader, 100) == b""
    os.close(reader)
    assert len(place.said("xl", "network-list", "example").splitlines()) == 2
