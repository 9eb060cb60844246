"""Clients of xend's bus (docs/bus.md): `blocking` and `aio` (trio) with the same class names over one core.

`core` packs calls and matches answers; `requests` has every call; `followers` take what comes unasked;
`link` makes the calls over connections that come and go; `client` has the methods of both clients.  None of
them does I/O: what they wait for is in `blocking_link` and `aio_link`.
"""
