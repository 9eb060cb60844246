"""Devices: nodes of both ends, the backend's states, the script between them.

`kinds` is the table of device types; each has its row in a file of its own (`vif`, `vbd`).  `xenbus` names
the states, `nodes` writes and removes both ends, `stored` finds the devices of a domain again, `backends`
follows what backends say, `scripts` runs hotplug scripts, `plug` puts it together as steps, `causes` explains
why a device does not work.
Source: docs/misc/xenstore-paths.pandoc; xen/include/public/io/xenbus.h.
"""
