"""Files of domains that hold what no xend wrote: told, left, and no other domain's trouble."""

from pathlib import Path
from typing import Any

import pytest

from xend.domain.registry import Domain, Domains
from xend.domain.source import Source
from xend.domain.waiting import Waiting
from xend.packing import pack, unpack

GOOD, BAD, OTHER = (f"11111111-0000-4000-8000-{number:012d}" for number in range(3))
#: None of these belongs into any field of a file but the ones that are named.
WRONG: list[Any] = [-1, 2**63, float("nan"), float("inf"), 1e300, b"\xff", [[]], [1, "x"], {"a": 1}]
#: Fields that may hold some of them: an error of anything, texts, what disks are.
ANY = {"error", "reason", "text", "file", "disks"}
#: A map whose keys are arrays, which no map of Python's can have, and one that ends too early.
TORN = [b"\x81\x90\x01", b"\x81\xa1"]
WHOLE: list[bytes] = [
    *TORN,
    *(pack(each) for each in (None, True, 5, "x", [], [1], {}, {"source": None}, *WRONG)),
]


def source(name: str, uuid: str) -> Source:
    text = f'name="{name}"\nkernel="/netbsd"\nmemory=32\nvif=["bridge=bridge0"]\n'
    return Source(
        text=text,
        file=name,
        name=name,
        directory="/",
        extra=[],
        uuid=uuid,
        addresses={"vif": ["00:16:3e:00:00:01"]},
    )


def enter(domains: Domains, name: str, uuid: str, domid: int | None) -> None:
    if domid is None:
        waiting = Waiting(reason="crash", next_try=1.0, wait_s=1.0)
        domains.put_to_wait(source(name, uuid), waiting, restarts=3)
    else:
        made = source(name, uuid)
        domains.enter(Domain(source=made, config=made.config(), domid=domid, console=(1, 2), start_time=1.0))


def loaded(directory: Path) -> tuple[list[str], list[str]]:
    """Names of those that another xend knows, and what it logged."""
    logged: list[str] = []
    domains = Domains(directory, logged.append)
    domains.load()
    for domain in domains.all():
        domains.save(domain)
    return sorted(each.name for each in domains.all()), logged


def variants(fields: dict[str, Any]) -> list[tuple[str, bytes]]:
    """Each field, those of the maps in it too, of each wrong kind."""
    found = []
    for key, value in fields.items():
        inner = value if isinstance(value, dict) and key not in ANY else {}
        found += [(f"{key} {wrong!r}", pack({**fields, key: wrong})) for wrong in WRONG if key not in ANY]
        found += [
            (f"{key}.{word} {wrong!r}", pack({**fields, key: {**inner, word: wrong}}))
            for word in inner
            for wrong in WRONG
            if word not in ANY
        ]
    return found


@pytest.mark.parametrize("domid", [7, None])
def test_no_contents_of_a_file_keep_xend_from_starting(tmp_path: Path, domid: int | None) -> None:
    domains = Domains(tmp_path, print)
    enter(domains, "good", GOOD, 5)
    enter(domains, "bad", BAD, domid)
    path = tmp_path / BAD
    fields = unpack(path.read_bytes())
    assert loaded(tmp_path) == (["bad", "good"], [])
    for what, data in [*((repr(each), each) for each in WHOLE), *variants(fields)]:
        path.write_bytes(data)
        names, logged = loaded(tmp_path)
        assert names == ["good"], what
        (line,) = logged
        assert line.startswith(f"{path}: cannot be used ("), line
        assert line.endswith("; the domain goes on unmanaged"), line


def test_two_files_of_one_domain_are_one(tmp_path: Path) -> None:
    domains = Domains(tmp_path, print)
    enter(domains, "good", GOOD, 5)
    enter(domains, "other", OTHER, 6)
    (tmp_path / BAD).write_bytes((tmp_path / GOOD).read_bytes())
    assert loaded(tmp_path)[0] == ["good", "other"]
    fields = unpack((tmp_path / GOOD).read_bytes())
    for change in ({"domid": 6}, {"source": {**fields["source"], "uuid": BAD, "renamed": "other"}}):
        (tmp_path / BAD).write_bytes(pack({**fields, "source": {**fields["source"], "uuid": BAD}} | change))
        assert loaded(tmp_path)[0] == ["good", "other"]


def test_a_directory_in_place_of_a_file_is_left(tmp_path: Path) -> None:
    enter(Domains(tmp_path, print), "good", GOOD, 5)
    for name in (".half", BAD):
        (tmp_path / name / "x").mkdir(parents=True)
    assert loaded(tmp_path)[0] == ["good"]


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_file_that_cannot_be_removed_is_removed_later(tmp_path: Path, is_moved: bool) -> None:
    directory, away = tmp_path / "domains", tmp_path / "away"
    logged: list[str] = []
    domains = Domains(directory, logged.append)
    enter(domains, "good", GOOD, 5)
    enter(domains, "bad", BAD, None)
    enter(domains, "other", OTHER, 6)
    directory.rename(away)
    if not is_moved:
        directory.touch()
    domains.forget(BAD)
    domains.forget(OTHER)
    assert [domain.name for domain in domains.all()] == ["good"]
    assert "cannot be removed now" in logged[0]
    if not is_moved:
        directory.unlink()
    away.rename(directory)
    enter(domains, "other", OTHER, 7)  # its file is its new life's
    assert loaded(directory)[0] == ["good", "other"]
