/*
 * test_db_desk: the organisers' part of the database: what is stored comes back, and the audit
 * trail recomputes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"

#include <inttypes.h>
#include <sodium.h>

#define AT_S 1508760000

/* ---- organisers and tokens */

static void an_organiser_is_found_by_the_exact_name(void **state)
{
    (void)state;
    assert_int_equal(db_organiser_find(db, "sophal"), DB_NO_ROW);
    begin();
    assert_int_equal(db_organiser_add(db, "sophal", "$argon2id$one", DAY), DB_OK);
    commit();
    assert_int_equal(db_organiser_find(db, "sophal"), DB_OK);
    assert_int_equal(db_organiser_find(db, "Sophal"), DB_NO_ROW);
    assert_int_equal(db_organiser_find(db, "sophal "), DB_NO_ROW);
    assert_int_equal(db_organiser_find(db, ""), DB_NO_ROW);
}

static void a_password_is_replaced_only_for_an_organiser_there_is(void **state)
{
    (void)state;
    begin();
    assert_int_equal(db_organiser_add(db, "sophal", "one", DAY), DB_OK);
    assert_int_equal(db_organiser_passwd(db, "nobody", "two"), DB_NO_ROW);
    assert_int_equal(db_organiser_passwd(db, "sophal", "two"), DB_OK);
    commit();
    assert_int_equal(query("SELECT count(*) FROM organiser"), 1);
    assert_int_equal(query("SELECT count(*) FROM organiser WHERE password = 'two'"), 1);
}

static void a_name_is_taken_once(void **state)
{
    (void)state;
    begin();
    assert_int_equal(db_organiser_add(db, "sophal", "one", DAY), DB_OK);
    commit();
    begin();
    assert_true(db_organiser_add(db, "sophal", "two", DAY) < 0);
    db_rollback(db);
    assert_int_equal(query("SELECT count(*) FROM organiser WHERE password = 'one'"), 1);
}

static void a_token_is_its_organisers_and_no_other_hash_is_one(void **state)
{
    uint8_t one[HASH_LEN] = {1}, two[HASH_LEN] = {2}, near[HASH_LEN] = {1, [31] = 1};
    struct buf name;

    (void)state;
    buf_init(&name, BUF_UNLIMITED);
    begin();
    assert_int_equal(db_organiser_add(db, "sophal", "x", DAY), DB_OK);
    assert_int_equal(db_organiser_add(db, "maly", "x", DAY), DB_OK);
    assert_int_equal(db_token_add(db, one, "sophal", DAY), DB_OK);
    assert_int_equal(db_token_add(db, two, "maly", DAY), DB_OK);
    commit();
    assert_int_equal(db_token_find(db, one, &name), DB_OK);
    assert_string_equal(name.data, "sophal");
    buf_clear(&name);
    assert_int_equal(db_token_find(db, two, &name), DB_OK);
    assert_string_equal(name.data, "maly");
    buf_clear(&name);
    assert_int_equal(db_token_find(db, near, &name), DB_NO_ROW);
    assert_int_equal(name.len, 0);
    buf_release(&name);
}

static void a_token_of_nobody_is_refused(void **state)
{
    const uint8_t hash[HASH_LEN] = {1};

    (void)state;
    begin();
    assert_true(db_token_add(db, hash, "nobody", DAY) < 0);
    db_rollback(db);
}

/* ---- the audit trail */

static void add_acts(void)
{
    static const struct audit_act acts[] = {
        {AT_S, "sophal", "token", ""},
        {AT_S + 1, "sophal \"the\" \\ first", "deliver", "1"},
        {AT_S + 1, "សុផល", "export", "line\nbreak"},
        {0, "", "", ""},
    };

    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        assert_int_equal(db_audit(db, &acts[i]), DB_OK);
}

static void add_json(struct buf *line, sqlite3_stmt *row, int column)
{
    buf_json(line, (const char *)sqlite3_column_text(row, column));
}

/* The hash of a row by schema.sql's words. */
static void hash_row(uint8_t hash[HASH_LEN], sqlite3_stmt *row)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "petition-audit/v1\n");
    buf_add(&text, hash, HASH_LEN);
    buf_printf(&text, "{\"id\":%" PRId64 ",\"at\":%" PRId64 ",\"who\":",
               (int64_t)sqlite3_column_int64(row, 0), (int64_t)sqlite3_column_int64(row, 1));
    add_json(&text, row, 2);
    buf_adds(&text, ",\"act\":");
    add_json(&text, row, 3);
    buf_adds(&text, ",\"detail\":");
    add_json(&text, row, 4);
    buf_addc(&text, '}');
    crypto_hash_sha256(hash, (const uint8_t *)text.data, text.len);
    buf_release(&text);
}

/* The number of rows whose hash is right, from the first on. */
static int64_t verified_rows(void)
{
    uint8_t hash[HASH_LEN] = {0};
    sqlite3_stmt *row = NULL;
    int64_t good = 0;

    open_raw();
    assert_int_equal(sqlite3_prepare_v2(raw,
                                        "SELECT id, at_s, who, act, detail, hash FROM audit"
                                        " ORDER BY id",
                                        -1, &row, NULL),
                     SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        hash_row(hash, row);
        if (sqlite3_column_int64(row, 0) != good + 1 ||
            memcmp(hash, sqlite3_column_blob(row, 5), HASH_LEN) != 0)
            break;
        good++;
    }
    sqlite3_finalize(row);
    return good;
}

static void the_audit_chain_recomputes_across_rollbacks_and_restarts(void **state)
{
    (void)state;
    begin();
    add_acts();
    commit();
    begin();
    add_acts();
    db_rollback(db);
    reopen();
    begin();
    add_acts();
    commit();
    assert_int_equal(query("SELECT count(*) FROM audit"), 8);
    assert_int_equal(verified_rows(), 8);
}

static void a_changed_row_breaks_the_audit_chain_there(void **state)
{
    (void)state;
    begin();
    add_acts();
    commit();
    assert_int_equal(try_sql("DROP TRIGGER audit_no_update;"
                             "UPDATE audit SET detail = '2' WHERE id = 2"),
                     SQLITE_OK);
    assert_int_equal(verified_rows(), 1);
}

/* ---- deliveries */

static int64_t add_delivery(int64_t now_s)
{
    int64_t id = 0;

    begin();
    assert_int_equal(db_delivery_add(db, "sophal", now_s, &id), DB_OK);
    commit();
    return id;
}

static void assert_delivery(int64_t id, const struct delivery_row *expected)
{
    struct delivery_row d;

    delivery_row_init(&d);
    buf_adds(&d.figures, "from before");
    buf_adds(&d.why, "from before");
    assert_int_equal(db_delivery_get(db, id, &d), DB_OK);
    assert_int_equal(d.id, id);
    assert_int_equal(d.state, expected->state);
    assert_int_equal(d.requested_s, expected->requested_s);
    assert_int_equal(d.frozen_s, expected->frozen_s);
    assert_int_equal(d.size, expected->size);
    assert_string_equal(d.figures.data, expected->figures.data);
    assert_string_equal(d.why.data, expected->why.data);
    delivery_row_release(&d);
}

static void set_state(int64_t id, enum delivery_state to, const char *why)
{
    begin();
    assert_int_equal(db_delivery_set_state(db, id, to, why), DB_OK);
    commit();
}

static void a_delivery_comes_back_as_it_was_set(void **state)
{
    struct delivery_row d;
    int64_t id = add_delivery(AT_S);

    (void)state;
    delivery_row_init(&d);
    d.id = id;
    d.requested_s = AT_S;
    assert_int_equal(id, 1);
    assert_delivery(id, &d);
    d.state = DELIVERY_RUNNING;
    set_state(id, d.state, NULL);
    assert_delivery(id, &d);
    d.frozen_s = AT_S + 5;
    d.size = 1234;
    buf_adds(&d.figures, "{\"count\":7}");
    begin();
    assert_int_equal(db_delivery_set_frozen(db, &d), DB_OK);
    commit();
    reopen();
    assert_delivery(id, &d);
    d.state = DELIVERY_FAILED;
    buf_adds(&d.why, "no space left");
    set_state(id, d.state, d.why.data);
    assert_delivery(id, &d);
    delivery_row_release(&d);
}

static void a_frozen_delivery_is_never_frozen_again(void **state)
{
    struct delivery_row first, second;
    int64_t id = add_delivery(AT_S);

    (void)state;
    delivery_row_init(&first);
    first.id = id;
    first.requested_s = AT_S;
    first.frozen_s = AT_S + 5;
    first.size = 10;
    buf_adds(&first.figures, "{}");
    second = first;
    second.size = 11;
    begin();
    assert_int_equal(db_delivery_set_frozen(db, &first), DB_OK);
    assert_int_equal(db_delivery_set_frozen(db, &second), DB_OK);
    commit();
    assert_delivery(id, &first);
    delivery_row_release(&first);
}

static void the_next_delivery_is_the_oldest_that_is_not_finished(void **state)
{
    int64_t id = 0;

    (void)state;
    assert_int_equal(db_delivery_next(db, &id), DB_NO_ROW);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(add_delivery(AT_S), i);
    set_state(1, DELIVERY_DONE, NULL);
    set_state(2, DELIVERY_FAILED, "x");
    set_state(3, DELIVERY_RUNNING, NULL);
    assert_int_equal(db_delivery_next(db, &id), DB_OK);
    assert_int_equal(id, 3);
    set_state(3, DELIVERY_DONE, NULL);
    assert_int_equal(db_delivery_next(db, &id), DB_OK);
    assert_int_equal(id, 4);
    set_state(4, DELIVERY_DONE, NULL);
    assert_int_equal(db_delivery_next(db, &id), DB_NO_ROW);
}

static void an_unknown_delivery_is_no_row(void **state)
{
    struct delivery_row d;

    (void)state;
    delivery_row_init(&d);
    assert_int_equal(db_delivery_get(db, 1, &d), DB_NO_ROW);
    delivery_row_release(&d);
}

static void bundles_come_back_in_the_order_of_the_addressees(void **state)
{
    struct bundle_row b = {.sha256 = {9}, .bytes = 1000}, rows[19];
    size_t count = 19;

    (void)state;
    add_delivery(AT_S);
    add_delivery(AT_S);
    begin();
    for (b.addressee = 19; b.addressee >= 1; b.addressee--) {
        b.sha256[1] = (uint8_t)b.addressee;
        assert_int_equal(db_bundle_set(db, 1, &b), DB_OK);
    }
    b.addressee = 8;
    b.bytes = 2000; /* built again */
    assert_int_equal(db_bundle_set(db, 1, &b), DB_OK);
    commit();
    assert_int_equal(db_bundles(db, 1, rows, &count), DB_OK);
    assert_int_equal(count, 19);
    for (int i = 0; i < 19; i++) {
        assert_int_equal(rows[i].addressee, i + 1);
        assert_int_equal(rows[i].bytes, i == 7 ? 2000 : 1000);
        assert_int_equal(rows[i].sha256[0], 9);
        assert_int_equal(rows[i].sha256[1], i == 7 ? 1 : i + 1);
    }
    count = 3;
    assert_int_equal(db_bundles(db, 1, rows, &count), DB_OK);
    assert_int_equal(count, 3);
    count = 19;
    assert_int_equal(db_bundles(db, 2, rows, &count), DB_OK);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(an_organiser_is_found_by_the_exact_name),
        CLAIM(a_password_is_replaced_only_for_an_organiser_there_is),
        CLAIM(a_name_is_taken_once),
        CLAIM(a_token_is_its_organisers_and_no_other_hash_is_one),
        CLAIM(a_token_of_nobody_is_refused),
        CLAIM(the_audit_chain_recomputes_across_rollbacks_and_restarts),
        CLAIM(a_changed_row_breaks_the_audit_chain_there),
        CLAIM(a_delivery_comes_back_as_it_was_set),
        CLAIM(a_frozen_delivery_is_never_frozen_again),
        CLAIM(the_next_delivery_is_the_oldest_that_is_not_finished),
        CLAIM(an_unknown_delivery_is_no_row),
        CLAIM(bundles_come_back_in_the_order_of_the_addressees),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
