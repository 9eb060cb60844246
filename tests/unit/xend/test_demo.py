"""The files of `make run` deserve no warning, whatever system runs it."""

import pytest

from xend.check.names import guest_warnings, host_warnings
from xend.config.domain import parse
from xend.demo.__main__ import FILES


@pytest.mark.parametrize("platform", ["linux", "netbsd"])
@pytest.mark.parametrize("name", ["example", "foo"])
def test_its_configurations(name: str, platform: str) -> None:
    config = parse((FILES / "etc" / name).read_text(), source=name, name=name)
    found = [*config.warnings, *guest_warnings(config, name), *host_warnings(config, name, platform)]
    assert found == []
