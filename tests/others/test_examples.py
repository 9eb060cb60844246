"""The configurations that Xen ships as examples start as they are."""

from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.peers.daemons import need

EXAMPLES = Path("/etc/xen")


@pytest.mark.parametrize(
    ("example", "kind", "more"),
    [
        ("xlexample.pvlinux", "pv", []),
        ("xlexample.pvhlinux", "pvh", []),
        ("xlexample.hvm", "hvm", ["vkb 0"]),
    ],
)
def test_they_start(host: Place, example: str, kind: str, more: list[str]) -> None:
    need_file(EXAMPLES / example)
    host.said("xl", "create", "-q", str(EXAMPLES / example))
    name = example.replace("xlexample", "example")
    with host.client() as client:
        (domain,) = client.call("domain.list", domain=name)
    assert (domain["type"], domain["state"]) == (kind, "running")
    assert [device["name"] for device in domain["devices"]] == ["vbd xvda", *more, "vif 0"]
    assert host.tool("xl", "config-check", str(EXAMPLES / example)).returncode in (0, 1)


def need_file(path: Path) -> None:
    if not path.exists():
        need(path)
