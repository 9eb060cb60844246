"""vtpm = [ 'backend=DOM,uuid=U' ]: what is read, and what is refused."""

from typing import Any

import pytest

from tests.unit.xend.config.conftest import complaint, config
from xend.config.listing import as_json
from xend.config.place import Place
from xend.device.vtpm import VtpmConfig, parse_vtpm

PLACE = Place("foo.cfg", 3)
UUID = "039e9ee6-4a84-3055-4c81-8ba426ae2656"

READ: list[tuple[str | list[str], dict[str, Any]]] = [
    ("backend=tpm", {"backend": "tpm"}),
    ("backend=7", {"backend": "7"}),
    (f"backend=tpm,uuid={UUID.upper()}", {"backend": "tpm", "uuid": UUID}),
    (f" uuid = {UUID} , backend = tpm ,", {"backend": "tpm", "uuid": UUID}),
    ([f"uuid={UUID}", "backend=tpm"], {"backend": "tpm", "uuid": UUID}),
    ("backend=tpm,uuid=00000000-0000-0000-0000-000000000000", {"backend": "tpm"}),
    ("backend=0", {"backend": "0"}),  # dom0, but only if somebody says so
    ("backend=Domain-0", {"backend": "0"}),
]


@pytest.mark.parametrize(("specification", "expected"), READ)
def test_what_is_read(specification: str | list[str], expected: dict[str, Any]) -> None:
    assert parse_vtpm(specification, PLACE) == VtpmConfig(**expected)


REFUSED = [
    ("", "it has no backend, expected backend=DOM, a vTPM stub domain"),
    (f"uuid={UUID}", "it has no backend, expected backend=DOM, a vTPM stub domain"),
    ("backend=", "it has no backend, expected backend=DOM, a vTPM stub domain"),
    ("backend=a/b", 'backend "a/b", expected a domain\'s name or domid'),
    ("backend=tpm,uuid=17", 'uuid "17", expected hexadecimal digits in groups of 8-4-4-4-12'),
    ("backend=tpm,backend=x", 'backend is given twice, "tpm" and "x", expected once'),
    ("instance=1,backend=0", 'found "instance=", expected backend= or uuid='),
    ("tpm", 'found "tpm", expected backend= or uuid='),
]


@pytest.mark.parametrize(("specification", "why"), REFUSED)
def test_what_is_refused(specification: str, why: str) -> None:
    error = complaint(lambda: parse_vtpm(specification, PLACE))
    assert error.message == f'foo.cfg:3: vtpm "{specification}": {why}'


def test_as_libxl_has_them() -> None:
    read = config(f"vtpm = ['backend=tpm', 'backend=3,uuid={UUID}']")
    assert as_json(read, 1)["config"]["vtpms"] == [
        {"backend_domname": "tpm", "devid": 0},
        {"backend_domid": 3, "devid": 1, "uuid": UUID},
    ]
