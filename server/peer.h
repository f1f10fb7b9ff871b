/*
 * peer: whose request it is, when proxies stand before the server.
 *
 * A visitor can write whatever he likes into X-Forwarded-For; only what a trusted proxy has added
 * is believed. So the header is read from right to left: as long as the hop that has been reached
 * is trusted, the element before it counts; the first hop that is not trusted is the client. At an
 * element that is no address the walk ends, and the hop that had been reached counts: rubbish never
 * makes a client of its own.
 *
 * An address is kept for as long as a request asks for it, and nowhere else: what limits count by
 * is a keyed hash of it.
 *
 * Pure; any thread. Sources: RFC 4291 sections 2.2 (text) and 2.5.5.2 (IPv4-mapped), RFC 4632
 * (CIDR).
 */
#ifndef PEER_H
#define PEER_H

#include "buf.h"

#define PEER_ADDRESS_LEN  16
#define PEER_NETWORKS_MAX 64

/* IPv6 as on the wire; IPv4 as ::ffff:a.b.c.d, so that one address has one form. */
struct peer_address {
    uint8_t bytes[PEER_ADDRESS_LEN];
};

struct peer_networks {
    size_t count;
    struct peer_network {
        struct peer_address address;
        unsigned bits; /* of the 128; for IPv4 96 and more */
    } list[PEER_NETWORKS_MAX];
};

/* Parses the setting trusted_proxies: addresses and networks (ADDR/BITS) with commas between them,
 * or "". 0, or -1 with what is wrong in err. */
int peer_parse_networks(struct peer_networks *out, const char *setting, struct buf *err)
    __attribute__((warn_unused_result));

/* The address of a socket's other end; false if it has none. */
struct sockaddr;
bool peer_of_socket(struct peer_address *out, const struct sockaddr *socket_address);

/* Who sent a request. `peer` is the other end of the connection, NULL for a Unix socket, which
 * counts as trusted: only who may open the file comes through it. `forwarded` is the value of
 * X-Forwarded-For, or NULL. The result is cut to what one subscriber holds: of IPv6 the first 64
 * bits. All zero: behind a Unix socket, and the header names nobody. */
void peer_client(struct peer_address *client, const struct peer_networks *trusted,
                 const struct peer_address *peer, const char *forwarded);

#endif
