#include "packets.h"
#include "text.h"

/* Where the fields of a frame are. */
enum { TO = 0, FROM = 6, TYPE = 12, BODY = 14 };
/* Of ARP (RFC 826). */
enum { OPERATION = BODY + 6, SENDER_MAC = BODY + 8, SENDER = BODY + 14, TARGET_MAC = BODY + 18, TARGET = BODY + 24 };
/* Of IP without options (RFC 791), and of ICMP (RFC 792). */
enum { PROTOCOL = BODY + 9, SOURCE = BODY + 12, DESTINATION = BODY + 16, ICMP = BODY + 20, CHECKSUM = ICMP + 2 };
enum { ICMP_PROTOCOL = 1, ECHO_REQUEST = 8, ECHO_REPLY = 0 };

static uint32_t answer_arp(const struct host *host, const uint8_t *frame, uint32_t size, uint8_t *answer)
{
    if (size < TARGET + 4 || differ(frame + OPERATION, "\0\1", 2) || differ(frame + TARGET, host->address, 4))
        return 0;
    copy(answer, frame, TARGET + 4);
    answer[OPERATION + 1] = 2;
    copy(answer + SENDER_MAC, host->mac, 6);
    copy(answer + SENDER, host->address, 4);
    copy(answer + TARGET_MAC, frame + SENDER_MAC, 10);
    return TARGET + 4;
}

static uint32_t answer_ping(const struct host *host, const uint8_t *frame, uint32_t size, uint8_t *answer)
{
    uint32_t sum;

    if (size < ICMP + 8 || frame[BODY] != 0x45 || frame[PROTOCOL] != ICMP_PROTOCOL ||
        frame[ICMP] != ECHO_REQUEST || differ(frame + DESTINATION, host->address, 4))
        return 0;
    copy(answer, frame, size);
    copy(answer + SOURCE, frame + DESTINATION, 4);
    copy(answer + DESTINATION, frame + SOURCE, 4);
    answer[ICMP] = ECHO_REPLY;
    /* The IP header's sum stays as it is; the message's is that of a message smaller by the type. */
    sum = (uint32_t)(frame[CHECKSUM] << 8 | frame[CHECKSUM + 1]) + (ECHO_REQUEST << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    answer[CHECKSUM] = (uint8_t)(sum >> 8);
    answer[CHECKSUM + 1] = (uint8_t)sum;
    return size;
}

uint32_t answer_to(const struct host *host, const uint8_t *frame, uint32_t size, uint8_t *answer)
{
    uint32_t answer_size = 0;

    if (size >= BODY && !differ(frame + TYPE, "\x08\x06", 2))
        answer_size = answer_arp(host, frame, size, answer);
    else if (size >= BODY && !differ(frame + TYPE, "\x08\x00", 2))
        answer_size = answer_ping(host, frame, size, answer);
    if (answer_size) {
        copy(answer + TO, frame + FROM, 6);
        copy(answer + FROM, host->mac, 6);
    }
    return answer_size;
}
