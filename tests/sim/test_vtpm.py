"""Virtual TPMs: nodes of both ends, the stub domain that serves them, and why one does not work."""

from typing import Any

import pytest
import trio

from tests.sim.test_driver_domains import refused
from tests.sim.world import World, play
from xenclient.store.errors import ClientError
from xenclient.store.perms import Perm
from xend.errors import XendError
from xenstore.errors import XenstoreError

STUB = 'name = "stub"\nkernel = "/netbsd"\nmemory = 64\ndriver_domain = 1\n'
BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
UUID = "039e9ee6-4a84-3055-4c81-8ba426ae2656"
SPEC = f"backend=stub,uuid={UUID}"
SERVED = BARE + f"vtpm = [ '{SPEC}' ]\n"


async def serve_tpms(world: World, domid: int, *, task_status: trio.TaskStatus[None]) -> None:
    """The driver of a vTPM stub domain, as far as xend sees of it: it takes up TPMs and lets go of them."""
    answers = {b"1": "2", b"5": "6"}
    async with world.connect_store(domid) as store, store.watch("backend") as watch:
        task_status.started()
        while True:
            event = await watch.next()
            if event.path.startswith("backend/vtpm/") and event.path.endswith("/state"):
                try:
                    if answer := answers.get(await store.read(event.path)):
                        await store.write(event.path, answer)
                except (XenstoreError, ClientError):
                    pass  # it is gone


async def with_stub(world: World) -> int:
    """Make a stub domain that serves TPMs; returns its domid."""
    stub = await world.create(STUB)
    await world.start(serve_tpms, world, stub)
    return stub


async def nodes(world: World, directory: str) -> dict[str, str]:
    names = await world.client.directory(directory)
    return {name: (await world.client.read(f"{directory}/{name}")).decode() for name in names}


async def attach(world: World, spec: Any = SPEC) -> dict[str, Any]:
    answer: dict[str, Any] = await world.call("device.attach", domain="bare", kind="vtpm", spec=spec)
    return answer


async def fails(world: World, spec: Any = SPEC) -> XendError:
    with pytest.raises(XendError) as caught:
        await attach(world, spec)
    return caught.value


def test_the_nodes_of_both_ends() -> None:
    async def body(world: World) -> None:
        stub = await with_stub(world)
        domid = await world.create(SERVED)
        front, back = f"/local/domain/{domid}/device/vtpm/0", f"/local/domain/{stub}/backend/vtpm/{domid}/0"
        shared = {
            "frontend-id": str(domid), "online": "1", "handle": "0", "uuid": UUID, "resume": "False",
        }  # fmt: skip
        assert await nodes(world, front) == {
            "backend": back, "backend-id": str(stub), "state": "1", "handle": "0",
        }  # fmt: skip
        assert await nodes(world, back) == {"frontend": front, "state": "2", **shared}
        own = await nodes(world, f"/libxl/{domid}/device/vtpm/0")
        assert own == {"frontend": front, "backend": back, "state": "1", **shared}
        assert await world.client.get_perms(front) == (Perm("n", domid), Perm("r", stub))
        assert await world.client.get_perms(back) == (Perm("n", stub), Perm("r", domid))
        (listed,) = await world.call("device.list", domain="bare", kind="vtpm")
        assert (listed["name"], listed["backend_domid"]) == ("vtpm 0", stub)
        assert (listed["frontend"], listed["backend"]) == ({"state": "1"}, {"state": "2", "uuid": UUID})
        assert world.scripts.calls == []

    play(body)


@pytest.mark.parametrize("word", ["0", "vtpm 0", UUID.upper()])
@pytest.mark.parametrize("force", [False, True])
def test_attached_and_detached(word: str, force: bool) -> None:
    async def body(world: World) -> None:
        await with_stub(world)
        await world.create(BARE)
        await attach(world)
        await world.call("device.detach", domain="bare", kind="vtpm", device="0")
        before = await world.snapshot()  # with the directory of the stub domain's TPMs
        for spec in (SPEC, ["backend=stub", f"uuid={UUID}"]):
            answer = await attach(world, spec)
            assert (answer["device"], answer["devid"]) == ("vtpm 0", 0)
            await world.call("device.detach", domain="bare", kind="vtpm", device=word, force=force)
            assert await world.snapshot() == before
        assert world.scripts.calls == []

    play(body)


def test_numbers_and_uuids_are_chosen_and_kept() -> None:
    async def body(world: World) -> None:
        await with_stub(world)
        await world.create(BARE + "vtpm = [ 'backend=stub' ]\n")
        await attach(world, "backend=stub")

        async def uuids(domid: int) -> list[str]:
            tops = [f"/libxl/{domid}/device/vtpm/{devid}/uuid" for devid in (0, 1)]
            return [(await world.client.read(top)).decode() for top in tops]

        chosen = await uuids(2)
        assert len(set(chosen)) == 2
        assert await uuids(2) == chosen
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.reboot", domain="bare", wait=True)
        await trio.sleep(20)
        assert await uuids(3) == chosen
        await world.call("device.detach", domain="bare", kind="vtpm", device=chosen[0])
        assert [each["devid"] for each in await world.call("device.list", domain="bare")] == [1]

    play(body)


def test_no_step_of_a_script() -> None:
    async def body(world: World) -> None:
        await with_stub(world)
        await world.create(BARE)
        given = {"domain": "bare", "kind": "vtpm", "spec": SPEC, "dry_run": True}
        plan = await world.call("device.attach", **given)
        assert plan["steps"] == [
            "vtpm 0: check what it needs",
            "vtpm 0: write its nodes",
            "vtpm 0: wait for its backend",
            "vtpm 0: remember it",
        ]

    play(body)


def test_a_stub_domain_that_is_not_there_or_does_not_serve() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        before = await world.snapshot()
        error = await fails(world)
        assert (error.code, error.message) == (
            "no_such_domain", "vtpm: its backend is to be in domain stub, which does not exist",
        )  # fmt: skip
        error = await fails(world, "backend=99")
        assert (error.code, error.message) == (
            "no_such_domain", "vtpm: its backend is to be in domain 99, which does not exist",
        )  # fmt: skip
        error = await fails(world, f"uuid={UUID}")
        assert (error.code, error.message) == (
            "bad_config",
            f'vtpm "uuid={UUID}": it has no backend, expected backend=DOM, a vTPM stub domain',
        )
        assert await world.snapshot() == before
        assert (await refused(world, SERVED.replace("bare", "other"))).code == "no_such_domain"

    play(body)


def test_a_stub_domain_without_the_driver_is_the_likely_cause() -> None:
    async def body(world: World) -> None:
        await world.create(STUB)
        await world.create(BARE)
        await fails(world)
        before = await world.snapshot()  # with the directory of the stub domain's TPMs
        error = await fails(world)
        assert (error.code, error.fields["reason"], error.fields["waited_s"]) == (
            "device_failed", "no_driver", 10.0,
        )  # fmt: skip
        assert await world.snapshot() == before
        told = await world.call("device.explain", domain="bare", device="vtpm 0")
        assert told["cause"].startswith("domain 1's kernel has no driver tpmback (of a vTPM stub domain)")

    play(body)


def test_a_guest_without_a_driver_and_a_stub_domain_that_went() -> None:
    async def body(world: World) -> None:
        await with_stub(world)
        await world.create(SERVED)
        told = await world.call("device.explain", domain="bare", device=UUID)
        assert told["cause"] == "the guest's kernel has no driver for a vtpm, or has not come so far"
        await world.call("domain.destroy", domain="stub")
        told = await world.call("device.explain", domain="bare", device="vtpm 0")
        assert told["cause"] == "domain 1, which served it, is gone, or has removed its backend"
        await world.call("domain.destroy", domain="bare")
        assert not await world.client.exists("/libxl/2")

    play(body)
