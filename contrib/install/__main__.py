"""`python -m contrib.install`, which `make install` runs: installs the distribution from its source tree."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contrib.install import InstallError, wheel
from contrib.install.layout import DEFAULT_PREFIX, IS_NETBSD, Layout
from contrib.install.placing import Placing
from contrib.install.target import Target
from contrib.install.wheel import Wheel

TREE = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status: 0, 1 if it failed, 2 for bad usage."""
    options = _parse(arguments)
    os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="xend-install-") as scratch:
            _install(options, Path(scratch))
    except InstallError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    return 0


def _fail(line: str) -> int:
    print(f"install: {line}", file=sys.stderr)
    return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="contrib.install", description="Install xend from its source tree.")
    add = parser.add_argument
    add("--destdir", default="", help="put before all paths: for packages")
    add("--prefix", default="", help=f"({DEFAULT_PREFIX})")
    add(
        "--sysconfdir", default="", help="domains, scripts/ and auto/ (NetBSD: PREFIX/etc/xen, else /etc/xen)"
    )
    add("--varbase", default="", help="has log/xen and run (/var)")
    add("--python", default="", help="behind #! of the programs (python3)")
    add("--sitelib", default="", help="the modules (where that interpreter looks, below PREFIX)")
    add("--mandir", default="", help="(NetBSD: PREFIX/man, else PREFIX/share/man)")
    add("--systemd-dir", default="", help="units; - for none (Linux: PREFIX/lib/systemd/system, else none)")
    add("--wheel", type=Path, help="one that was built (made of the tree after make)")
    add("--no-config", action="store_true", help="leave SYSCONFDIR alone: a package manager copies examples")
    add("--no-rc", action="store_true", help="no service scripts: a package manager fills the templates")
    options = parser.parse_args(arguments)
    for name in ("destdir", "prefix", "sysconfdir", "varbase", "sitelib", "mandir"):
        value = getattr(options, name).rstrip("/")
        if value and not value.startswith("/"):
            parser.error(f"--{name} {value}: an absolute path was expected")
        setattr(options, name, value)
    return options


def _layout(options: argparse.Namespace, target: Target) -> Layout:
    prefix = options.prefix or DEFAULT_PREFIX
    units = options.systemd_dir or (f"{prefix}/lib/systemd/system" if sys.platform == "linux" else "-")
    return Layout(
        destdir=options.destdir,
        prefix=prefix,
        sysconfdir=options.sysconfdir or (f"{prefix}/etc/xen" if IS_NETBSD else "/etc/xen"),
        varbase=options.varbase or "/var",
        sitelib=options.sitelib or target.module_directory(prefix),
        mandir=options.mandir or (f"{prefix}/man" if IS_NETBSD else f"{prefix}/share/man"),
        systemd=None if units == "-" else units,
        python=target.path,
    )


def _install(options: argparse.Namespace, scratch: Path) -> None:
    target = Target.ask(options.python or "python3")
    layout = _layout(options, target)
    made = options.wheel or wheel.make(TREE, scratch, target.suffix)
    package = Wheel(made)
    placing = Placing(layout, TREE)
    placing.package(package)
    placing.manual()
    placing.completion()
    placing.documents()
    if not options.no_config:
        placing.configuration()
    placing.examples()
    placing.services(rc=not options.no_rc)
    _tell(package, layout, placing.kept)


def _tell(package: Wheel, layout: Layout, kept: Sequence[str]) -> None:
    where = f" below {layout.destdir}" if layout.destdir else ""
    print(f"{package.name} is installed{where}: {layout.prefix}/sbin, {layout.prefix}/bin, {layout.sitelib}")
    for path in kept:
        print(f"kept {path}, which differs from {layout.examples}/scripts/{os.path.basename(path)}")
    if layout.destdir:
        return
    if lacking := Target.ask(layout.python, list(package.required)).lacking(package.required):
        print(f"{layout.python} lacks {', '.join(lacking)}: the programs will not run before it has them")


if __name__ == "__main__":
    sys.exit(main())
