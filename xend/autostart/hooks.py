"""Programs that are run before a domain is created, and after it has come up."""

import attrs

from xend.autostart.files import ConfigDirectory
from xend.device.scripts import PATH
from xend.errors import XendError
from xend.host import Host

#: How long a hook may take, in seconds: what waits for it is a host that boots.
HOOK_SECONDS = 60.0


@attrs.frozen(kw_only=True)
class Hooks:
    """What is run for each domain.

    Attributes:
        before, after: formats of their names, one %s for the domain's; None: nothing.
    """

    host: Host
    directory: ConfigDirectory
    before: str | None
    after: str | None

    async def run(self, pattern: str | None, name: str) -> None:
        """Run one, if the domain of that name has it: nothing happens where there is no such file.

        Raises:
            XendError: script_failed, with its own words; bad_config: others may write it.
        """
        program = None if pattern is None else self.directory.hook(pattern, name)
        if program is None:
            return
        settings = self.host.settings
        environment = {"PATH": PATH, "LC_ALL": "C", "XENSTORED_PATH": settings.store_socket}
        outcome = await self.host.run_script([program, name], environment, HOOK_SECONDS)
        if outcome.status != 0:
            how = f"status {outcome.status}" if outcome.status > 0 else f"signal {-outcome.status}"
            raise XendError(
                "script_failed", f"hook {program} ended with {how}", script_output=outcome.output or None
            )
