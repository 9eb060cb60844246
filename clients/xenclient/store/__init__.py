"""The store's client: `blocking` and `aio` (trio) with the same class names over one core.

`core` frames messages and matches answers to requests; `operations` says what each operation sends and
what it makes of the answer; `transactions` and `watches` hold what a client must remember; `link` does the
operations over connections that come and go; `client` has the methods of both clients.  None of them does
I/O: what they wait for is in `blocking_link` and `aio_link`.
"""
