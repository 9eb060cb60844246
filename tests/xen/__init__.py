"""The store on the real hypervisor: Debian's Xen under QEMU, a PV dom0, PV guests.

`make test-xen` runs it. `packages` fetches, `images` builds, `machine` boots, `dom0` gives orders to the
booted dom0, `guest` to the guests in it; the scenarios are the tests.
"""
