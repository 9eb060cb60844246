"""The program: options, being a daemon, and what it runs beside: a simulated host, an embedded store.

What only these need is imported where they are wanted: the start of a xend on Xen does not wait for it.
"""

import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import attrs
import trio

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.bus.listeners import SOCKET, open_listeners
from xend.bus.server import serve
from xend.config.xl_conf import FILE, XlConf, XlConfFile
from xend.daemon import Seams, Xend, die
from xend.errors import XendError
from xend.hypervisor import Blueprint, Hypervisor
from xend.hypervisor.choose import open_hypervisor
from xend.log import Log
from xend.options import Options, UsageError, parse
from xend.pci.choose import simulated_cards
from xend.settings import PLATFORM, VIF_SCRIPT, Settings
from xenstore.daemon import start
from xenstore.daemon.groups import first_error
from xenstore.daemon.locks import Held, holding, pid_file
from xenstore.daemon.start import Program, StartError
from xenstore.daemon.trusted import check_logs
from xenstore.errors import XenstoreError

PROGRAM = Program("xend")
Report = Callable[[str | None], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
    except UsageError as error:
        PROGRAM.to_stderr(f"{error}; xend --help lists the options")
        return 2
    conf = XlConfFile(os.path.join(options.config_directory, FILE))
    if not options.foreground:  # the log, which has them too, goes elsewhere
        for line in conf.now().lines():
            PROGRAM.to_stderr(line)
    report: Report = PROGRAM.detach() if not options.foreground else PROGRAM.report
    log = Log(os.path.join(options.log_directory, "xend.log"), options.foreground)
    try:
        with holding(os.path.join(options.rundir, SOCKET), PROGRAM.name) as held:
            _run(options, conf, held, log, report)
    except KeyboardInterrupt:
        return 130
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the daemon ends: one line, no traceback
        line = _line(first_error(error))
        if isinstance(error, BaseExceptionGroup):  # tasks ran by then, and a log was kept
            log(line)
        report(line)
        return 1
    return 0


def _line(error: BaseException) -> str:
    """What ends the program, in one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, StartError | XendError) else start.internal_error(error)


def _run(options: Options, conf: XlConfFile, held: Held, log: Log, report: Report) -> None:
    start.raise_descriptor_limit()
    with ExitStack() as stack:
        if options.pid_file is not None:
            stack.enter_context(pid_file(options.pid_file))
        log.open()
        for line in conf.now().lines():
            log(line)
        check_logs(os.path.join(options.log_directory, "console"))
        trio.run(_serve, options, conf, held, log, report)


async def _serve(options: Options, conf: XlConfFile, held: Held, log: Log, report: Report) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with AsyncExitStack() as stack:
            sockets = stack.enter_context(
                open_listeners(held, options.rundir, options.operate_gid, options.read_gid)
            )
            keep_host = _have_host(options, stack)
            hypervisor = await stack.enter_async_context(open_hypervisor(options.hypervisor, log))
            store = await stack.enter_async_context(_open_store(options, hypervisor, log))
            manager = Xend(
                hypervisor=hypervisor,
                store=store,
                read_settings=HostSettings(options, conf, log).now,
                rundir=Path(options.rundir),
                log_directory=Path(options.log_directory),
                log=log,
                seams=_seams(options),
            )
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(manager.run)
            await nursery.start(serve, sockets, manager.methods(), log)
            log(f"serving {sockets[0].path} on {hypervisor.name}")
            keep_host()
            report(None)
            start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")
            await _obey(signals, manager, log)
            manager.operations.stop()
            start.notify_supervisor("STOPPING=1")
            nursery.cancel_scope.cancel()


def _have_host(options: Options, stack: AsyncExitStack) -> Callable[[], object]:
    """The simulated host, if that is wanted; it ends with the stack unless the function given is called."""
    if options.simulator_directory is None:
        return lambda: None
    from xend.hypervisor import host_process

    return stack.enter_context(host_process.running(options.simulator_directory, options.platform))


async def _obey(signals: AsyncIterator[int], manager: Xend, log: Log) -> None:
    """Does what signals ask for, until one asks to stop."""
    async for number in signals:
        if number != signal.SIGHUP:
            log(f"{signal.Signals(number).name}: stopping; domains go on")
            return
        try:
            log.open()
        except OSError as error:
            log(f"{error.filename}: {error.strerror}; the log goes on where it was")
        manager.host.consoles.reopen_logs()


class HostSettings:
    """What the command line says, and the file for all domains, which people edit while xend runs."""

    def __init__(self, options: Options, file: XlConfFile, log: Callable[[str], object]) -> None:
        self._options = options
        self._file = file
        self._log = log
        self._conf = file.now()
        self._settings = _settings(options, self._conf)

    def now(self) -> Settings:
        """As both are at the moment."""
        conf = self._file.now()
        if conf is not self._conf:
            self._conf, self._settings = conf, _settings(self._options, conf)
            for line in (f"{FILE} has changed, and holds as it is now", *conf.lines()):
                self._log(line)
        return self._settings


def _settings(options: Options, conf: XlConf) -> Settings:
    """The command line goes before the file."""
    defaults = attrs.evolve(
        conf.defaults,
        vif_script=None if options.vif_script else conf.defaults.vif_script,
        vif_bridge=None if options.bridge else conf.defaults.vif_bridge,
    )
    return Settings(
        root=options.root,
        script_directory=Path(options.config_directory, "scripts"),
        dump_directory=Path(options.log_directory, "dump"),
        save_directory=Path(options.save_directory),
        store_socket=options.store_socket,
        platform=options.platform or PLATFORM,
        vif_script=options.vif_script or VIF_SCRIPT,
        bridge=options.bridge,
        defaults=defaults,
        claims_memory=conf.claims_memory,
        autoballoon=conf.autoballoon,
        output_format=conf.output_format,
        problems=conf.problems,
        init_seconds=options.init_seconds,
        hotplug_seconds=options.hotplug_seconds,
        destroy_seconds=options.destroy_seconds,
    )


def _seams(options: Options) -> Seams:
    failpoint, directory = options.failpoint, options.simulator_directory
    seams = Seams()
    if directory is not None:
        from xend.simulator.models import SimulatedModels

        cards = simulated_cards(directory, options.platform or PLATFORM)
        seams = Seams(cards=cards, models=SimulatedModels())
    if failpoint is None:
        return seams
    return attrs.evolve(seams, on_step=lambda operation: die(operation, failpoint))


@asynccontextmanager
async def _open_store(options: Options, hypervisor: Hypervisor, log: Log) -> AsyncIterator[Client]:
    """A connection to the store, which is started here if it is xend's own.

    Raises:
        StartError: there is none, or it cannot serve this host's domains.
    """
    async with AsyncExitStack() as stack:
        if options.store is None:
            from xenstore.server.embedded import embedded
            from xenstore.server.options import parse as parse_store_options

            words = ["--no-fork", "--rundir", options.store_rundir, "--platform", hypervisor.store_platform]
            await stack.enter_async_context(
                embedded(parse_store_options(words, {}), lambda line: log(f"store: {line}"))
            )
        try:
            store = await stack.enter_async_context(Client(options.store_socket, reconnect=math.inf))
        except ClientError as error:
            raise StartError(f"{error}; --store embedded needs none") from error
        if options.store is not None and options.simulator_directory is not None:
            await _check_store(store, hypervisor, options.store)
        yield store


async def _check_store(store: Client, hypervisor: Hypervisor, path: str) -> None:
    """See that a store can map the pages of a simulated host's domains, with a domain made for that."""
    uuid = "00000000-0000-4000-8000-000000000001"
    domid = await hypervisor.create(Blueprint(uuid=uuid, max_vcpus=1, max_memory_kib=4096))
    try:
        await store.introduce(domid, 1, 1)
    except XenstoreError as error:
        raise StartError(
            f"the xenstored at {path} cannot map the pages of simulated domains ({error}): start it with "
            f"--platform {hypervisor.store_platform}, or use --store embedded"
        ) from error
    finally:
        await hypervisor.destroy(domid)


if __name__ == "__main__":
    sys.exit(main())
