"""CONTROL: commands for the daemon itself, answered in text (xenstore-control)."""

from tests.conformance.reasons import O_BAD_ID
from tests.conformance.table import but, do, scenario
from tests.conformance.words import EINVAL, ENOENT, OK, Like, control

OK_SILENTLY = but("oxenstored says OK to what it does not know", OK)
IN_DAEMON = dict.fromkeys(("session", "bytewise"), "the daemon answers CONTROL")
QUOTA_NAMES = (
    "nodes",
    "watches",
    "outstanding",
    "memory",
    "transactions",
    "transaction-nodes",
    "node-permissions",
    "path-max",
    "node-size",
)

SCENARIOS = [
    scenario(
        "commands that say OK",
        do("a", control("check"), OK, "check the store"),
        do(
            "a",
            control("print", "text"),
            OK,
            "print to the log",
        ),
        not_on=IN_DAEMON,
    ),
    scenario(
        "what is no command",
        do("a", control("no-such-command"), EINVAL, "unknown"),
        do("a", control(""), EINVAL, "an empty one"),
        do("a", control("CHECK"), EINVAL, "in capitals"),
        do("a", control("check", "more"), EINVAL, "with an argument too many"),
        do("a", control("print"), EINVAL, "without its argument"),
        do("a", control("quota", "set"), EINVAL, "set what"),
        do("a", control("quota", "set", "nodes"), EINVAL, "to what"),
        do("a", control("quota", "set", "no-such-quota", "5"), EINVAL, "an unknown quota"),
        do("a", control("quota", "set", "nodes", "0"), EINVAL, "no limit at all"),
        do("a", control("quota", "set", "nodes", "-1"), EINVAL, "less than none"),
        do("a", control("quota", "set", "nodes", "many"), EINVAL, "no number"),
        do("a", control("quota", "4711"), ENOENT, "of an unknown domain"),
        do("a", control("log", "loud"), EINVAL, "neither on nor off"),
        do("a", control("logfile"), EINVAL, "which file"),
        not_on={**IN_DAEMON, "o": "oxenstored says OK or some text to almost anything"},
    ),
    scenario(
        "an unknown command on oxenstored",
        do("a", control("no-such-command"), EINVAL, "unknown", o=OK_SILENTLY),
        not_on=IN_DAEMON,
    ),
    scenario(
        "quotas",
        do(
            "a",
            control("quota"),
            Like(
                b"Quota settings:\n"
                + b"".join(b"%-17s: +[0-9]+ [A-Z].*\n" % name.encode() for name in QUOTA_NAMES)
                + rb"\x00"
            ),
            "all of them with values and descriptions",
        ),
        do("a", control("quota", "set", "nodes", "77"), OK, "changed"),
        do("a", control("quota"), Like(rb"(?s).*nodes            :       77 .*"), "and shown"),
        do("a", control("quota", "set", "nodes", "1000"), OK, "back to the default"),
        do("a", control("quota-soft"), Like(rb"(?s)Quota settings:\n.*memory .*\x00"), "soft ones"),
        do("a", control("quota-soft", "set", "memory", "1000000"), OK, "changed"),
        do("a", control("quota-soft", "set", "memory", "2097152"), OK, "back to the default"),
        do(
            "a",
            control("quota", "max"),
            Like(rb"(?s)Max. seen accounting values:\n.*nodes +: +\d+\n.*\x00"),
            "the largest seen",
        ),
        do(
            "a",
            control("quota", "max", "-r"),
            Like(rb"(?s)Max. seen accounting values:\n.*\x00"),
            "and reset",
        ),
        not_on={
            **IN_DAEMON,
            "c": "4.17 has other names and columns",
            "o": "its quotas are another matter",
        },
    ),
    scenario(
        "what a domain uses",
        do(
            "a",
            control("quota", "0"),
            Like(rb"Domain 0:\n([a-z-]+ *: +-?\d+( \(max +\d+\))?\n)+\x00"),
            "a line for each kind",
        ),
        not_on={**IN_DAEMON, "o": "it tells in another form"},
    ),
    scenario(
        "log switches",
        do("a", control("log"), Like(rb"Log switch settings:\n(\w+ *: (on|off)\n)+\x00"), "all of them"),
        do("a", control("log", "on"), OK, "on"),
        do("a", control("log", "off"), OK, "off"),
        do("a", control("log", "+io"), OK, "one"),
        do("a", control("log"), Like(rb"(?s).*io      : on\n.*"), "is shown"),
        do("a", control("log", "-io"), OK, "and off again"),
        do("a", control("log", "+nothing"), EINVAL, "no such switch"),
        not_on={
            **IN_DAEMON,
            "c": "4.17 knows on and off only",
            "o": "it has none",
        },
    ),
    scenario(
        "help",
        do("a", control("help"), Like(rb"(?s).*check .*\n.*quota .*\n.*\x00"), "a line for each command"),
        not_on={
            **IN_DAEMON,
            "c": "4.17 has tabs",
            "o": "it has none",
        },
    ),
    scenario(
        "what a client may be told of a transaction that does not exist",
        do("a", control("check"), ENOENT, "the transaction is looked up first", tx=99, o=O_BAD_ID),
    ),
]
