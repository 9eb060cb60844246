"""Why Debian's daemons differ from ours, where more than one row says so."""

from tests.conformance.table import but
from tests.conformance.words import E2BIG, EACCES, EAGAIN, EINVAL, EIO, ENOENT, ENOSYS, EQUOTA, OK, names

#: oxenstored 4.17 ends with request type 21.
NO_DIRECTORY_PART = but("oxenstored has no DIRECTORY_PART", ENOSYS)
O_MAXSIZE = but("oxenstored bounds values by quota-maxsize for dom0, too", E2BIG)
O_NO_HIDING = but("oxenstored says ENOENT whatever the ancestors' permissions", ENOENT)
C_LONG = but("4.17 holds sockets to the limit of guests", EINVAL)
O_LONG = but("oxenstored holds sockets to quota-path-max, 1024", EINVAL)
C_TAIL_WATCH = but("C ignores bytes after the token that no NUL ends", OK, events=["/u tok"])
C_TAIL_UNWATCH = but("C ignores bytes after the token that no NUL ends", ENOENT)
O_LAX_END = but("oxenstored looks at the first string only", OK)

O_OWNER = but("oxenstored keeps the parent's owner", names("n0", "b3"))
O_EACCES = but("oxenstored says EACCES", EACCES)
O_ANY_OWNER = but("oxenstored accepts any owner", OK)
O_ROOT = but("oxenstored's root holds more", names("@introduceDomain", "@releaseDomain", "local", "tool"))
O_MKDIR_ROOT = but("oxenstored answers OK and does nothing", OK)
O_ANY_NUMBER = but("oxenstored takes any number", OK)
C_OVERFLOW = but("C reads it as the number of a domain that does not exist", ENOENT)
C_TAKES = but("C takes the number", OK)
O_NOT_OWNER = but("oxenstored keeps the parent's owner and right", EACCES)
O_RM_MISSING = but("oxenstored says OK to the removal of what is missing", OK)
O_BAD_ID = but("oxenstored says EIO to an unknown transaction", EIO)
O_NO_ECHO = but("oxenstored does not echo the transaction", tx_id=0)
C_CONFLICT = but("C refuses whenever a node that was accessed changed", EAGAIN)
C_NO_PERMS = but("4.17 cannot show them", EINVAL)
C_CLOSED = but("closed to domains before Xen 4.22", others={})
O_RELEASE_PERMS = but("closed to domains before Xen 4.22", names("n0"))
DEPTH_REFUSED = but("depths came with Xen 4.22", EINVAL, events=[])
RELEASE_BEFORE = but("4.17 tells before the OK", events=["@releaseDomain out"], after=[])
SILENT = but("4.17 has no event for permissions of @ names", others={})
O_QUOTA = but("oxenstored says EQUOTA", EQUOTA)
C_ONE_MORE_WATCH = but("4.17 allows one more", OK, events=["b 4"])
O_ONE_MORE_WATCH = but("oxenstored allows one more", OK, events=["b 4"])
O_EINVAL = but("oxenstored says EINVAL", EINVAL)
C_KEEPS_ENTRIES = but("4.17 keeps the entry but ignores it", names("n0", "r3"))
UNKNOWN = but("came with Xen 4.21 and 4.22", ENOSYS)

# Why a scenario is not played.
C_CRASH = "4.17 aborts on some malformed requests with one path"
O_EMPTY = "4.17 does not answer an empty payload in time"
O_UNORDERED = {"o": "oxenstored sorts"}
O_NO_PARTS = {"o": "oxenstored 4.17 has no DIRECTORY_PART"}
NO_DEPTH = {"c": "depths came with Xen 4.22", "o": "depths came with Xen 4.22"}
NO_FEATURES = {"c": "came with Xen 4.21 and 4.22", "o": "came with Xen 4.21 and 4.22"}
