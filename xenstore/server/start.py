"""xenstored as a daemon."""

import signal

from xenstore.daemon.start import Program

PROGRAM = Program("xenstored")
#: Those that are obeyed; they wait, blocked, where nothing can receive them in order yet.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
