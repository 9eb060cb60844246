"""The steps of what is done to a domain like the example: their names, in their order.

Written down, as worlds are dear and every worker collects every test; `test_steps.py` has them compared.
"""

CREATE = [
    "check what it needs",
    "create an empty domain",
    "set memory aside for it",
    "write its nodes",
    "give it its memory and kernel",
    "introduce it to the store",
    "connect its console",
    "vbd 0x0: write its nodes",
    "vbd 0x0: wait for its backend",
    "vbd 0x0: run its script",
    "vif 0: write its nodes",
    "vif 0: wait for its backend",
    "vif 0: run its script",
    "start it",
]
#: What an old life ends with, in a restart too.
_END = [
    "pause it",
    "vbd 0x0: close its backend",
    "vbd 0x0: run its script",
    "vbd 0x0: remove its nodes",
    "vif 0: close its backend",
    "vif 0: run its script",
    "vif 0: remove its nodes",
    "end its console",
    "remove its nodes",
    "destroy it",
    "wait until it is gone",
]
DESTROY = [*_END, "forget it"]
#: Of a domain.restart whose next life begins at once.
RESTART = [*_END, *CREATE]
#: Of a domain.restart whose next life has to wait.
RESTART_LATER = [*_END, "note that it waits for its next life"]
NEXT_LIFE = CREATE
