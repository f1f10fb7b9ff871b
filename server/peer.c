/*
 * peer: trusted networks and the way through X-Forwarded-For (see peer.h).
 *
 * Pure; any thread. The header comes from outside, of any length and with anything in it: each
 * element is copied into a fixed buffer that holds the longest address there is, and what does not
 * fit is no address. What may stand around an address is what real proxies write: blanks, brackets
 * around IPv6, and a port behind it.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_PREFIX_BITS 96
#define V6_KEY_BYTES   8  /* a /64: what one subscriber is given */
#define TEXT_MAX       80 /* [IPv6 with an IPv4 tail]:65535 and more */

static const uint8_t v4_prefix[V4_PREFIX_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct peer_address *a)
{
    return memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

static void from_v4(struct peer_address *out, const void *four_bytes)
{
    memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
    memcpy(out->bytes + sizeof v4_prefix, four_bytes, 4);
}

/* ---- text */

/* A bare address; inet_pton takes no blanks, no leading zeros, no short forms, no zones. */
static bool parse_address(struct peer_address *out, const char *text)
{
    uint8_t four_bytes[4];

    if (inet_pton(AF_INET, text, four_bytes) == 1) {
        from_v4(out, four_bytes);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* The len bytes at text without the blanks around them, as a string; false if they are too many. */
static bool copy_trimmed(char out[TEXT_MAX], const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len >= TEXT_MAX)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "" or a port with its colon. */
static bool is_port(const char *text)
{
    size_t digits;

    if (*text == '\0')
        return true;
    digits = strspn(text + 1, "0123456789");
    return *text == ':' && digits > 0 && digits <= 5 && text[1 + digits] == '\0' &&
           strtol(text + 1, NULL, 10) <= 65535;
}

/* An element of the header: ADDR, IPv4:PORT, [IPv6], [IPv6]:PORT. */
static bool parse_hop(struct peer_address *out, const char *text, size_t len)
{
    char copy[TEXT_MAX], *end, *address = copy;

    if (!copy_trimmed(copy, text, len))
        return false;
    if (*copy == '[') {
        address++;
        end = strchr(copy, ']');
        if (!end || !is_port(end + 1))
            return false;
        *end = '\0';
        return strchr(address, ':') && parse_address(out, address);
    }
    end = strchr(copy, ':');
    if (end && end == strrchr(copy, ':')) { /* one colon: IPv4 with a port */
        if (!is_port(end))
            return false;
        *end = '\0';
    }
    return parse_address(out, address);
}

/* ---- trusted networks */

/* 0 and more for the number of bits in `text`; -1 if it is none. */
static int parse_bits(const char *text, int most)
{
    size_t digits = strspn(text, "0123456789");
    long bits;

    if (digits < 1 || digits > 3 || text[digits] || (text[0] == '0' && digits > 1))
        return -1;
    bits = strtol(text, NULL, 10);
    return bits <= most ? (int)bits : -1;
}

/* ADDR or ADDR/BITS. The word for what is wrong, or NULL. */
static const char *parse_network(struct peer_network *out, char *text)
{
    char *slash = strchr(text, '/');
    int bits, base;

    if (slash)
        *slash = '\0';
    if (!parse_address(&out->address, text))
        return "is no address";
    base = strchr(text, ':') ? 0 : V4_PREFIX_BITS;
    bits = slash ? parse_bits(slash + 1, 128 - base) : 128 - base;
    if (bits < 0)
        return "has a wrong number of bits";
    if (bits == 0)
        return "would trust everybody";
    out->bits = (unsigned)(base + bits);
    return NULL;
}

int peer_parse_networks(struct peer_networks *out, const char *setting, struct buf *err)
{
    char text[TEXT_MAX];

    out->count = 0;
    if (!*setting)
        return 0;
    for (;;) {
        size_t len = strcspn(setting, ",");
        const char *wrong = "is no address";

        if (out->count == PEER_NETWORKS_MAX) {
            buf_printf(err, "has more than %d elements", PEER_NETWORKS_MAX);
            return -1;
        }
        if (copy_trimmed(text, setting, len))
            wrong = parse_network(&out->list[out->count++], text);
        if (wrong) {
            buf_printf(err, "\"%.*s\" %s", (int)(len < 60 ? len : 60), setting, wrong);
            return -1;
        }
        if (setting[len] == '\0')
            return 0;
        setting += len + 1;
    }
}

/* An IPv6 network holds no IPv4 addresses, short as its prefix may be. */
static bool is_in(const struct peer_network *network, const struct peer_address *a)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8, mask = 0xffU << (8 - rest) & 0xffU;

    if (network->bits < V4_PREFIX_BITS && is_v4(a))
        return false;
    if (memcmp(network->address.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->address.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

static bool is_trusted(const struct peer_networks *trusted, const struct peer_address *a)
{
    for (size_t i = 0; i < trusted->count; i++)
        if (is_in(&trusted->list[i], a))
            return true;
    return false;
}

/* ---- a request */

bool peer_of_socket(struct peer_address *out, const struct sockaddr *socket_address)
{
    switch (socket_address->sa_family) {
    case AF_INET:
        from_v4(out, &((const struct sockaddr_in *)(const void *)socket_address)->sin_addr);
        return true;
    case AF_INET6:
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)socket_address)->sin6_addr,
               PEER_ADDRESS_LEN);
        return true;
    default:
        return false;
    }
}

void peer_client(struct peer_address *client, const struct peer_networks *trusted,
                 const struct peer_address *peer, const char *forwarded)
{
    bool believed = !peer || is_trusted(trusted, peer);
    size_t end = forwarded ? strlen(forwarded) : 0;

    *client = peer ? *peer : (struct peer_address){{0}};
    while (believed && end > 0) {
        size_t start = end;
        struct peer_address hop;

        while (start > 0 && forwarded[start - 1] != ',')
            start--;
        if (!parse_hop(&hop, forwarded + start, end - start))
            break;
        *client = hop;
        believed = is_trusted(trusted, &hop);
        end = start > 0 ? start - 1 : 0; /* before the comma */
    }
    if (!is_v4(client))
        memset(client->bytes + V6_KEY_BYTES, 0, PEER_ADDRESS_LEN - V6_KEY_BYTES);
}
