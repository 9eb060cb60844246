/* getpeereid(3), which glibc has not. */
#ifndef FAKE_GETPEEREID_H
#define FAKE_GETPEEREID_H

#include "Python.h" /* first of all, as in the extension: it asks glibc for struct ucred */
#include <sys/socket.h>
#include <sys/types.h>

static int getpeereid(int fd, uid_t *uid, gid_t *gid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -1;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

#endif
