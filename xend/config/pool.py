"""The configuration of a CPU pool: xlcpupool.cfg(5) of Xen, in the grammar of domains' configurations."""

import os
from collections.abc import Sequence

import attrs

from xend.config.cpus import parse_cpu_set
from xend.config.grammar import Assignment, Value, parse_assignments, parse_words
from xend.config.option import closest
from xend.config.problem import ConfigError, Findings, Problem

__all__ = ["OPTIONS", "PoolConfig", "parse_pool"]

#: What there is, and what each is for people.
OPTIONS = {
    "name": "a text",
    "sched": "a text",
    "cpus": 'a list of CPUs, or a text as in "0-3,^2"',
    "nodes": "the number of a NUMA node, or a list of them",
}
_MAX_NUMBER = 16383


@attrs.frozen(kw_only=True)
class PoolConfig:
    """What is said of a pool.

    Attributes:
        name: None: it has none.
        scheduler: None: the host's.
        cpus: those that are meant, as `parse_cpu_set` takes them; None: none.
        of_nodes: these are nodes' CPUs, of which those that are free are meant.
    """

    name: str | None
    scheduler: str | None
    cpus: str | None
    of_nodes: bool


def parse_pool(text: str, *, source: str, file: str | None = None, extra: Sequence[str] = ()) -> PoolConfig:
    """The pool that a configuration describes.

    Args:
        text: the file's text.
        source: its name, for errors.
        file: its path: the pool is called as the file where nothing else is said; None: there is no file.
        extra: words of a command line, each a further line.

    Raises:
        ConfigError: everything that is wrong.
    """
    findings = Findings()
    assignments: list[Assignment] = findings.attempt(lambda: parse_assignments(text, source), [])
    assignments += findings.attempt(lambda: parse_words(extra, ()), [])
    findings.check()
    values: dict[str, Value] = {}
    for assignment in assignments:
        if assignment.name in OPTIONS:
            values[assignment.name] = assignment.value
        else:
            findings.problems.append(_unknown(assignment))
    name = findings.attempt(lambda: _text("name", values), None)
    scheduler = findings.attempt(lambda: _text("sched", values), None)
    nodes = findings.attempt(lambda: _nodes(values), None)
    cpus = findings.attempt(lambda: _cpus(values), None)
    findings.check()
    # As Xen's xl has it: nodes go before cpus.
    return PoolConfig(
        name=name or (None if file is None else os.path.basename(file)),
        scheduler=scheduler,
        cpus=nodes or cpus,
        of_nodes=nodes is not None,
    )


def _unknown(assignment: Assignment) -> Problem:
    return Problem.at(
        assignment.place,
        f"a CPU pool has no option {assignment.name}: there are {', '.join(OPTIONS)}",
        option=assignment.name,
        hint=closest(assignment.name, OPTIONS),
    )


def _wrong(name: str, value: Value) -> ConfigError:
    text = f"{name} = {value}: expected {OPTIONS[name]}"
    return ConfigError.at(value.place, text, option=name, value=str(value))


def _text(name: str, values: dict[str, Value]) -> str | None:
    if (value := values.get(name)) is None:
        return None
    if value.items is not None or not value.text:
        raise _wrong(name, value)
    return value.text


def _nodes(values: dict[str, Value]) -> str | None:
    if (value := values.get("nodes")) is None:
        return None
    items = (value,) if value.items is None else value.items
    if not items:
        raise _wrong("nodes", value)
    return ",".join(f"node:{_number('nodes', item)}" for item in items)


def _cpus(values: dict[str, Value]) -> str | None:
    if (value := values.get("cpus")) is None or (value.items is not None and not value.items):
        return None
    if value.items is not None:
        return ",".join(_number("cpus", item) for item in value.items)
    try:
        parse_cpu_set(value.text)
    except ValueError as error:
        text = f"cpus = {value}: {error}"
        raise ConfigError.at(value.place, text, option="cpus", value=str(value)) from None
    return value.text


def _number(name: str, item: Value) -> str:
    """The number that an item of a list is, as text."""
    text = item.text.strip()
    if item.items is not None or not (text.isascii() and text.isdigit()) or int(text[:9]) > _MAX_NUMBER:
        raise _wrong(name, item)
    return str(int(text))
