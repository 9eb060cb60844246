"""Paravirtual consoles: what guests say on their rings goes to a log, a pty and any number of viewers; what
is typed goes back.

`service.Consoles` is this service inside xend; `python -m xend.console` is `xenconsoled`, the same alone.
"""
