#ifndef BARE_NETBSD_H
#define BARE_NETBSD_H

/*
 * What a NetBSD domain does that xend, Xen and dom0 notice: its devices as xbd(4) and xennet(4) drive them, its
 * disks in use (see verify_disks), pings answered, control/shutdown heeded; data/beat counts its seconds.
 * `address` is set_address's.
 */
void live_as_netbsd(const char *address);

#endif
