"""xend, the manager of a Xen host's domains.

Each package is one subject: `hypervisor` (the contract with Xen, and its simulator's driver), `config`
(xl.cfg), `operation` (lists of steps with undo), `device` (a table of their types, and what all of them do),
`domain` (their whole life), `console`, `bus` (the control socket).  `simulator` is a host without Xen, a
program of its own.
"""

VERSION = "0.1.0"
