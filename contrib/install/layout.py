"""Where everything goes."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from contrib.install import InstallError

#: Programs that an administrator's path has, not everybody's; all others are in bin.
SBIN = frozenset({"xen-init-dom0", "xenbackendd", "xenconsoled", "xend", "xenstored", "xenwatchdogd"})
IS_NETBSD = sys.platform.startswith("netbsd")
DEFAULT_PREFIX = "/usr/pkg" if IS_NETBSD else "/usr/local"
SHELL = "/bin/sh"
_VARIABLE = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All paths absolute, as they will be; `staged` says where they are put.

    Attributes:
        destdir: put before all paths; "" where nothing is staged.
        sysconfdir: domains' configurations, scripts/ and auto/.
        sitelib: modules.
        mandir: has man1, man5, man8.
        systemd: units; None: none are wanted.
        python: behind `#!` of every program.
    """

    destdir: str
    prefix: str
    sysconfdir: str
    varbase: str
    sitelib: str
    mandir: str
    systemd: str | None
    python: str

    def staged(self, path: str) -> Path:
        """Where a file goes that will be at `path`."""
        return Path(self.destdir + path)

    def program(self, name: str) -> str:
        """Where a program will be."""
        return f"{self.prefix}/{'sbin' if name in SBIN else 'bin'}/{name}"

    @property
    def examples(self) -> str:
        """Of configurations and scripts."""
        return f"{self.prefix}/share/examples/xen"

    @property
    def rc_examples(self) -> str:
        """Of service scripts."""
        return f"{self.prefix}/share/examples/rc.d"

    @property
    def helpers(self) -> str:
        """What is run or sourced by others only."""
        return f"{self.prefix}/libexec/xen"

    @property
    def documents(self) -> str:
        """What is no manual page."""
        return f"{self.prefix}/share/doc/xend"

    def fill(self, template: Path) -> str:
        """A template's text with its variables replaced.

        Raises:
            InstallError: it has a variable that is none.
        """
        values = {
            "PREFIX": self.prefix,
            "PKG_SYSCONFDIR": self.sysconfdir,
            "VARBASE": self.varbase,
            "PYTHONBIN": self.python,
            "RCD_SCRIPTS_SHELL": SHELL,
        }
        text = template.read_text()
        for name in _VARIABLE.findall(text):
            if name not in values:
                raise InstallError(f"{template}: @{name}@ is none of {', '.join(values)}")
        return _VARIABLE.sub(lambda match: values[match[1]], text)
