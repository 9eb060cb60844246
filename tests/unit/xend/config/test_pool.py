"""Configurations of CPU pools (xlcpupool.cfg(5))."""

import pytest

from xend.config.pool import PoolConfig, parse_pool
from xend.config.problem import ConfigError

EXAMPLE = '# a comment\nname = "fast"\nsched = "credit"\ncpus = ["2", 3]\n'

GIVEN = [
    (EXAMPLE, [], ("fast", "credit", "2,3", False)),
    (EXAMPLE, ["name=slow", 'cpus="0-3,^1"'], ("slow", "credit", "0-3,^1", False)),
    ("", [], ("file", None, None, False)),
    ("cpus = []", [], ("file", None, None, False)),
    ("nodes = [0, '1']\ncpus = '4'", [], ("file", None, "node:0,node:1", True)),
    ("nodes = 1", [], ("file", None, "node:1", True)),
    ("cpus = 'nodes:1,5'", [], ("file", None, "nodes:1,5", False)),
]


@pytest.mark.parametrize(("text", "extra", "expected"), GIVEN)
def test_what_is_said(
    text: str, extra: list[str], expected: tuple[str, str | None, str | None, bool]
) -> None:
    name, scheduler, cpus, of_nodes = expected
    assert parse_pool(text, source="file", file="/etc/xen/file", extra=extra) == PoolConfig(
        name=name, scheduler=scheduler, cpus=cpus, of_nodes=of_nodes
    )


def test_no_name() -> None:
    assert parse_pool("", source="words", extra=["sched=credit2"]).name is None


WRONG = [
    ("shed = 'credit'", "file:1: a CPU pool has no option shed"),
    ("name = ['a']", "file:1: name = a list: expected a text"),
    ("name = ''", "file:1: name"),
    ("\nnodes = '0-1'", 'file:2: nodes = "0-1": expected the number of a NUMA node, or a list of them'),
    ("nodes = []", "file:1: nodes = a list: expected the number"),
    ("nodes = ['x']", 'file:1: nodes = "x"'),
    ("cpus = ['1-2']", 'file:1: cpus = "1-2"'),
    ("cpus = '^1'", 'file:1: cpus = "\\^1"'),
    ("cpus = 1 2", "file:1: found"),
]


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_what_is_wrong(text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        parse_pool(text, source="file", file="file")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_pool("shed = 'x'\nname = []\nnodes = 'x'", source="file")
    shed, *others = caught.value.fields["problems"]
    assert (shed["hint"], len(others)) == ("did you mean sched?", 2)
