"""The store through the kernel's device, with the face of a socket.

A client cannot wait for the device itself within a deadline: a write waits in the kernel for xenstored's
answer (each on NetBSD, those of watches on Linux), and NetBSD's has neither poll nor kqueue.  So a thread of
its own reads and writes the device, and the client, of either kind, talks to that thread over a pair of
sockets as if it were xenstored.  What is particular about a device stays here:

- One write is at most one message, of at most 4096 bytes with its header.  An error of a write is the
  answer to that message.
- All openings share the domain's one connection to the store.  RESET_WATCHES would reset that, with the
  kernel's own watches, so it is refused.
- Linux: what several openings ask is told apart by the kernel, which gives requests ids of its own and
  restores the caller's.  Of one opening it takes a single request at a time: the next write goes to the
  buffer from which a thread of the kernel may still be sending the last (seen on Debian's 6.1: commits
  refused with EINVAL, written nodes missing).  It ignores a watch's depth (the client looks at it too).
- NetBSD: an opening belongs to the thread that made it.  The answer is there as soon as the write returns;
  a read without one fails instead of waiting.  Watches, and most of what only a toolstack asks, are not
  carried at all, and a message that failed stays in the kernel's buffer until the device is closed.

Source: Linux drivers/xen/xenbus/xenbus_dev_frontend.c, 4.11 and later; NetBSD
sys/arch/xen/xenbus/xenbus_dev.c, 1.9.12.1.
"""

from __future__ import annotations

import os
import signal
import sys
from _socket import socket, socketpair
from _thread import allocate_lock, start_new_thread
from errno import EAGAIN

from xenclient.store.bridge import Polled, Stepwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.store.bridge import File

NETBSD = sys.platform.startswith("netbsd")


class KernelFile:
    """The real one."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def write(self, data: bytes) -> object:
        return os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


def open_device(path: str) -> socket:
    """A connected, non-blocking socket that leads to the device; closing it closes the device.

    Its thread ends with it, though not before the kernel lets go of a write: a Linux process waits for that
    when it ends.

    Raises:
        OSError: the device cannot be opened, or no thread be started.
    """
    ours, theirs = socketpair()
    failures: list[OSError] = []
    opened = allocate_lock()
    opened.acquire()

    def serve() -> None:
        # Signals are the main thread's: in this one they would not wake a call that waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            file: File = KernelFile(path)
        except OSError as error:
            failures.append(error)
            return
        finally:
            opened.release()
        _serve(file, theirs)

    try:
        start_new_thread(serve, ())
    except RuntimeError as error:
        failures.append(OSError(EAGAIN, str(error)))
    else:
        opened.acquire()
    if failures:
        ours.close()
        theirs.close()
        raise failures[0]
    ours.setblocking(False)
    return ours


def _serve(file: File, sock: socket) -> None:
    bridge = Stepwise(file, sock) if NETBSD else Polled(file, sock)
    try:
        bridge.run()
    except OSError:
        pass  # the client sees the stream end, and opens the device again if it still wants it
    finally:
        sock.close()
        file.close()
