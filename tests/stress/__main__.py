"""make stress: many processes move money between accounts, in transactions.

    python -m tests.stress [--seconds S] [--clients N] [--accounts N] [--socket PATH] [--plant]

At the end the sum must be exact, and one serial order must explain all that the clients have read.
Exit status 0: all is well, or with --plant: the planted fault was found.  1: it is not.  2: could not run.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.daemons import ROOT, start_ours
from tests.peers.wire import Closed
from tests.stress.board import Counts
from tests.stress.run import ClientFailed, Outcome, Plan, stress
from tests.stress.verdict import conclude, faults, picture, sparkline
from xenstore.errors import XenstoreError

PICTURE = ROOT / "build" / "stress" / "stress.svg"


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: at least {least}")
        return int(text)

    return number


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description="Put xenstored under stress.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: %(default)s)")
    parser.add_argument("--clients", type=at_least(1), default=64, help="processes (default: %(default)s)")
    parser.add_argument("--accounts", type=at_least(2), default=100, help="nodes (default: %(default)s)")
    parser.add_argument("--socket", type=Path, help="any xenstored's; without it ours is started for this")
    parser.add_argument("--plant", action="store_true", help="add a client that writes stale data")
    return parser.parse_args(words)


@contextmanager
def store(socket: Path | None, scratch: Path) -> Iterator[Path]:
    """The socket of the store under stress; ours is started, and stopped, if none is given."""
    if socket:
        yield socket
        return
    with start_ours(scratch / "rundir") as daemon:
        yield daemon.socket


def tick(second: int, counts: Counts) -> None:
    print(f"{second:4} s {counts.committed:8} committed/s {counts.eagain:8} EAGAIN/s", flush=True)


def show(outcome: Outcome) -> None:
    committed = [float(counts.committed) for counts in outcome.pace]
    eagain = [float(counts.eagain) for counts in outcome.pace]
    print(f"committed/s {sparkline(committed)} up to {max(committed, default=0):.0f}")
    print(f"EAGAIN/s    {sparkline(eagain)} up to {max(eagain, default=0):.0f}")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(outcome.pace, f"{len(outcome.history)} transactions committed"))
    print(f"picture: {PICTURE}")


def judge(outcome: Outcome, planted: bool) -> int:
    """Prints the verdict; returns the exit status."""
    count = f"{len(outcome.history)} transactions"
    return conclude(
        faults(outcome),
        planted,
        void=None if outcome.history else "nothing was committed",
        extent=count,
        passed=lambda: f"{count}, the sum is exact, and one serial order explains every read",
    )


def main(words: list[str]) -> int:
    chosen = arguments(words)
    with tempfile.TemporaryDirectory(prefix="xend-stress-") as folder:
        scratch = Path(folder)
        try:
            with store(chosen.socket, scratch) as socket:
                plan = Plan(
                    socket=socket,
                    root=f"/xend-stress/{os.getpid()}",
                    scratch=scratch,
                    clients=chosen.clients,
                    accounts=chosen.accounts,
                    seconds=chosen.seconds,
                    plant=chosen.plant,
                )
                outcome = stress(plan, tick)
        except (ClientFailed, XenstoreError, OSError, Closed, RuntimeError) as error:
            print(f"could not finish on {chosen.socket or 'our xenstored'}: {error}", file=sys.stderr)
            return 2
    show(outcome)
    return judge(outcome, chosen.plant)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
