/*
 * setup: `petition init` (see setup.h). Runs alone, under the directory's lock.
 */
#include "setup.h"

#include "content.h"
#include "db.h"
#include "files.h"
#include "minisign.h"
#include "note.h"
#include "seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct buf *err, const char *path)
{
    buf_printf(err, "%s: %s", path, strerror(errno));
    return -1;
}

/* 0 if the call succeeded or the key was there before. */
static int kept(int result)
{
    return result == 0 || errno == EEXIST ? 0 : -1;
}

/* A key that is there already must carry this origin. */
static int make_log_key(const char *path, const char *origin, struct buf *err)
{
    char name[NOTE_NAME_MAX + 1];
    const char *why;

    if (kept(note_key_create(path, origin)) != 0)
        return fail(err, path);
    if (note_key_name(path, name, &why) != 0) {
        buf_printf(err, "%s %s", path, why);
        return -1;
    }
    if (strcmp(name, origin) != 0) {
        buf_printf(err, "%s is the key of another origin, \"%s\": remove it, or use that origin",
                   path, name);
        return -1;
    }
    return 0;
}

static int make_minisign_key(const char *path, struct buf *err)
{
    return kept(minisign_create(path)) == 0 ? 0 : fail(err, path);
}

static int make_pepper(const char *path, struct buf *err)
{
    uint8_t key[PEPPER_LEN];
    int result;

    randombytes_buf(key, sizeof key);
    result = kept(files_create_key(path, PEPPER_KEY_LABEL, key, sizeof key));
    sodium_memzero(key, sizeof key);
    return result == 0 ? 0 : fail(err, path);
}

/* The organisers' pair: the secret half goes to its file, the public one into entry 0. */
static int make_organiser_key(const char *path, uint8_t public_key[SEAL_KEY_LEN], struct buf *err)
{
    uint8_t secret[SEAL_KEY_LEN];
    const char *why;
    int result = -1;

    seal_key_pair(public_key, secret);
    if (kept(files_create_key(path, ORGANISER_KEY_LABEL, secret, sizeof secret)) != 0)
        fail(err, path);
    else if (files_read_key(path, ORGANISER_KEY_LABEL, secret, sizeof secret, &why) != 0)
        buf_printf(err, "%s %s", path, why);
    else
        result = seal_public_key(public_key, secret);
    sodium_memzero(secret, sizeof secret);
    return result;
}

static int make_keys(const char *dir, const char *origin, uint8_t seal_key[SEAL_KEY_LEN],
                     struct buf *err)
{
    char *log = files_join(dir, "log.key"), *minisign = files_join(dir, "minisign.key");
    char *pepper = files_join(dir, "pepper.key"), *organiser = files_join(dir, "organiser.key");
    int result = -1;

    if (make_log_key(log, origin, err) == 0 && make_minisign_key(minisign, err) == 0 &&
        make_pepper(pepper, err) == 0 && make_organiser_key(organiser, seal_key, err) == 0)
        result = 0;
    free(log);
    free(minisign);
    free(pepper);
    free(organiser);
    return result;
}

/* Entry 0, and the first jitter of what is shown. */
static int start_log(struct db *db, const struct buf *entry, uint32_t count_step)
{
    struct shown count = {0, randombytes_uniform(count_step)};
    struct shown confirmed = {0, randombytes_uniform(count_step)};
    int result = db_begin(db);

    if (result == DB_OK)
        result = db_start_log(db, entry);
    db_set_shown(db, &count, &confirmed);
    return result == DB_OK ? db_commit(db) : result;
}

/* Closing the draft must have moved everything into the one file that is renamed. */
static bool has_wal(const char *database)
{
    struct buf wal;
    bool found;

    buf_init(&wal, BUF_UNLIMITED);
    buf_printf(&wal, "%s-wal", database);
    found = access(wal.data, F_OK) == 0;
    buf_release(&wal);
    return found;
}

static int make_database(const char *dir, const struct buf *entry, uint32_t count_step,
                         struct buf *err)
{
    char *path = files_join(dir, "petition.db"), *draft = files_join(dir, "petition.db.new");
    struct db *db;
    int result = -1;

    unlink(draft);
    if (db_create(draft, err) != 0)
        goto out;
    db = db_open(draft, DB_WRITER, err);
    if (!db)
        goto out;
    result = start_log(db, entry, count_step);
    db_close(db);
    if (result != 0 || has_wal(draft)) {
        buf_printf(err, "%s cannot be written", draft);
        result = -1;
    } else if (files_sync(draft) != 0 || rename(draft, path) != 0 || files_sync_dir(dir) != 0)
        result = fail(err, path);
out:
    free(path);
    free(draft);
    return result;
}

static int write_config(const struct setup *setup, struct buf *err)
{
    static const struct config_flag demo[] = {{"publish_min", "1"}, {"count_step", "1"}, {0}};
    static const struct config_flag none[] = {{0}};
    char *path = files_join(setup->config->data_dir, "petition.conf");
    struct buf text;
    int result;

    buf_init(&text, BUF_UNLIMITED);
    config_write_template(&text, setup->demo ? demo : none);
    result = kept(files_create(path, text.data, text.len));
    if (result != 0)
        fail(err, path);
    buf_release(&text);
    free(path);
    return result;
}

/* --origin, or base_url without its scheme, or a name that cannot be mistaken for a real one. */
static const char *choose_origin(const struct setup *setup)
{
    const char *scheme = strstr(setup->config->base_url, "://");

    if (setup->origin)
        return setup->origin;
    return scheme ? scheme + 3 : "petition.invalid/log";
}

static int fill(const struct setup *setup, const char *origin, struct content *content,
                struct buf *err)
{
    const char *dir = setup->config->data_dir;
    uint8_t texts[LANG__COUNT][HASH_LEN], seal_key[SEAL_KEY_LEN];
    struct buf entry;
    int result;

    for (int lang = 0; lang < LANG__COUNT; lang++)
        memcpy(texts[lang], content->text[lang].hash, HASH_LEN);
    if (make_keys(dir, origin, seal_key, err) != 0 || write_config(setup, err) != 0)
        return -1;
    buf_init(&entry, BUF_UNLIMITED);
    entry_open(&entry, origin, texts, content->addressees_file.hash, seal_key);
    result = make_database(dir, &entry, setup->demo ? 1 : (uint32_t)setup->config->count_step, err);
    buf_release(&entry);
    return result;
}

int setup_run(const struct setup *setup, struct buf *err)
{
    const char *dir = setup->config->data_dir, *origin = choose_origin(setup);
    char *database = files_join(dir, "petition.db");
    struct content *content = NULL;
    int lock = -1, result = -1;

    if (!note_is_name(origin))
        buf_printf(err, "\"%.60s\" cannot be an origin: printable ASCII without spaces or +",
                   origin);
    else if (files_make_dir(dir) != 0 || chmod(dir, 0700) != 0)
        fail(err, dir);
    else if ((lock = files_lock_dir(dir)) < 0)
        buf_printf(err, "%s is in use by another process", dir);
    else if (access(database, F_OK) == 0)
        result = 1;
    else if ((content = content_open(setup->config->public_dir, err)) != NULL)
        result = fill(setup, origin, content, err);
    if (content)
        content_close(content);
    if (lock >= 0)
        close(lock);
    free(database);
    return result;
}
