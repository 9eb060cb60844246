"""xl config-update: another configuration for the further lives of a domain."""

from tests.sim.test_cpus import refused
from tests.sim.world import EXAMPLE, World, play


def test_the_next_life_is_made_of_it() -> None:
    async def body(world: World) -> None:
        await world.create()
        mac = await world.client.read("/local/domain/1/device/vif/0/mac")
        text = EXAMPLE.replace("memory = 64", "memory = 32\nmaxmem = 48").replace('"example"', '"other"')
        update = {"domain": "example", "text": text}
        assert len((await world.call("domain.update_config", **update, dry_run=True))["steps"]) == 1
        await world.call("domain.update_config", **update)
        (listed,) = await world.call("domain.list", domain="example")
        assert (listed["domid"], listed["memory_kib"], listed["max_memory_kib"]) == (1, 64 << 10, 64 << 10)
        for wrong, code in (("memory = ", "bad_config"), (EXAMPLE + "type = 'pvh'", "bad_config")):
            await refused(world, code, "domain.update_config", domain="example", text=wrong)
        await refused(world, "wrong_state", "domain.update_config", domain=0, text=text)
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.rename", domain="example", name="renamed")
        await world.call("domain.set_vcpus", domain="renamed", vcpus=1)
        await world.connected(1)
        await world.call("domain.reboot", domain="renamed", wait=True)
        (_, again) = await world.call("domain.list")
        assert (again["domid"], again["name"], again["uuid"]) == (2, "renamed", listed["uuid"])
        assert (again["memory_kib"], again["max_memory_kib"]) == (32 << 10, 48 << 10)
        assert await world.client.read("/local/domain/2/device/vif/0/mac") == mac
        await world.call("domain.reboot", domain="renamed", wait=True)
        assert (await world.call("domain.list", domain="renamed"))[0]["max_memory_kib"] == 48 << 10

    play(body)
