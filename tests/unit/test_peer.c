/*
 * test_peer: which networks trusted_proxies names, and who the client is behind them.
 *
 * Published vectors: the documentation prefixes of RFC 5737 and RFC 3849, and the text forms of
 * RFC 4291 section 2.2.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

/* The address in the 16 bytes, as text; "" if all are zero. */
static const char *text_of(const struct peer_address *a)
{
    static const struct peer_address nobody;
    static char text[INET6_ADDRSTRLEN];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(a, &nobody, sizeof nobody) == 0)
        return "";
    if (memcmp(a->bytes, mapped, sizeof mapped) == 0)
        assert_non_null(inet_ntop(AF_INET, a->bytes + 12, text, sizeof text));
    else
        assert_non_null(inet_ntop(AF_INET6, a->bytes, text, sizeof text));
    return text;
}

static struct peer_address address(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct peer_address out;

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        assert_true(peer_of_socket(&out, (const struct sockaddr *)&v4));
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        assert_true(peer_of_socket(&out, (const struct sockaddr *)&v6));
    }
    return out;
}

/* Who sent it: `peer` NULL for a Unix socket. */
static void assert_client(const char *trusted, const char *peer, const char *forwarded,
                          const char *expected)
{
    struct peer_address from = {{0}}, client;
    struct peer_networks networks;
    struct buf err;

    buf_init(&err, 200);
    assert_int_equal(peer_parse_networks(&networks, trusted, &err), 0);
    if (peer)
        from = address(peer);
    peer_client(&client, &networks, peer ? &from : NULL, forwarded);
    assert_string_equal(text_of(&client), expected);
    buf_release(&err);
}

static void assert_refused(const char *setting, const char *says)
{
    struct peer_networks networks;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(peer_parse_networks(&networks, setting, &err), -1);
    if (!strstr(err.data, says))
        fail_msg("\"%s\": %s", setting, err.data);
    buf_release(&err);
}

/* ---- the setting */

static void addresses_and_networks_of_both_families_are_taken(void **state)
{
    static const struct {
        const char *setting;
        size_t count;
    } good[] = {
        {"", 0},
        {"127.0.0.1", 1},
        {"::1", 1},
        {"127.0.0.1,::1", 2},
        {" 10.0.0.0/8 ,\t172.16.0.0/12 , 192.168.0.0/16", 3},
        {"2001:db8::/32, fe80::/10", 2},
        {"10.0.0.1/32,2001:db8::1/128", 2},
        {"::ffff:10.0.0.0/104", 1},
        {"10.1.2.3/8", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct peer_networks networks;
        struct buf err;

        buf_init(&err, 200);
        if (peer_parse_networks(&networks, good[i].setting, &err) != 0)
            fail_msg("\"%s\": %s", good[i].setting, err.data);
        assert_int_equal(networks.count, good[i].count);
        assert_int_equal(err.len, 0);
        buf_release(&err);
    }
}

static void whatever_is_no_network_is_refused(void **state)
{
    static const char *const no_address[] = {
        ",",
        "127.0.0.1,",
        "127.0.0.1,,::1",
        "localhost",
        "127.0.0.1 ::1",
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "0x7f.0.0.1",
        "[::1]",
        "127.0.0.1:80",
        "::1%lo",
        "/8",
        "unix",
        "10.0.0.0 /8",
        "*",
        " ",
    };
    static const char *const wrong_bits[] = {"10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/-1",
                                             "10.0.0.0/8x", "::1/129",      "10.0.0.0/08",
                                             "10.0.0.0/ 8", "10.0.0.0/1e1", "2001:db8::/32/"};

    (void)state;
    for (size_t i = 0; i < sizeof no_address / sizeof *no_address; i++)
        assert_refused(no_address[i], "is no address");
    for (size_t i = 0; i < sizeof wrong_bits / sizeof *wrong_bits; i++)
        assert_refused(wrong_bits[i], "has a wrong number of bits");
    assert_refused("0.0.0.0/0", "trust everybody");
    assert_refused("10.0.0.1, ::/0", "trust everybody");
}

static void more_networks_than_there_is_room_for_are_refused(void **state)
{
    struct peer_networks networks;
    struct buf setting, err;

    (void)state;
    buf_init(&setting, BUF_UNLIMITED);
    buf_init(&err, 200);
    for (int i = 0; i < PEER_NETWORKS_MAX; i++)
        buf_printf(&setting, "%s10.0.0.%d", i ? "," : "", i);
    assert_int_equal(peer_parse_networks(&networks, setting.data, &err), 0);
    assert_int_equal(networks.count, PEER_NETWORKS_MAX);
    buf_adds(&setting, ",::1");
    assert_refused(setting.data, "more than");
    buf_release(&setting);
    buf_release(&err);
}

/* ---- the client */

static void the_header_of_an_untrusted_peer_counts_for_nothing(void **state)
{
    (void)state;
    assert_client("", "203.0.113.5", "198.51.100.7", "203.0.113.5");
    assert_client("", "127.0.0.1", "198.51.100.7", "127.0.0.1");
    assert_client("10.0.0.0/8", "203.0.113.5", "10.0.0.1", "203.0.113.5");
    assert_client("10.0.0.0/8", "11.0.0.1", "198.51.100.7", "11.0.0.1");
    assert_client("2001:db8::/32", "2001:db9::1", "198.51.100.7", "2001:db9::");
}

static void a_trusted_peer_or_a_unix_socket_names_the_client(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "127.0.0.1", "198.51.100.7", "198.51.100.7");
    assert_client("::1", "::1", "198.51.100.7", "198.51.100.7");
    assert_client("127.0.0.1", "127.0.0.1", NULL, "127.0.0.1");
    assert_client("127.0.0.1", "127.0.0.1", "", "127.0.0.1");
    assert_client("", NULL, "198.51.100.7", "198.51.100.7");
    assert_client("", NULL, NULL, "");
}

static void the_header_is_read_from_right_to_left_past_trusted_hops(void **state)
{
    const char *two = "127.0.0.1, 10.0.0.0/8";

    (void)state;
    assert_client(two, "127.0.0.1", "6.6.6.6, 198.51.100.7, 10.1.1.1, 10.2.2.2", "198.51.100.7");
    assert_client(two, "127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7");
    assert_client(two, "127.0.0.1", "10.0.0.3,10.0.0.2,10.0.0.1", "10.0.0.3");
    assert_client("", NULL, "6.6.6.6,198.51.100.7", "198.51.100.7");
    assert_client("10.0.0.1", NULL, "6.6.6.6,198.51.100.7,10.0.0.1", "198.51.100.7");
}

static void blanks_ports_and_brackets_do_not_matter(void **state)
{
    static const char *const same_v4[] = {"198.51.100.7",        "  198.51.100.7\t",
                                          "198.51.100.7:0",      "198.51.100.7:65535",
                                          "::ffff:198.51.100.7", "[::ffff:198.51.100.7]:80"};
    static const char *const same_v6[] = {"2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]",
                                          " [2001:db8:1:2::9]:443 ", "2001:DB8:1:2::"};

    (void)state;
    for (size_t i = 0; i < sizeof same_v4 / sizeof *same_v4; i++)
        assert_client("::1", "::1", same_v4[i], "198.51.100.7");
    for (size_t i = 0; i < sizeof same_v6 / sizeof *same_v6; i++)
        assert_client("::1", "::1", same_v6[i], "2001:db8:1:2::");
}

static void at_rubbish_the_last_trusted_hop_counts(void **state)
{
    static const char *const rubbish[] = {
        "unknown",
        "_hidden",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:65536",
        "1.2.3.4:123456",
        "[1.2.3.4]",
        "[::1",
        "::1]",
        "[]",
        "[::1]443",
        "[::1]:",
        "fe80::1%eth0",
        "1.2.3.4 5.6.7.8",
        "1.2.3.4;",
        "\"1.2.3.4\"",
        "for=1.2.3.4",
        ",",
        ",,",
        " ",
        "1.2.3.4,",
        "1.2.3.4, ,",
        "01.2.3.4",
        "1.2.3.4/8",
        "-1.2.3.4",
        "\x80\xff",
        "2001:db8::1:443:",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        struct buf behind;

        assert_client("127.0.0.1", "127.0.0.1", rubbish[i], "127.0.0.1");
        assert_client("", NULL, rubbish[i], "");
        buf_init(&behind, BUF_UNLIMITED);
        buf_printf(&behind, "6.6.6.6, %s, 10.0.0.9", rubbish[i]);
        assert_client("127.0.0.1,10.0.0.9", "127.0.0.1", behind.data, "10.0.0.9");
        buf_release(&behind);
    }
}

static void ten_kilobytes_are_read_only_as_far_as_they_are_believed(void **state)
{
    struct buf header;

    (void)state;
    buf_init(&header, BUF_UNLIMITED);
    for (int i = 0; i < 10240; i++)
        buf_addc(&header, '1');
    assert_client("127.0.0.1", "127.0.0.1", header.data, "127.0.0.1");
    buf_adds(&header, ", 198.51.100.7");
    assert_client("127.0.0.1", "127.0.0.1", header.data, "198.51.100.7");
    buf_clear(&header);
    for (int i = 0; i < 5120; i++)
        buf_adds(&header, ", ");
    assert_client("127.0.0.1", "127.0.0.1", header.data, "127.0.0.1");
    buf_clear(&header);
    buf_adds(&header, "198.51.100.7");
    for (int i = 0; i < 1000; i++)
        buf_adds(&header, ",127.0.0.1");
    assert_client("127.0.0.1", "127.0.0.1", header.data, "198.51.100.7");
    buf_release(&header);
}

static void ipv6_is_cut_to_what_one_subscriber_has(void **state)
{
    (void)state;
    assert_client("", "2001:db8:1:2:3:4:5:6", NULL, "2001:db8:1:2::");
    assert_client("", "2001:db8:1:2:ffff::1", NULL, "2001:db8:1:2::");
    assert_client("", "2001:db8:1:3::", NULL, "2001:db8:1:3::");
}

static void an_ipv4_address_is_the_same_in_both_forms(void **state)
{
    (void)state;
    assert_client("", "::ffff:203.0.113.5", NULL, "203.0.113.5");
    assert_client("127.0.0.1", "::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7");
    assert_client("::ffff:10.0.0.0/104", "10.9.9.9", "198.51.100.7", "198.51.100.7");
}

static void a_network_ends_where_its_bits_end(void **state)
{
    static const struct {
        const char *network, *inside, *outside;
    } edges[] = {
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
        {"203.0.113.4/31", "203.0.113.5", "203.0.113.6"},
        {"203.0.113.4", "203.0.113.4", "203.0.113.5"},
        {"10.1.2.3/8", "10.200.0.1", "9.255.255.255"},
        {"128.0.0.0/1", "255.0.0.1", "127.255.255.255"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"::/1", "7fff::1", "203.0.113.5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        struct peer_address outside = address(edges[i].outside);

        assert_client(edges[i].network, edges[i].inside, "198.51.100.7", "198.51.100.7");
        if (strchr(edges[i].outside, ':'))
            memset(outside.bytes + 8, 0, 8);
        assert_client(edges[i].network, edges[i].outside, "198.51.100.7", text_of(&outside));
    }
}

static void a_unix_socket_has_no_address(void **state)
{
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct peer_address out;

    (void)state;
    assert_false(peer_of_socket(&out, (const struct sockaddr *)&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_networks_of_both_families_are_taken),
        cmocka_unit_test(whatever_is_no_network_is_refused),
        cmocka_unit_test(more_networks_than_there_is_room_for_are_refused),
        cmocka_unit_test(the_header_of_an_untrusted_peer_counts_for_nothing),
        cmocka_unit_test(a_trusted_peer_or_a_unix_socket_names_the_client),
        cmocka_unit_test(the_header_is_read_from_right_to_left_past_trusted_hops),
        cmocka_unit_test(blanks_ports_and_brackets_do_not_matter),
        cmocka_unit_test(at_rubbish_the_last_trusted_hop_counts),
        cmocka_unit_test(ten_kilobytes_are_read_only_as_far_as_they_are_believed),
        cmocka_unit_test(ipv6_is_cut_to_what_one_subscriber_has),
        cmocka_unit_test(an_ipv4_address_is_the_same_in_both_forms),
        cmocka_unit_test(a_network_ends_where_its_bits_end),
        cmocka_unit_test(a_unix_socket_has_no_address),
    };

    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
