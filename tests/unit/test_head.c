/*
 * test_head: a size is signed once, log.head and the database say the same, and a database that
 * does not extend what was published is refused, whichever of the two is lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "database_fixture.h"
#include "head.h"

#include <sodium.h>
#include <stdlib.h>

static char head_path[64];

static struct note_key *the_key(void)
{
    char key_path[64];
    const char *why = NULL;
    struct note_key *key;

    snprintf(key_path, sizeof key_path, "%s/log.key", folder);
    if (access(key_path, F_OK) != 0)
        assert_int_equal(note_key_create(key_path, "petition.example"), 0);
    snprintf(head_path, sizeof head_path, "%s/log.head", folder);
    key = note_key_open(key_path, &why);
    assert_non_null(key);
    return key;
}

static void append_to(int64_t size)
{
    begin();
    while (db_log_size(db) < size)
        assert_true(append_entry(db, (uint64_t)db_log_size(db)) > 0);
    commit();
}

static struct head *open_head(void)
{
    struct buf err;
    struct head *h;

    buf_init(&err, BUF_UNLIMITED);
    h = head_open(folder, the_key(), db, &err);
    if (!h)
        fail_msg("%s", err.data);
    buf_release(&err);
    return h;
}

static void assert_refused(const char *words)
{
    struct note_key *key = the_key();
    int64_t size;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    assert_null(head_open(folder, key, db, &err));
    assert_one_line(&err);
    if (!strstr(err.data, words))
        fail_msg("\"%s\" does not say \"%s\"", err.data, words);
    if (access(head_path, F_OK) == 0) {
        buf_clear(&err);
        assert_int_equal(head_check(folder, key, db, &size, &err), -1);
        assert_one_line(&err);
    }
    buf_release(&err);
    note_key_close(key);
}

/* Publishes what there is; the database is then open again. */
static void publish(void)
{
    struct tlog_edge *edge = xcalloc(1, sizeof *edge);
    struct head *h = open_head();
    struct writer *w;

    tlog_edge_copy(edge, db_log_right_edge(db));
    w = writer_open(db, 10, NULL);
    assert_int_equal(head_publish(h, w, edge), 0);
    assert_int_equal(head_size(h), edge->size);
    writer_close(w);
    db = open_database(path, DB_WRITER);
    head_close(h);
    free(edge);
}

static void what_is_published_is_signed_and_kept_twice(void **state)
{
    struct checkpoint c;
    struct head *h;
    struct buf file, row, note;
    int64_t size = 0;

    (void)state;
    append_to(300);
    publish();
    h = open_head();
    read_whole(&file, head_path);
    buf_init(&row, 4096);
    buf_init(&note, 4096);
    assert_int_equal(db_checkpoint_last(db, &size, &row), DB_OK);
    head_note(h, &note);
    assert_int_equal(size, 300);
    assert_string_equal(file.data, row.data);
    assert_string_equal(file.data, note.data);
    assert_null(checkpoint_open(&c, head_verifier(h), file.data, file.len));
    assert_int_equal(c.tree.size, 300);
    head_close(h);
    buf_release(&file);
    buf_release(&row);
    buf_release(&note);
}

static void a_size_is_signed_once(void **state)
{
    (void)state;
    append_to(10);
    publish();
    publish();
    assert_int_equal(query("SELECT count(*) FROM log_checkpoint"), 1);
    append_to(11);
    publish();
    assert_int_equal(query("SELECT count(*) FROM log_checkpoint"), 2);
}

static void the_published_tiles_are_those_of_the_published_size(void **state)
{
    uint8_t hashes[TILE_BYTES];
    struct head *h;
    bool edge;

    (void)state;
    append_to(300);
    publish();
    append_to(600);
    h = open_head();
    assert_int_equal(head_tile(h, 0, 0, hashes, &edge), 256);
    assert_false(edge);
    assert_int_equal(head_tile(h, 0, 1, hashes, &edge), 44);
    assert_true(edge);
    assert_int_equal(head_tile(h, 0, 2, hashes, &edge), 0);
    assert_int_equal(head_tile(h, 1, 0, hashes, &edge), 1);
    assert_int_equal(head_tile(h, TILE_ENTRIES, 1, NULL, &edge), 44);
    assert_false(edge);
    head_close(h);
}

static void an_older_database_is_refused(void **state)
{
    struct buf head;

    (void)state;
    append_to(20);
    publish();
    read_whole(&head, head_path);
    close_raw();
    db_close(db);
    assert_int_equal(unlink(path), 0);
    db = new_database(path);
    append_to(15);
    assert_refused("20 entries of the log have been published, and the database has only 15");
    append_to(20); /* the same entries again: it is that log */
    head_close(open_head());
    buf_release(&head);
}

static void another_log_of_that_size_is_refused(void **state)
{
    (void)state;
    append_to(400);
    publish();
    close_raw();
    db_close(db);
    assert_int_equal(unlink(path), 0);
    db = new_database(path);
    begin();
    assert_true(append_entry(db, 999999) > 0);
    commit();
    append_to(500);
    assert_refused("is not the log that was published: its first 400 entries");
}

static void a_lost_log_head_is_made_anew_from_the_database(void **state)
{
    struct buf was, is;

    (void)state;
    append_to(20);
    publish();
    read_whole(&was, head_path);
    assert_int_equal(unlink(head_path), 0);
    head_close(open_head());
    read_whole(&is, head_path);
    assert_string_equal(was.data, is.data);
    buf_release(&was);
    buf_release(&is);
}

/* As after a crash between the two. */
static void a_lost_row_is_made_anew_from_log_head(void **state)
{
    (void)state;
    append_to(20);
    publish();
    assert_int_equal(try_sql("DROP TRIGGER log_checkpoint_no_delete; DELETE FROM log_checkpoint"),
                     SQLITE_OK);
    reopen();
    head_close(open_head());
    assert_int_equal(query("SELECT size FROM log_checkpoint"), 20);
}

static void a_forged_log_head_is_refused(void **state)
{
    struct buf note;

    (void)state;
    append_to(20);
    publish();
    read_whole(&note, head_path);
    note.data[strlen("petition.example\n")] = '1'; /* 20 becomes 10 */
    assert_int_equal(files_replace(head_path, note.data, note.len), 0);
    assert_refused("forged");
    assert_int_equal(files_replace(head_path, "", 0), 0);
    assert_refused("is not a signed note");
    buf_release(&note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(what_is_published_is_signed_and_kept_twice),
        CLAIM(a_size_is_signed_once),
        CLAIM(the_published_tiles_are_those_of_the_published_size),
        CLAIM(an_older_database_is_refused),
        CLAIM(another_log_of_that_size_is_refused),
        CLAIM(a_lost_log_head_is_made_anew_from_the_database),
        CLAIM(a_lost_row_is_made_anew_from_log_head),
        CLAIM(a_forged_log_head_is_refused),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
