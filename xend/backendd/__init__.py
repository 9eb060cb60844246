"""xenbackendd: hotplug scripts for the backends of this domain, where another toolstack writes the devices.

For a driver domain, or beside a toolstack that leaves scripts to somebody else.
"""
