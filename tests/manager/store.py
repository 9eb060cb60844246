"""xenstored as a daemon of its own, beside xend."""

from tests.manager.daemon import Daemon
from tests.manager.place import Place


def xenstored(place: Place, platform: str) -> Daemon:
    """One that runs, for the domains of this platform; ends with the place."""
    rundir = place.top / "s"
    rundir.mkdir()
    words = ["--rundir", str(rundir), "-F", str(rundir / "pid"), "--platform", platform]
    argv = [place.python, "-m", "xenstore.server", *words]
    daemon = Daemon(argv, rundir / "socket", rundir / "pid", place.environment)
    place.others.append(daemon)
    daemon.start()
    return daemon
