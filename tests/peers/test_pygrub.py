"""Debian's pygrub, shut in as xend shuts it in, on disks that are made here; there is no hypervisor.

Others of its contract show what is seen from within.
"""

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from tests.peers.daemons import lacking, need
from tests.peers.debian import XEN_BIN
from xend.bootloader import cell, linux
from xend.bootloader.contract import Loader
from xend.bootloader.order import Limits, Order, Report, pack
from xend.bootloader.run import Tail, run_cell
from xend.errors import XendError
from xenstore.daemon import child

PYGRUB = XEN_BIN / "pygrub"
MENU = """default=0
timeout=100
title first
  root (hd0)
  kernel /boot/vmlinuz root=/dev/xvda ro
  initrd /boot/initrd
title second
  root (hd0)
  kernel /boot/other single
"""
FILES = {"vmlinuz": b"K" * 300_000, "initrd": b"R" * 5000, "other": b"O" * 100}
#: Of this process alone: what runs of a user is ended, and tests run beside each other.
UID = 2_010_000_000 + os.getpid()


@attrs.define
class Screen:
    """Types what it is given, once something was shown."""

    keys: bytes = b""
    shown: trio.Event = attrs.field(factory=trio.Event)

    def show(self, data: bytes) -> None:
        if b"keys to select" in data:
            self.shown.set()

    async def typed(self) -> bytes:
        await self.shown.wait()
        if not self.keys:
            await trio.sleep_forever()
        keys, self.keys = self.keys, b""
        return keys


Make = Callable[..., tuple[Report, str | None]]


def left() -> list[str]:
    """What runs of the loader's user, and is killed now; its zombies wait for init and do not count."""
    lines = subprocess.run(
        ["ps", "-U", str(UID), "-o", "stat=,args="], capture_output=True, text=True, check=False
    )
    subprocess.run(["pkill", "-KILL", "-U", str(UID)], check=False)
    return [line for line in lines.stdout.splitlines() if not line.startswith("Z")]


@pytest.fixture
def run(tmp_path: Path) -> Make:
    """Runs a boot loader on a disk; returns its report, and the end of what it said."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        lacking("only root may shut a boot loader in")

    def made(
        program: Path, disk: Path, *arguments: str, keys: bytes = b"", **limits: int
    ) -> tuple[Report, str | None]:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        (tmp_path / "run").mkdir(0o700)
        directory = tmp_path / "link" / "run"  # /var/run is one, too
        if not directory.exists():
            directory.parent.symlink_to(tmp_path)
        loader = Loader(program=str(program), arguments=arguments, disk=str(disk), args="x=1")
        order = Order(
            loader=loader,
            uid=UID,
            gid=UID,
            is_own_user=True,
            directory=str(directory),
            limits=Limits(**limits),
        )
        tail = Tail()
        report = trio.run(run_cell, order, Screen(keys), tail)
        return report, tail.text()

    return made


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file system with a menu, for root's eyes only."""
    need(PYGRUB)
    tree = tmp_path / "tree/boot/grub"
    tree.mkdir(parents=True)
    (tree / "menu.lst").write_text(MENU)
    for name, content in FILES.items():
        (tree.parent / name).write_bytes(content)
    image = tmp_path / "a disk,with:signs.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "tree", image, "8M"], check=True)
    image.chmod(0o600)
    return image


def content(report: Report) -> tuple[bytes, bytes | None, str]:
    """What is to be booted."""
    assert report.outcome is not None, report
    ramdisk = report.outcome.ramdisk
    return (
        Path(report.outcome.kernel).read_bytes(),
        None if ramdisk is None else Path(ramdisk).read_bytes(),
        report.outcome.args,
    )


def test_the_kernel_comes_out_of_a_file_system_and_of_a_partition(run: Make, disk: Path) -> None:
    before = disk.stat()
    report, _ = run(PYGRUB, disk, "-q")
    assert content(report) == (FILES["vmlinuz"], FILES["initrd"], "root=/dev/xvda ro x=1")
    assert disk.stat().st_mode == before.st_mode
    assert disk.stat().st_uid == before.st_uid
    assert sorted(path.name for path in (disk.parent / "run").rglob("*") if path.is_file()) == [
        "kernel",
        "ramdisk",
    ]
    whole = disk.with_name("whole.img")
    table = struct.pack("<8B2I", 0x80, 0, 1, 1, 0x83, 0, 1, 1, 2048, disk.stat().st_size // 512)
    with whole.open("wb") as file:
        file.write(bytes(446) + table + bytes(48) + b"\x55\xaa" + bytes(2048 * 512 - 512))
        file.write(disk.read_bytes())
    report, _ = run(PYGRUB, whole, "-q", "--entry=1")
    assert content(report) == (FILES["other"], None, "single x=1")


def test_its_menu_is_a_terminal(run: Make, disk: Path) -> None:
    report, said = run(PYGRUB, disk, keys=b"\x1bOB\r")
    assert content(report)[0] == FILES["other"], said


def test_a_disk_without_a_kernel(run: Make, tmp_path: Path) -> None:
    need(PYGRUB)
    blank = tmp_path / "blank.img"
    blank.write_bytes(bytes(1 << 20))
    report, said = run(PYGRUB, blank, "-q")
    assert (report.status, report.outcome) == (1, None)
    assert said is not None
    assert said.endswith("RuntimeError: Unable to find partition containing kernel")


#: What programs find that read a guest's disk, and what they are told.
PROBE = r"""#!/bin/sh
for word do case $word in --output=*) answer=${word#*=};; --output-directory=*) files=${word#*=};; esac; done
test "$(id -u) $(id -G)" = "USER USER" || exit 11
test "$(head -c 4 "$word")" = DISK || exit 12
(: > "$word") && exit 13
(: > /usr/x) && exit 14
grep -q ' /usr ro,nosuid' /proc/self/mountinfo || exit 26
ls /root /home /var /etc/shadow /run && exit 15
grep -q 'CapEff:.*0000000000000000' /proc/self/status || exit 16
grep -q 'NoNewPrivs:.*1' /proc/self/status || exit 17
test "$(ls /proc | grep -c '^[0-9]')" -lt 9 || exit 18
test "$(grep -c : /proc/net/dev)" -le 1 || exit 19
head -c 3000000 /dev/zero > $files/large && exit 20
test "$(cat /proc/self/oom_score_adj)" = 1000 || exit 21
unshare -U true && exit 22
for what in '-M 4096' -Q '-S 1'; do ipcmk $what && exit 23; done
grep xend-test-secret /proc/keys && exit 24
chroot / true && exit 25
sleep 1000 &
printf 'kernel %s\0' $files/k > $answer
echo K > $files/k
""".replace("USER", str(UID))


def give_secret() -> None:
    """A key in this session's ring, as logins and file systems have them: who has the ring has the key."""
    libc, number = ctypes.CDLL(None, use_errno=True), linux.KEYCTL.get(os.uname().machine)
    if number is not None and libc.syscall(number, linux.JOIN_SESSION_KEYRING, None) >= 0:
        libc.syscall(number - 2, b"user", b"xend-test-secret", b"secret", 6, linux.SESSION_KEYRING)


def test_what_a_loader_sees_and_may(run: Make, tmp_path: Path) -> None:
    give_secret()
    disk, probe = tmp_path / "disk.img", tmp_path / "probe"
    disk.write_bytes(b"DISK" + bytes(508))
    disk.chmod(0o600)
    probe.write_text(PROBE)
    probe.chmod(0o755)
    report, said = run(probe, disk, file_bytes=2_000_000)
    assert report.status == 0, said
    assert content(report) == (b"K\n", None, "")
    assert disk.read_bytes()[:4] == b"DISK"
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in line]


def test_a_mask_of_who_started_xend_means_nothing(run: Make, tmp_path: Path) -> None:
    disk, probe = tmp_path / "disk.img", tmp_path / "probe"
    disk.write_bytes(b"DISK" + bytes(508))
    probe.write_text(PROBE)
    probe.chmod(0o755)
    before = os.umask(0o077)
    try:
        report, said = run(probe, disk, file_bytes=2_000_000)
    finally:
        os.umask(before)
    assert report.status == 0, said


@pytest.mark.parametrize("status", [250, 255])
def test_no_status_of_its_own_means_that_it_was_not_begun(run: Make, tmp_path: Path, status: int) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    report, _ = run(program, program)
    assert (report.status, report.refused) == (status, None)


def test_one_that_prints_without_end(run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xend.bootloader.run.OUTPUT_MAX_BYTES", 1 << 20)
    flood = tmp_path / "flood"
    flood.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    flood.chmod(0o755)
    with pytest.raises(XendError, match="printed more than 1 MiB"):
        run(flood, flood)


def test_one_that_cannot_be_begun(run: Make, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/none\n")
    program.chmod(0o755)
    report, said = run(program, program)
    assert report.refused is not None
    assert said is not None
    assert "No such file or directory" in said


#: Has children that stay, in a session of their own.
STAYS = r"""#!/bin/sh
for word do case $word in --output=*) answer=${word#*=};; --output-directory=*) files=${word#*=};; esac; done
test "$(id -u) $(id -G)" = "USER USER" || exit 11
test "$(head -c 4 "$word")" = DISK || exit 12
for child in 1 2 3 4; do setsid sleep 1000 & done
printf 'kernel %s\0' $files/k > $answer
echo K > $files/k
echo rest > $files/rest
""".replace("USER", str(UID))


def test_what_netbsd_has_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of its own, and no view: nothing of it runs afterwards, and only the copies are left."""
    if os.geteuid() != 0:
        lacking("only root may start a program as another user")
    with tempfile.TemporaryDirectory(prefix="xend-loader-") as name:
        top = Path(name)
        top.chmod(0o711)
        (top / "run").mkdir()
        (top / "disk").write_bytes(b"DISK" + bytes(508))
        (top / "program").write_text(STAYS)
        (top / "program").chmod(0o755)
        loader = Loader(program=f"{top}/program", disk=f"{top}/disk")
        order = Order(loader=loader, uid=UID, gid=UID, is_own_user=True, directory=f"{top}/run")
        monkeypatch.setattr(sys, "platform", "netbsd")
        report = cell.perform(cell.Cell(order))
        assert left() == []
        assert report.status == 0
        assert content(report) == (b"K\n", None, "")
        assert sorted(path.name for path in (top / "run").rglob("*") if path.is_file()) == ["kernel"]


AS_NETBSD = """
import sys
from xend.bootloader import cell
sys.platform = "netbsd"
cell.main()
"""


def test_what_netbsd_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline, or xl destroy: children that have left its group end, too."""
    if os.geteuid() != 0:
        lacking("only root may start a program as another user")
    monkeypatch.setattr(child, "module", lambda name, *words: [sys.executable, "-P", "-c", AS_NETBSD, *words])
    with tempfile.TemporaryDirectory(prefix="xend-loader-") as name:
        top = Path(name)
        top.chmod(0o711)
        (top / "run").mkdir()
        (top / "disk").write_bytes(b"DISK" + bytes(508))
        (top / "program").write_text(STAYS + "echo keys to select\nsleep 1000\n")
        (top / "program").chmod(0o755)
        loader = Loader(program=f"{top}/program", disk=f"{top}/disk")
        order = Order(loader=loader, uid=UID, gid=UID, is_own_user=True, directory=f"{top}/run")
        screen = Screen()

        async def body() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run_cell, order, screen, Tail())
                await screen.shown.wait()
                nursery.cancel_scope.cancel()

        trio.run(body)
        assert left() == []


#: The child that is to be the loader has not come to be its user.
SLOW = """
import os, sys, time
from xend.bootloader import cell
sys.platform = "netbsd"
def set_limits(limits):
    print(os.getpid(), flush=True)
    time.sleep(1000)
cell.set_limits = set_limits
cell.main()
"""


def test_what_netbsd_ends_as_it_begins(tmp_path: Path) -> None:
    """xend dies between the fork and the change of user: nothing of that user is there yet to be found."""
    if os.geteuid() != 0:
        lacking("only root may start a program as another user")
    (tmp_path / "run").mkdir()
    (tmp_path / "disk").write_bytes(b"DISK" + bytes(508))
    loader = Loader(program="/bin/true", disk=f"{tmp_path}/disk")
    order = Order(loader=loader, uid=UID, gid=UID, is_own_user=True, directory=f"{tmp_path}/run")
    ours, theirs = socket.socketpair()
    words = (sys.executable, "-P", "-c", SLOW, str(theirs.fileno()))
    with subprocess.Popen(words, stdout=subprocess.PIPE, pass_fds=(theirs.fileno(),)) as process:
        ours.sendall(pack(order))
        assert process.stdout
        pid = int(process.stdout.readline())
        ours.close()
        process.wait()
    state = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, check=False).stdout
    if state[:1] not in (b"", b"Z"):
        os.kill(pid, signal.SIGKILL)
        pytest.fail("what was to be the loader runs still")


DIES = """
import os, subprocess
from xend.bootloader import linux
parent = subprocess.Popen(["true"])
descriptor = os.pidfd_open(parent.pid)
parent.wait()
linux.die_with_parent(descriptor)
print("alive")
"""


def test_what_dies_with_its_parent_dies_too_if_that_has_died_before() -> None:
    ended = subprocess.run([sys.executable, "-c", DIES], capture_output=True, check=False)
    assert (ended.stdout, ended.stderr) == (b"", b"")
