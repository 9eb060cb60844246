"""A host that is none: domains, their pages and event channels, made of files and sockets in a directory.

    DIR/store.channel      the store's datagram socket (xenstore.platform.sim)
    DIR/N/unique           a number that no other domain had, decimal
    DIR/N/store.page       the page domain N shares with the store; the domain exists as long as this does
    DIR/N/store.channel    datagram socket of domain N: the store's notifications
    DIR/N/shutdown         exists once the domain has shut down
    DIR/N/console.page     its console page, once it was built
    DIR/N/console.channel  datagram socket of domain N: notifications of whoever holds its console
    DIR/N/consoled.channel datagram socket of whoever holds its console in dom0
    DIR/host.socket        where `xend.hypervisor.simulator` finds the process that keeps all this alive

`host` is the hypervisor, `guest` the kernels of its domains, `backends` that of dom0; `python -m
xend.simulator DIR` is the process.  Time is trio's, randomness is injected: the same seed under a MockClock
gives the same trace.
"""
