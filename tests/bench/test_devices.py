"""The table of what devices cost, and the counting of libxl's requests."""

import pytest

from tests.bench.device_table import judged, percentiles
from tests.bench.devices import arguments
from tests.bench.domain_table import Figures
from tests.bench.libxl_requests import RECORDED, TRACE, count, main

CPU = ("ms", "xend_cpu_ms", "simulator_cpu_ms")
REQUESTS = ("create", "destroy", "attach_vif", "attach_vbd", "detach_vif", "detach_vbd")


def figures(**different: float) -> Figures:
    made = {f"{when}_{key}": 10.0 for when in ("few", "all", "destroy_few", "destroy") for key in CPU}
    made |= {f"{what}_requests": 20.0 for what in REQUESTS} | {"nodes_left": 0.0}
    return made | percentiles("attach", range(100)) | percentiles("detach", range(100)) | different


@pytest.mark.parametrize(
    ("different", "short"),
    [
        ({}, []),
        ({"all_ms": 13.1}, ["create, growth from 100 to 1,000: time"]),
        ({"all_xend_cpu_ms": 13.1}, ["create, growth from 100 to 1,000: CPU of xend and its store"]),
        ({"destroy_ms": 13.1}, ["destroy, growth from 100 to 1,000: time"]),
        ({"all_simulator_cpu_ms": 99.0}, []),
        ({"nodes_left": 1.0}, ["nodes left of 1,000 domains"]),
        ({"attach_vif_requests": 73.0}, ["hot attach of a vif: store requests (libxl: 73)"]),
        ({"attach_vif_requests": 72.0}, []),
        ({"detach_vbd_requests": 34.0}, ["hot detach of a vbd: store requests (libxl: 34)"]),
        ({"create_requests": 68.0}, ["create: store requests, a device (libxl: 68)"]),
    ],
)
def test_what_falls_short(different: Figures, short: list[str]) -> None:
    verdicts = judged(figures(**different), 1000)
    assert [each.name for each in verdicts if str(each).endswith("short")] == short
    assert sum(str(each).endswith(("met", "short")) for each in verdicts) == 11


def test_percentiles() -> None:
    assert percentiles("attach", range(1, 101)) == {"attach_median_ms": 50.5, "attach_p99_ms": 99.99}


def test_so_many_domains_as_get_a_hot_device_are_needed() -> None:
    assert arguments([]).domains == 1000
    with pytest.raises(SystemExit):
        arguments(["--domains", "99"])


FRONT, BACK, OWN = "/local/domain/1/device/vif/0", "/local/domain/0/backend/vif/1/0", "/libxl/1/device/vif/0"
#: What a creation and a destruction say on their connections; what counts for the vif is marked.
CREATION = f"""\
READ (/local/pool/0/name )
WRITE (/libxl/1/type pv)
RM (/libxl/1/device/vif/0 )*
INTRODUCE (1 2 3 )
GET_DOMAIN_PATH (1 )*
TRANSACTION_START ( )*
GET_DOMAIN_PATH (1 )*
WRITE ({FRONT}/mac 00:16:3e:01:02:03)*
WRITE ({BACK}/state 1)*
TRANSACTION_END (T )*
READ (domid )*
READ (/local/domain/1/image/device-model-domid )*
READ ({BACK}/type )*
GET_DOMAIN_PATH (1 )
READ (/local/domain/1/console/tty )
GET_DOMAIN_PATH (1 )
"""
DESTRUCTION = f"""\
DIRECTORY (/libxl/1/device )
DIRECTORY (/libxl/1/device/vif )*
TRANSACTION_START ( )*
RM ({OWN} )*
READ (/libxl/1/device/vif )*
DIRECTORY (/libxl/1/device/vif )*
RM (/libxl/1/device/vif )
READ (/libxl/1/device )
DIRECTORY (/libxl/1/device )
RM ({BACK} )*
READ (/local/domain/0/backend/vif/1 )*
RM (/local/domain/0/backend/vif/1 )
READ (/local/domain/0/backend/vif )
TRANSACTION_END (T )*
RM (/libxl/1 )
"""
#: Neither creates nor destroys.
STRANGER = f"READ ({BACK}/state )\nWRITE ({BACK}/state 2)\n"


def spoken(connection: str, said: str) -> list[str]:
    """A trace of one connection."""
    requests = [f"IN {connection} 20261122 16:38:10 {line.rstrip('*')}" for line in said.splitlines()]
    answers = [f"OUT {connection} 20261122 16:38:10 READ (/libxl )"]
    return [f"CREATE connection {connection}", *requests, *answers, f"DESTROY connection {connection}"]


def test_requests_are_counted_for_the_device_that_they_are_for() -> None:
    trace = [
        *spoken("0x1", STRANGER),
        *spoken("0x2", CREATION),
        *spoken("0x1", DESTRUCTION),  # the address is used again
    ]
    counts = count(trace)
    assert counts["create"]["vif"] == CREATION.count("*\n")
    assert counts["destroy"]["vif"] == DESTRUCTION.count("*\n")
    assert counts["create"]["vbd"] == counts["destroy"]["vbd"] == 0


def test_what_was_recorded_is_what_is_counted() -> None:
    counts = count(TRACE.read_text().splitlines())
    assert {when: {kind: counts[when][kind] for kind in ("vbd", "vif")} for when in counts} == RECORDED


def test_no_trace_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/nonexistent/trace.gz"]) == 1
    assert capsys.readouterr().err == "libxl_requests: /nonexistent/trace.gz: No such file or directory\n"
