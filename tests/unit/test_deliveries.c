/*
 * test_deliveries: what the public list says as deliveries, hand-overs and publications come, and
 * that what it has said of a delivery is not read or hashed again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "log_fixture.h"

#include "deliveries.h"

#include <sodium.h>
#include <stdlib.h>

#define FROZEN_S 1508760002 /* 2017-10-23 12:00:02 UTC */
#define FIGURES  "{\"submissions\":3,\"signatures\":2,\"repeats\":1}"

static struct delivery_config config;
static struct deliveries *deliveries;

static struct deliveries *open_list(void)
{
    struct deliveries *d;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    d = deliveries_open(&config, &err);
    assert_non_null(d);
    buf_release(&err);
    return d;
}

static int open_deliveries(void **state)
{
    open_head(state);
    config = (struct delivery_config){.head = head, .database = path, .dir = folder};
    deliveries = open_list();
    return 0;
}

static int close_deliveries(void **state)
{
    deliveries_close(deliveries);
    return close_head(state);
}

/* ---- what happens to a delivery */

struct delivery_change {
    struct job job;
    int64_t id;
    bool add;      /* asked for */
    int64_t size;  /* frozen at that size; 0: not yet */
    int addressee; /* handed over; 0: nobody */
    const char *day;
};

static int apply_change(struct job *job, struct db *to)
{
    struct delivery_change *c = (struct delivery_change *)job;
    struct handover_row handover = {.addressee = c->addressee};
    struct delivery_row row;
    int result = DB_OK;

    delivery_row_init(&row);
    buf_init(&handover.note, BUF_UNLIMITED);
    buf_init(&handover.who, BUF_UNLIMITED);
    buf_adds(&handover.note, "to the embassy");
    buf_adds(&handover.who, "anna");
    if (c->add) {
        result = db_delivery_add(to, "anna", FROZEN_S - 1, &row.id);
        assert_int_equal(row.id, c->id);
    }
    if (c->size > 0 && result == DB_OK) {
        row.frozen_s = FROZEN_S;
        row.size = c->size;
        buf_adds(&row.figures, FIGURES);
        result = db_delivery_set_frozen(to, &row);
    }
    if (c->addressee > 0) {
        assert_true(day_parse(&handover.day, c->day));
        result = db_handover_set(to, c->id, &handover);
    }
    buf_release(&handover.note);
    buf_release(&handover.who);
    delivery_row_release(&row);
    return result;
}

static void change(struct delivery_change c)
{
    c.job.apply = apply_change;
    assert_int_equal(writer_run(writer, &c.job), JOB_COMMITTED);
}

/* Freezes the log as it is, and enters that; `root` becomes what the list says of it. */
static void deliver(int64_t id, struct buf *root)
{
    struct merkle_tree tree;

    tlog_edge_tree(&last_job.edge, &tree);
    buf_init(root, BUF_UNLIMITED);
    buf_printf(root, "{\"delivery\":%d,\"date\":\"2017-10-23\",\"log_size\":%d,\"root\":\"",
               (int)id, (int)tree.size);
    buf_base64(root, tree.root, HASH_LEN);
    buf_printf(root, "\",\"entry\":%d,\"manifests\":[\"0000", (int)tree.size);
    change((struct delivery_change){.id = id, .add = true, .size = tree.size});
    append_dlv(id, tree.size);
}

static void hand_over(int64_t id, int addressee, const char *day)
{
    change((struct delivery_change){.id = id, .addressee = addressee, .day = day});
}

/* ---- what is said */

static struct buf said; /* the last list */

static const char *list_of(struct deliveries *d)
{
    buf_release(&said);
    buf_init(&said, BUF_UNLIMITED);
    deliveries_list(d, &said);
    return said.data;
}

static const char *refreshed(void)
{
    deliveries_refresh(deliveries);
    return list_of(deliveries);
}

static void assert_said(const char *list, const char *words)
{
    if (!strstr(list, words))
        fail_msg("%s is not in %s", words, list);
}

static void assert_begins(const char *list, const char *words)
{
    if (strncmp(list, words, strlen(words)) != 0)
        fail_msg("%s does not begin with %s", list, words);
}

/* ---- claims */

static void a_delivery_is_listed_once_its_entry_is_published(void **state)
{
    struct buf one, two;

    (void)state;
    assert_string_equal(list_of(deliveries), ""); /* not made yet */
    assert_string_equal(refreshed(), "{\"deliveries\":[]}");
    append(NULL, 600);
    deliver(1, &one);
    assert_string_equal(refreshed(), "{\"deliveries\":[]}");
    publish();
    assert_string_equal(list_of(deliveries), "{\"deliveries\":[]}");
    assert_begins(refreshed(), "{\"deliveries\":[");
    assert_begins(said.data + 15, one.data);
    assert_said(said.data, "\"],\"submissions\":3,\"signatures\":2,\"repeats\":1,"
                           "\"log_zip\":\"/api/v1/deliveries/1/log.zip\",\"handovers\":[]}]}");
    append(NULL, 50);
    deliver(2, &two);
    publish();
    assert_said(refreshed(), two.data);
    assert_begins(said.data + 15, one.data);
    assert_said(said.data, "\"handovers\":[]},{\"delivery\":2,");
    buf_release(&one);
    buf_release(&two);
}

static void a_hand_over_is_listed_and_so_is_its_change(void **state)
{
    struct buf one, two;

    (void)state;
    append(NULL, 3);
    deliver(1, &one);
    deliver(2, &two);
    publish();
    hand_over(1, 8, "2017-10-24");
    assert_said(refreshed(), "\"handovers\":[{\"addressee\":8,\"date\":\"2017-10-24\"}]},");
    assert_said(said.data, "\"handovers\":[]}]}");
    hand_over(1, 8, "2017-10-25");
    hand_over(1, 3, "2017-10-26");
    assert_said(refreshed(), "\"handovers\":[{\"addressee\":3,\"date\":\"2017-10-26\"},"
                             "{\"addressee\":8,\"date\":\"2017-10-25\"}]},");
    assert_null(strstr(said.data, "embassy"));
    assert_null(strstr(said.data, "anna"));
    buf_release(&one);
    buf_release(&two);
}

/* As after `restore --log`: of the first there is no row, the second is only asked for. */
static void of_a_delivery_that_only_the_log_knows_is_said_what_it_says(void **state)
{
    struct buf three;

    (void)state;
    append(NULL, 3);
    append_dlv(1, 4);
    change((struct delivery_change){.id = 2, .add = true}); /* no number is used twice */
    append_dlv(2, 5);
    publish();
    assert_begins(refreshed(), "{\"deliveries\":[{\"delivery\":1,\"log_size\":4,\"root\":\"");
    assert_said(said.data, "\",\"entry\":4,\"manifests\":[\"");
    assert_said(
        said.data,
        "\"],\"log_zip\":\"/api/v1/deliveries/1/log.zip\"},{\"delivery\":2,\"log_size\":5,");
    assert_said(said.data, "\"],\"log_zip\":\"/api/v1/deliveries/2/log.zip\"}]}");
    deliver(3, &three);
    publish();
    assert_said(refreshed(), three.data);
    buf_release(&three);
}

/* The tiles are taken away: who has to read them now cannot make the list. */
static void what_has_been_listed_is_not_read_or_hashed_again(void **state)
{
    struct deliveries *fresh;
    struct buf one;
    char *before;

    (void)state;
    append(NULL, 600);
    deliver(1, &one);
    publish();
    before = xstrdup(refreshed());
    assert_said(before, one.data);
    assert_int_equal(try_sql("DROP TRIGGER log_tile_no_delete; DELETE FROM log_tile"), SQLITE_OK);
    fresh = open_list();
    deliveries_refresh(fresh);
    assert_string_equal(list_of(fresh), "");
    deliveries_close(fresh);
    for (int i = 0; i < 3; i++)
        assert_string_equal(refreshed(), before);
    hand_over(1, 19, "2017-10-24");
    assert_said(refreshed(), one.data);
    assert_said(said.data, "\"handovers\":[{\"addressee\":19,\"date\":\"2017-10-24\"}]}]}");
    free(before);
    buf_release(&one);
}

/* Requests are answered from memory alone: the database may be gone. */
static void the_list_stays_when_the_database_cannot_be_read(void **state)
{
    struct buf one;
    char *before;

    (void)state;
    append(NULL, 3);
    deliver(1, &one);
    publish();
    before = xstrdup(refreshed());
    assert_int_equal(try_sql("ALTER TABLE handover RENAME TO gone"), SQLITE_OK);
    assert_string_equal(list_of(deliveries), before);
    assert_string_equal(refreshed(), before);
    free(before);
    buf_release(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_delivery_is_listed_once_its_entry_is_published,
                                        open_deliveries, close_deliveries),
        cmocka_unit_test_setup_teardown(a_hand_over_is_listed_and_so_is_its_change, open_deliveries,
                                        close_deliveries),
        cmocka_unit_test_setup_teardown(of_a_delivery_that_only_the_log_knows_is_said_what_it_says,
                                        open_deliveries, close_deliveries),
        cmocka_unit_test_setup_teardown(what_has_been_listed_is_not_read_or_hashed_again,
                                        open_deliveries, close_deliveries),
        cmocka_unit_test_setup_teardown(the_list_stays_when_the_database_cannot_be_read,
                                        open_deliveries, close_deliveries),
    };
    int failed;

    if (sodium_init() < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&said);
    return failed;
}
