"""The configurations that Xen ships as examples start as they are, or are refused with a true reason."""

from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.peers.daemons import need

EXAMPLES = Path("/etc/xen")


@pytest.mark.parametrize(("example", "kind"), [("xlexample.pvlinux", "pv"), ("xlexample.pvhlinux", "pvh")])
def test_they_start(host: Place, example: str, kind: str) -> None:
    need_file(EXAMPLES / example)
    host.said("xl", "create", "-q", str(EXAMPLES / example))
    name = example.replace("xlexample", "example")
    with host.client() as client:
        (domain,) = client.call("domain.list", domain=name)
    assert (domain["type"], domain["state"]) == (kind, "running")
    assert [device["name"] for device in domain["devices"]] == ["vbd xvda", "vif 0"]
    assert host.tool("xl", "config-check", str(EXAMPLES / example)).returncode in (0, 1)


def test_one_that_cannot_be_built_says_why(host: Place) -> None:
    need_file(EXAMPLES / "xlexample.hvm")
    done = host.tool("xl", "create", str(EXAMPLES / "xlexample.hvm"))
    assert done.returncode == 1
    assert 'type = "hvm"' in done.stderr
    assert "no hvm" in done.stderr
    assert host.names() == []


def need_file(path: Path) -> None:
    if not path.exists():
        need(path)
