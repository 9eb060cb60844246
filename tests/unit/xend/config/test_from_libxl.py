"""libxl's JSON as the text of an xl.cfg: what a configuration means comes back."""

import json
from typing import Any

import pytest

from tests.peers.configurations import cases
from xend.config.domain import parse
from xend.config.from_libxl import config_of_json, text_of
from xend.config.listing import as_json
from xend.errors import XendError

#: What an xl.cfg cannot say, or what means the same said otherwise.
SAME: dict[str, Any] = {"numa_placement": "False", "vcpu_hard_affinity": [[]], "vcpu_soft_affinity": [[]]}
UNLIMITED = 2**32 - 1


def plain(config: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(config))
    made["b_info"] = {key: value for key, value in made["b_info"].items() if SAME.get(key) != value}
    for key in [key for key in made["b_info"] if key.startswith(("device_model", "extra", "dm_"))]:
        del made["b_info"][key]  # which program runs in dom0 is no matter of a file that came from elsewhere
    if made["c_info"].get("passthrough") == "disabled":
        del made["c_info"]["passthrough"]
    if "msr" in made["b_info"].get("cpuid", {}):  # not both can be said
        del made["b_info"]["cpuid"]
    for nic in made.get("nics", ()):
        if nic.get("rate_bytes_per_interval") == UNLIMITED:
            del nic["rate_bytes_per_interval"]
    return made


def test_each_configuration_comes_back() -> None:
    count = 0
    for case in cases():
        if "usbdev" in case.own and "type=" not in case.own:
            continue  # xl's JSON does not say which device it is
        try:
            config = parse(case.text, source="x", name="x", directory="/dir")
        except XendError:
            continue
        before = plain(as_json(config, None, 8)["config"])
        text = text_of(before)
        assert plain(as_json(parse(text, source="json"), None, 8)["config"]) == before, text
        count += 1
    assert count > 1000


def test_minimal_json_of_other_tools() -> None:
    text = text_of({"c_info": {"name": "a"}, "b_info": {"max_memkb": 262144, "type.pv": {"kernel": "/k"}}})
    config = parse(text, source="json")
    assert (config.name, config.type, config.kernel) == ("a", "pv", "/k")
    assert (config.memory_kib, config.max_vcpus) == (262144, 1)
    assert config.actions["reboot"] == "destroy"  # libxl's default, not xl's


def test_values_that_are_none_count_as_absent() -> None:
    build = {
        "max_memkb": 65536,
        "max_vcpus": "2",
        "kernel": "/k",
        "cmdline": 7,
        "irqs": [1, "x"],
        "type.pvh": {},
    }
    config = parse(text_of({"c_info": {"name": "a"}, "b_info": build, "nics": {"mac": "x"}}), source="json")
    assert (config.max_vcpus, config.command_line, list(config.irqs)) == (1, "", [])
    assert not config.of_kind("vif")


def test_texts_with_quotes() -> None:
    words = 'a "b" \\ é'
    build = {"max_memkb": 65536, "kernel": "/k", "cmdline": words, "type.pv": {}}
    assert parse(text_of({"c_info": {"name": "a"}, "b_info": build}), source="j").command_line == words


@pytest.mark.parametrize(
    "build",
    [{}, {"type.pv": {}, "type.pvh": {}}],
)
def test_one_type_is_needed(build: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keys type\.pv, type\.pvh or type\.hvm, expected one"):
        text_of({"c_info": {"name": "a"}, "b_info": build})


def test_a_value_that_no_item_can_hold() -> None:
    nics = [{"devid": 0, "bridge": "a,b"}]
    with pytest.raises(ValueError, match="has a comma"):
        text_of({"c_info": {}, "b_info": {"type.pv": {}}, "nics": nics})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "Expecting value"),
        (b"[1]", "no map"),
        (b"{", "Expecting property name"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff{}", "codec can't decode"),
        (b"7", "no map"),
    ],
)
def test_what_is_no_json(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        config_of_json(data)


def test_the_first_of_two_keys_counts_and_text_behind_is_nothing() -> None:
    assert config_of_json(b' {"a": 1, "a": 2} and more') == {"a": 1}
