"""xenstored as a daemon."""

from xenstore.daemon.start import Program

PROGRAM = Program("xenstored")
