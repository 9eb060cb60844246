"""What libxl asks of the store for one device, counted in a trace of xenstored's.

    python -m tests.bench.libxl_requests [TRACE]

The trace is of Xen 4.17.7: `xl create` of a PV domain with one vbd and one vif, its guest powers off, and the
process that xl left behind destroys it.  Of that, xl-4.17-trace.txt holds libxl's own connections, without
the answers; RECORDED holds what is counted in it.

Whose a request is.  libxl's connections are those that remove something below /libxl: that of `xl create`
(which introduces the domain), and that of the process left behind.  Kernels, consoles, scripts and xl's other
commands have connections of their own and are not counted.  A request that names a device is that device's.
A whole transaction is the device's that it names first: its beginning and end, the parents that it looks at.
What names nothing in particular (the path of a domain, libxl's own domid) is asked before what it is for, and
counts for what its connection names next; what is for nothing later counts for no device.  Directories that
libxl removes, and looks at above them, because the recorded device was the last of its kind in its domain and
on its host, are left out: it would not where there are others, as where ours are counted.  So the figures are
too low rather than too high.

A hot attach asks the same and more, for the domain's stored configuration; no trace of one was recorded.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

TRACE = Path(__file__).with_name("xl-4.17-trace.txt")

#: Requests of libxl for one device: as it is put in at the domain's creation, as it is taken out at its end.
RECORDED = {"create": {"vbd": 63, "vif": 73}, "destroy": {"vbd": 34, "vif": 49}}

_LINE = re.compile(r"(CREATE) connection (\S+)|IN (\S+) \S+ \S+ (\w+) \((.*)")
_DEVICE = re.compile(r"/(?:device|backend)/(vif|vbd)(?=[/ ])")
_OWN = re.compile(r"/(?:device/(?:vif|vbd)/\d+|backend/(?:vif|vbd)/\d+/\d+)[/ ]")
_PARENT = re.compile(r"(?:READ|DIRECTORY) \S+/(?:device/(?:vif|vbd)|backend/(?:vif|vbd)/\d+) ")
#: Begin requests that are asked on the way to something else.
_ASIDE = ("GET_DOMAIN_PATH ", "READ domid", "TRANSACTION_")
_DEVICE_MODEL = "/image/device-model-domid"
OTHER = "other"


def count(trace: Iterable[str]) -> dict[str, Counter[str]]:
    """How many requests of libxl's are for a vbd, a vif, or OTHER: {"create": ..., "destroy": ...}."""
    counts = {"create": Counter[str](), "destroy": Counter[str]()}
    for requests in _connections(trace):
        if any(each.startswith("RM /libxl/") for each in requests):
            when = "create" if any(each.startswith("INTRODUCE ") for each in requests) else "destroy"
            counts[when].update(_subjects(requests))
    return counts


def _connections(trace: Iterable[str]) -> list[list[str]]:
    """The requests, "TYPE payload", of each connection there was; addresses are used again."""
    all_, open_ = [], dict[str, list[str]]()
    for line in trace:
        if match := _LINE.match(line):
            made, new, connection, kind, payload = match.groups()
            if made:
                open_[new] = []
                all_.append(open_[new])
            elif connection in open_:
                open_[connection].append(f"{kind} {payload}")
    return all_


def _subjects(requests: list[str]) -> Iterator[str]:
    """What each request is for."""
    waiting = 0
    for unit in _units(requests):
        waiting += sum(map(_counts, unit)) if len(unit) > 1 else 1
        if (subject := _subject(unit)) is not None:
            yield from [subject] * waiting
            waiting = 0
    yield from [OTHER] * waiting


def _units(requests: list[str]) -> Iterator[list[str]]:
    """Transactions, and single requests outside of any."""
    unit = list[str]()
    for request in requests:
        unit.append(request)
        if not unit[0].startswith("TRANSACTION_START") or request.startswith("TRANSACTION_END"):
            yield unit
            unit = []
    if unit:
        yield unit


def _subject(unit: list[str]) -> str | None:
    """A device's kind, or OTHER; None: it names nothing in particular."""
    for request in unit:
        if match := _DEVICE.search(request):
            return match[1]
    aside = all(each.startswith(_ASIDE) or _DEVICE_MODEL in each for each in unit)
    return None if aside else OTHER


def _counts(request: str) -> bool:
    """Whether a request of a transaction would be there if the device were one of several."""
    return bool(request.startswith(_ASIDE) or _OWN.search(request) or _PARENT.match(request))


def main(words: list[str]) -> int:
    path = Path(words[0]) if words else TRACE
    try:
        with open(path, errors="replace") as trace:
            counts = count(trace)
    except OSError as error:
        print(f"libxl_requests: {path}: {error.strerror or error}", file=sys.stderr)
        return 1
    for when, counted in counts.items():
        print(f"{when}: {counted['vbd']} for the vbd, {counted['vif']} for the vif")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
