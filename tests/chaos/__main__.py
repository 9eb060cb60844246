"""make chaos: the store is killed every second, under load, and nothing may be lost.

    python -m tests.chaos [--seconds S] [--every S] [--clients N] [--guests N] [--watchers N] [--plant]

Clients of the socket move money in transactions, guests on rings count, watchers follow.  At the end the
sum must be exact, every acknowledged change there, none of them twice, and no event missing.
Exit status 0: all is well, or with --plant: the planted fault was found.  1: it is not.  2: could not run.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from tests.chaos.killer import Killer
from tests.chaos.run import Outcome, Plan, chaos
from tests.chaos.verdict import faults
from tests.peers.wire import Closed
from tests.stress.__main__ import at_least
from tests.stress.board import Counts
from tests.stress.verdict import conclude
from xenstore.errors import XenstoreError


def seconds(text: str) -> float:
    if float(text) < 0.05:
        raise argparse.ArgumentTypeError(f"{text}: at least 0.05")
    return float(text)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill xenstored under load.")
    parser.add_argument("--seconds", type=seconds, default=60, help="how long (default: %(default)s)")
    parser.add_argument(
        "--every", type=seconds, default=1, help="seconds between kills (default: %(default)s)"
    )
    parser.add_argument(
        "--clients", type=at_least(1), default=32, help="of the socket (default: %(default)s)"
    )
    parser.add_argument("--guests", type=at_least(0), default=8, help="on rings (default: %(default)s)")
    parser.add_argument("--watchers", type=at_least(0), default=2, help="of accounts (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--plant", action="store_true", help="drop what was acknowledged before one kill")
    return parser.parse_args(words)


def tick(second: int, killer: Killer, tellers: Counts, others: Counts) -> None:
    recovered = f"recovered in {killer.recovered_ms[-1]:.0f} ms" if killer.kills else "not killed yet"
    print(
        f"{second:4} s  {killer.kills:4} kills  {tellers.committed:8} committed  "
        f"{others.committed:8} ring requests  {others.events:8} events  {recovered}",
        flush=True,
    )


def judge(outcome: Outcome, planted: bool) -> int:
    """Prints the verdict; returns the exit status."""
    kills = f"{len(outcome.recovered_ms)} kills"
    transactions = f"{len(outcome.history)} transactions"
    return conclude(
        faults(outcome),
        planted,
        void=None if outcome.history and outcome.recovered_ms else f"{transactions}, {kills}",
        extent=kills,
        passed=lambda: (
            f"{kills}, recovered in {statistics.median(outcome.recovered_ms):.0f} ms "
            f"({max(outcome.recovered_ms):.0f} at most); {transactions} and "
            f"{outcome.requests} requests of {len(outcome.guests)} rings: the sum is exact, every "
            "acknowledged change is there, none twice, all watches complete"
        ),
    )


def main(words: list[str]) -> int:
    chosen = arguments(words)
    with tempfile.TemporaryDirectory(prefix="xend-chaos-") as folder:
        plan = Plan(scratch=Path(folder), **vars(chosen))
        try:
            outcome = chaos(plan, tick)
        except (XenstoreError, OSError, Closed, RuntimeError) as error:
            print(f"could not finish: {error}", file=sys.stderr)
            return 2
    return judge(outcome, chosen.plant)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
