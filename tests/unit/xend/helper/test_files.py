"""Kernels and ramdisks that are none."""

import errno
import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from xend.helper import files
from xend.helper.steps import Refused

KIB = 1024


def missing(path: Path) -> None:
    pass


def directory(path: Path) -> None:
    path.mkdir()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def empty(path: Path) -> None:
    path.touch()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, files.RAMDISK_MAX + 1)


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


TABLE: list[tuple[Callable[[Path], None], int, int, str]] = [
    (missing, errno.ENOENT, errno.ENOENT, "No such file or directory"),
    (directory, errno.EINVAL, errno.EINVAL, "is a directory: a regular file is needed"),
    (fifo, errno.EINVAL, errno.EINVAL, "is a FIFO: a regular file is needed"),
    (unix_socket, errno.EINVAL, errno.EINVAL, "is a socket: a regular file is needed"),
    (device, errno.EINVAL, errno.EINVAL, "is a character device: a regular file is needed"),
    (empty, errno.ENOEXEC, errno.EINVAL, "is empty"),
    (dangling, errno.ENOENT, errno.ENOENT, "No such file or directory"),
    (loop, errno.ELOOP, errno.ELOOP, "symbolic links"),
    (huge, errno.EINVAL, errno.EINVAL, "is larger than"),
    (below_a_file, errno.ENOTDIR, errno.ENOTDIR, "Not a directory"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "image"


@pytest.mark.parametrize(("make", "of_kernel", "of_ramdisk", "text"), TABLE)
def test_no_file_with_an_image(
    path: Path, make: Callable[[Path], None], of_kernel: int, of_ramdisk: int, text: str
) -> None:
    make(path)
    for what, number in (("kernel", of_kernel), ("ramdisk", of_ramdisk)):
        with pytest.raises(Refused) as refused:
            files.kernel(str(path)) if what == "kernel" else files.ramdisk(str(path), 1 << 30)
        assert refused.value.errno == number
        assert refused.value.text.startswith(f"the {what} {path}")
        assert text in refused.value.text


def test_what_is_there_is_mapped(path: Path) -> None:
    path.write_bytes(b"kernel")
    assert files.kernel(str(path))[:] == b"kernel"
    assert files.ramdisk(str(path), 4)[:] == b"kernel"


def test_a_ramdisk_larger_than_the_domain(path: Path) -> None:
    path.write_bytes(bytes(4 * KIB + 1))
    files.ramdisk(str(path), 5)
    with pytest.raises(
        Refused, match=r"\(5 KiB\) does not fit 4 KiB of memory: give the domain more"
    ) as refused:
        files.ramdisk(str(path), 4)
    assert refused.value.errno == errno.ENOMEM


def test_a_bomb_that_says_so(path: Path) -> None:
    bomb = bytearray(gzip.compress(b"x"))
    bomb[-4:] = (files.UNPACKED_MAX + 1).to_bytes(4, "little")
    path.write_bytes(bomb)
    with pytest.raises(Refused, match="unpacks to more than 256 MiB") as refused:
        files.kernel(str(path))
    assert refused.value.errno == errno.ENOEXEC


def test_nothing_is_left_open(path: Path) -> None:
    before = os.listdir("/dev/fd")
    for make in (fifo, directory):
        make(path)
        with pytest.raises(Refused):
            files.kernel(str(path))
        path.unlink() if make is fifo else path.rmdir()
    assert os.listdir("/dev/fd") == before
