"""Play the tables and print what differs: python -m tests.conformance [--on session] [words ...]."""

import argparse
import sys

from tests.conformance.tables import all_scenarios
from tests.conformance.target import Target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--on", default="session", choices=["session", "bytewise", "daemon", "c", "o"])
    parser.add_argument("words", nargs="*", help="only scenarios whose name contains all of these")
    options = parser.parse_args()
    target = Target(options.on)
    played = failed = rows = 0
    try:
        for name, scenario in all_scenarios().items():
            if not all(word in name for word in options.words) or target.obstacle(scenario):
                continue
            played += 1
            try:
                rows += target.play(scenario)
            except Exception as error:
                failed += 1
                print(f"FAILED {name}\n  {type(error).__name__}: {error}\n")
    finally:
        target.stop()
    print(f"{options.on}: {played} scenarios, {failed} failed; {rows} rows in those that passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
