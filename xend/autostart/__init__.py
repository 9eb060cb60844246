"""Domains that start and stop with the host: `xl autostart`, `xl autostop`, and rc.d/xendomains with them.

`files` is what of the configuration directory is trusted, `order` who comes before whom; `wanted` and `start`
bring domains up, `chosen` and `stop` take them down; `runs` are the calls under way.  No state of its own is
kept: what is up is seen, and who comes before whom is read in the configurations, so that a call that was cut
off can be made again.
"""
