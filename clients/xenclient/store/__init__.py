"""The store's client: `blocking` and `aio` (trio) with the same class names over one I/O-free core.

`core` frames messages and matches answers to requests; `operations` says what each operation sends and
what it makes of the answer; `transactions` and `watches` hold what a client must remember.  Only
`blocking` and `aio` wait for anything.
"""
