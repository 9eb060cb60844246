import pytest

from tests.peers.debian import newest


@pytest.mark.parametrize(
    ("directories", "version"),
    [
        ([], None),
        (["xen-common", "xen-default"], None),
        (["xen-4.17", "xen-common"], "4.17"),
        (["xen-common", "xen-4.20"], "4.20"),
        (["xen-4.9", "xen-4.20", "xen-4.17"], "4.20"),
    ],
)
def test_the_newest_xen_that_is_installed(directories: list[str], version: str | None) -> None:
    assert newest(directories) == version
