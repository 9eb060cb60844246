"""Devices: nodes of both ends, the backend's states, the script between them.

`xenbus` names the states, `vif` and `vbd` say what is theirs, `nodes` writes and removes both ends,
`backends` follows what backends say, `scripts` runs hotplug scripts, `plug` puts it together as steps.
Source: docs/misc/xenstore-paths.pandoc; xen/include/public/io/xenbus.h.
"""
