/*
 * Fuzzes the setting trusted_proxies and the way through X-Forwarded-For: without the header the
 * peer is the client, an untrusted peer always is, and rubbish at the left end changes nothing. The
 * first byte chooses the peer; up to a line feed stands the setting trusted_proxies, after it the
 * header.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iserver tests/fuzz/fuzz_forwarded.c \
 *       server/buf.c server/peer.c -lsodium -o fuzz_forwarded && ./fuzz_forwarded
 * tests/fuzz/corpus/forwarded
 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char proxy_text[] = "10.0.0.1", stranger_text[] = "203.0.113.5";

static struct peer_address address(const char *v4)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct peer_address out;

    if (inet_pton(AF_INET, v4, &in.sin_addr) != 1 ||
        !peer_of_socket(&out, (const struct sockaddr *)&in))
        abort();
    return out;
}

static bool same(const struct peer_address *a, const struct peer_address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The setting as it came; the proxy alone if it is refused. */
static void parse_setting(struct peer_networks *out, const char *setting)
{
    struct buf err;

    buf_init(&err, 200);
    if (peer_parse_networks(out, setting, &err) == 0) {
        if (err.len > 0 || out->count > PEER_NETWORKS_MAX)
            abort();
        for (size_t i = 0; i < out->count; i++)
            if (out->list[i].bits < 1 || out->list[i].bits > 128)
                abort();
    } else if (err.len == 0 || peer_parse_networks(out, proxy_text, &err) != 0) {
        abort();
    }
    buf_release(&err);
}

static void check(const struct peer_networks *trusted, const struct peer_address *peer,
                  const char *forwarded)
{
    struct peer_address plain, with, again;
    struct buf longer;

    peer_client(&plain, trusted, peer, NULL);
    if (peer && !same(&plain, peer))
        abort();
    peer_client(&with, trusted, peer, forwarded);
    buf_init(&longer, BUF_UNLIMITED);
    buf_printf(&longer, "rubbish,%s", forwarded);
    peer_client(&again, trusted, peer, longer.data);
    if (!same(&with, &again))
        abort();
    buf_release(&longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct peer_address proxy = address(proxy_text), stranger = address(stranger_text);
    struct peer_networks trusted, none = {0};
    struct peer_address client;
    char *text, *forwarded;

    if (size == 0)
        return 0;
    text = xcalloc(1, size);
    memcpy(text, data + 1, size - 1);
    forwarded = strchr(text, '\n');
    if (forwarded)
        *forwarded++ = '\0';
    else
        forwarded = text;
    parse_setting(&trusted, forwarded == text ? "" : text);
    check(&trusted, data[0] & 1 ? &proxy : data[0] & 2 ? &stranger : NULL, forwarded);
    peer_client(&client, &none, &stranger, forwarded);
    if (!same(&client, &stranger))
        abort();
    free(text);
    return 0;
}
