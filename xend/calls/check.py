"""config.check: what is to be said of a configuration before it is started."""

import os
from typing import Any

import attrs

from xend.autostart.files import ConfigDirectory
from xend.bus.methods import Call, Method
from xend.calls.domains import NEW_DOMAIN, DomainCalls
from xend.check.host import HostCheck
from xend.check.report import Report, parsed
from xend.config.domain import as_json
from xend.errors import XendError
from xend.host import Host
from xend.managed.configured import Configurations, Configured


class CheckCalls:
    """The method, over a host.

    Args:
        directory: of configurations, with which one is compared.
    """

    def __init__(self, host: Host, domains: DomainCalls, directory: ConfigDirectory) -> None:
        self._host = host
        self._domains = domains
        self._configurations = Configurations(directory, lambda: host.settings.defaults)

    def methods(self) -> list[Method]:
        """It."""
        return [Method("config.check", "operate", NEW_DOMAIN, self.check)]

    async def check(
        self,
        call: Call,
        text: str,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        ignore_masks: bool = False,
    ) -> dict[str, Any]:
        report, file = Report(), name or "configuration"
        given = parsed(report, text, source=file, name=name, extra=extra or [], directory=directory)
        if given is not None:
            source, _ = self._domains.source(text, name, path, directory, extra or [], ignore_masks)
            check = HostCheck(
                host=self._host,
                source=source,
                config=source.config(),
                given=given,
                others=self._others(report, path),
                report=report,
            )
            await check.run()
            report.config = as_json(check.config, -1)["config"]
        return attrs.asdict(report)

    def _others(self, report: Report, path: str | None) -> list[Configured]:
        """What is configured besides; a directory that is not to be trusted is told of."""
        try:
            found = self._configurations.all()
        except XendError as error:
            report.warn(error)
            return []
        own = None if path is None else os.path.realpath(path)
        return [each for each in found if os.path.realpath(each.path) != own]
