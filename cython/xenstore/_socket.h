/*
 * What differs between systems about a Unix stream socket: accepting, sending without SIGPIPE, who the peer is.
 * Failures return -1 and leave errno.  Python.h comes first: it asks the C library for its extensions.
 */
#ifndef XENSTORE_SOCKET_H
#define XENSTORE_SOCKET_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(MSG_NOSIGNAL)
#define SOCKET_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define SOCKET_SEND_FLAGS MSG_DONTWAIT /* socket_prepare turns the signal off instead */
#endif

/* To be called once for every client's descriptor, whoever accepted it. */
static int socket_prepare(int fd)
{
#if !defined(MSG_NOSIGNAL) && defined(SO_NOSIGPIPE)
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)fd;
    return 0;
#endif
}

/* The next client of a listening socket, closed on exec. */
static int socket_accept(int fd)
{
#if defined(SOCK_CLOEXEC)
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
#else
    int client = accept(fd, NULL, NULL);
    if (client >= 0)
        fcntl(client, F_SETFD, FD_CLOEXEC);
    return client;
#endif
}

/* The effective user id of the process that connected, as it was at connect(). */
static int socket_peer_uid(int fd, uid_t *uid)
{
#if defined(SO_PEERCRED) && defined(__linux__) && !defined(SOCKET_GETPEEREID)
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -1;
    *uid = peer.uid;
    return 0;
#else
    gid_t gid; /* getpeereid(3) asks LOCAL_PEEREID on NetBSD, LOCAL_PEERCRED elsewhere */
    return getpeereid(fd, uid, &gid);
#endif
}

#endif
