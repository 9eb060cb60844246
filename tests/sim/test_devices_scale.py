"""What one device takes of the store: less than with libxl, and no more among many."""

import statistics
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from tests.bench.libxl_requests import RECORDED
from tests.sim.test_devices import BARE, XVDB, attach, state_is
from tests.sim.test_scale import Looks
from tests.sim.world import World, play
from xenstore.wire import TYPE_NAMES

pytestmark = pytest.mark.slow

Work = Callable[[], Awaitable[object]]

#: A device of each kind that a domain gets, and its number.
HOT = {"vif": ("devid=99", 99), "vbd": ("file:/disk.img,xvdb,r", XVDB)}
MANY = 20

each_kind = pytest.mark.parametrize("kind", list(HOT))


class Requests:
    """Counts what xend asks of the store, by type."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[tuple[object, str]] = []
        world._store.trace = self._message

    def _message(self, direction: str, session: object, type: int, payload: bytes) -> None:
        if direction == "IN":
            self.asked.append((session, TYPE_NAMES[type]))

    async def of(self, work: Work) -> "Counter[str]":
        """Those of something that is done, until nothing more happens of itself."""
        begin = len(self.asked)
        await work()
        await trio.sleep(5)
        xend = next(session for session, name in self.asked if name == "INTRODUCE")
        return Counter(name for session, name in self.asked[begin:] if session is xend)


async def put_in(world: World, kind: str) -> None:
    """A hot device, until it is connected."""
    spec, devid = HOT[kind]
    await attach(world, kind, spec)
    await state_is(world, 1, kind, devid, b"4")


async def take_out(world: World, kind: str) -> None:
    await world.call("device.detach", domain="bare", kind=kind, device=str(HOT[kind][1]))


def with_devices(name: str, number: int) -> str:
    """A domain with so many devices of each kind."""
    vifs = ["'bridge=bridge0'"] * number
    disks = [f"'file:/disk.img,{vdev:#x},r'" for vdev in range(number)]
    return f"{BARE}name = '{name}'\nvif = [{', '.join(vifs)}]\ndisk = [{', '.join(disks)}]\n"


def hot(kind: str, own: int = 0, others: int = 0) -> tuple["Counter[str]", "Counter[str]"]:
    """What is asked for a hot device, in and out, in a domain that has others, and beside other domains."""
    counted: list[Counter[str]] = []

    async def body(world: World) -> None:
        requests = Requests(world)
        await world.create(with_devices("bare", own))
        for number in range(others):
            await world.create(with_devices(f"d{number}", 1), extra=["memory=32"])
        await trio.sleep(5)
        for work in (put_in, take_out):
            counted.append(await requests.of(partial(work, world, kind)))

    play(body)
    return counted[0], counted[1]


@each_kind
def test_a_hot_device_asks_less_than_libxl_s(kind: str) -> None:
    way_in, way_out = hot(kind, own=4)
    assert way_in.total() < RECORDED["create"][kind], way_in
    assert way_out.total() < RECORDED["destroy"][kind], way_out


@each_kind
def test_it_asks_the_same_beside_other_devices(kind: str) -> None:
    assert hot(kind, own=MANY) == hot(kind, own=1)


@each_kind
def test_it_asks_the_same_beside_other_domains(kind: str) -> None:
    assert hot(kind, own=1, others=MANY) == hot(kind, own=1)


@each_kind
def test_no_watch_of_it_is_left(kind: str) -> None:
    way_in, way_out = hot(kind)
    assert way_in["WATCH"] == way_out["UNWATCH"] > 0
    assert way_in["UNWATCH"] == way_out["WATCH"] == 0


def test_a_domain_s_devices_ask_less_than_libxl_s() -> None:
    counted: dict[tuple[str, int], int] = {}

    async def body(world: World) -> None:
        requests = Requests(world)
        for number in (0, 4):
            name = f"d{number}"
            way_in = await requests.of(partial(world.create, with_devices(name, number)))
            way_out = await requests.of(partial(world.call, "domain.destroy", domain=name))
            counted["create", number], counted["destroy", number] = way_in.total(), way_out.total()

    play(body)
    for what in ("create", "destroy"):
        each = (counted[what, 4] - counted[what, 0]) / 8
        assert each < statistics.mean(RECORDED[what].values()), what


def test_no_other_domain_is_looked_at() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        for number in range(3):
            await world.create(with_devices(f"d{number}", 1), extra=["memory=32"])
        await trio.sleep(5)
        looks = Looks(world)
        for kind in HOT:
            await put_in(world, kind)
            await take_out(world, kind)
        assert looks.times == []

    play(body)
