"""`python -m xend.check`: what can be said of a configuration's text where no xend runs.

Standard input is a JSON map of what config.check takes; standard output its answer.
"""

import json
import sys

import attrs

from xend.check.names import guest_warnings
from xend.check.report import Report, parsed
from xend.config.domain import as_json


def main() -> int:
    """Answer; returns the exit status."""
    asked = json.load(sys.stdin)
    report, source = Report(), asked.get("name") or "configuration"
    config = parsed(
        report,
        asked["text"],
        source=source,
        name=asked.get("name"),
        extra=asked.get("extra", []),
        directory=asked.get("directory"),
    )
    if config is not None:
        report.config = as_json(config, -1)["config"]
        for warning in guest_warnings(config, source):
            report.warn(warning)
    json.dump(attrs.asdict(report), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
