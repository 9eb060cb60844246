"""Security labels: seclabel and its like with FLASK and without; FLASK's mode and policy."""

from typing import Any

import pytest

from tests.sim.test_cpus import refused
from tests.sim.world import EXAMPLE, World, play

LABELS = ("system_u:system_r:domU_t", "system_u:system_r:build_t", "system_u:system_r:dm_dom_t")
DOMU, BUILD, MODEL = (f"'{label}'" for label in LABELS)
FLASK: dict[str, Any] = {"labels": LABELS}


@pytest.mark.parametrize(
    ("extra", "number"),
    [
        ([], 0),
        ([f"seclabel={DOMU}"], 1),
        ([f"init_seclabel={BUILD}"], 2),
        ([f"init_seclabel={BUILD}", f"seclabel={DOMU}"], 1),
        ([f"device_model_stubdomain_seclabel={MODEL}"], 0),
    ],
)
def test_with_flask_a_domain_has_its_label(extra: list[str], number: int) -> None:
    async def body(world: World) -> None:
        created: list[int] = []
        create = world.host.create

        async def noted(blueprint) -> int:  # type: ignore[no-untyped-def]
            created.append(blueprint.label)
            return await create(blueprint)

        world.host.create = noted  # type: ignore[method-assign]
        domid = await world.create(extra=extra)
        info = await world.host.domain(domid)
        assert info is not None
        assert info.ssid == number
        assert created == [2 if "init" in str(extra) else number]
        await world.call("domain.reboot", domain="example", wait=True)
        info = await world.host.domain(domid + 1)
        assert info is not None
        assert info.ssid == number

    play(body, **FLASK)


@pytest.mark.parametrize("option", ["seclabel", "init_seclabel", "device_model_stubdomain_seclabel"])
def test_what_protects_is_never_passed_over(option: str) -> None:
    async def without(world: World) -> None:
        before = await world.snapshot()
        error = await refused(world, "unsupported", "domain.create", text=f"{EXAMPLE}{option}={DOMU}\n")
        assert error.message.startswith(f'{option} = "{LABELS[0]}": this hypervisor has no FLASK')
        assert "flask=enforcing" in error.fields["hint"]
        assert await world.snapshot() == before
        report = await world.call("config.check", text=f"{EXAMPLE}{option}={DOMU}\n")
        assert [each["message"] for each in report["problems"]] == [error.message]

    async def unknown(world: World) -> None:
        error = await refused(world, "bad_config", "domain.create", text=f"{EXAMPLE}{option}='a:b:c'\n")
        assert error.message == f'{option} = "a:b:c": the policy of FLASK has no such label'
        assert await world.names() == []

    play(without)
    play(unknown, **FLASK)


def test_a_list_has_them() -> None:
    async def labelled(world: World) -> None:
        await world.create(extra=[f"seclabel={BUILD}"])
        listed = await world.call("domain.list", domain="example", labels=True)
        assert [each["security_label"] for each in listed] == [LABELS[1]]
        assert "security_label" not in (await world.call("domain.list"))[0]

    async def without(world: World) -> None:
        assert [each["security_label"] for each in await world.call("domain.list", labels=True)] == [None]

    play(labelled, **FLASK)
    play(without)


def test_an_empty_label_is_none() -> None:
    async def body(world: World) -> None:
        await world.create(extra=["seclabel=''"])

    play(body)


def test_the_mode_and_the_policy() -> None:
    async def body(world: World) -> None:
        assert await world.call("security.show") == {"enforcing": True}
        await world.call("security.set_enforcing", enforcing=False)
        assert await world.call("security.show") == {"enforcing": False}
        await world.call("security.load_policy", policy=b"\x8c\xff\x7c\xf9")
        await refused(world, "bad_request", "security.load_policy", policy=b"text")

    play(body, **FLASK)
