"""The tables, one file a subject; each has its scenarios in SCENARIOS."""

from importlib import import_module
from pkgutil import iter_modules

from tests.conformance.table import Scenario


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario by "subject: name", subjects in alphabetical order."""
    found: dict[str, Scenario] = {}
    for module in iter_modules(__path__):
        for scenario in import_module(f"{__name__}.{module.name}").SCENARIOS:
            name = f"{module.name}: {scenario.name}"
            if name in found:
                raise ValueError(f"two scenarios are called {name!r}")
            found[name] = scenario
    return found
