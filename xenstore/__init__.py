"""The xenstore daemon: a transactional tree of keys with watches, shared by dom0 and every guest.

Layers, each knowing only those before it: `wire`, `errors` and `limits` (the protocol's constants),
then the compiled parts (tree, views and transactions, watches, sessions, pump), then `server`, the
program `xenstored`.  The layers up to the session do no I/O and know no clock.
"""
