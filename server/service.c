/*
 * service: opening and closing a data directory (see service.h). Runs in main, before the threads
 * that serve and after them.
 */
#include "service.h"

#include "files.h"
#include "log.h"
#include "pepper.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int complain(struct buf *err, const char *path, const char *why)
{
    buf_printf(err, "%s %s", path, why);
    return -1;
}

/* ---- keys */

static void warn_left(void *ctx, const char *path, const char *why)
{
    (void)ctx;
    log_warn("the petition is closed, and its pepper must go, but it cannot be erased: %s (%s)",
             path, why);
}

/* While the petition is open the pepper must be there. */
static int open_identity(struct service *s, bool closed, struct buf *err)
{
    const struct content *content = s->content;
    uint8_t pepper[PEPPER_LEN];
    const char *why;

    if (!closed && pepper_read(s->config, pepper, &why) != 0) {
        char *path = pepper_path(s->config);

        complain(err, path, why);
        free(path);
    } else {
        s->identity = identity_new(closed ? NULL : pepper, content->plans, content->plan_count,
                                   content->mail_rules.data, err);
    }
    sodium_memzero(pepper, sizeof pepper);
    return s->identity ? 0 : -1;
}

static int open_minisign(struct service *s, struct buf *err)
{
    char *path = files_join(s->config->data_dir, "minisign.key");
    const char *why;

    s->minisign = minisign_open(path, &why);
    if (s->minisign)
        minisign_public(s->minisign, s->minisign_key);
    else
        complain(err, path, why);
    free(path);
    return s->minisign ? 0 : -1;
}

/* The log key must be the one of this log, and the log the one that was published. */
static int open_head(struct service *s, struct db *db, struct buf *err)
{
    char *path = files_join(s->config->data_dir, "log.key");
    const char *why = NULL;
    struct note_key *key = note_key_open(path, &why);

    if (key && strcmp(note_key_verifier(key)->name, s->opening.origin) != 0)
        why = "is not the key of this log: its name is not the origin in entry 0";
    else if (key)
        s->head = head_open(s->config->data_dir, key, db, err);
    if (!key || (!s->head && err->len == 0))
        complain(err, path, why);
    if (key && !s->head)
        note_key_close(key);
    free(path);
    return s->head ? 0 : -1;
}

/* ---- the log's first entry and its texts */

static int read_opening(struct service *s, struct db *db, struct buf *err,
                        uint8_t genesis[HASH_LEN])
{
    struct buf body;
    int result = -1;

    buf_init(&body, BUF_UNLIMITED);
    if (db_log_entry(db, 0, &body) == DB_OK &&
        entry_parse_open(&s->opening, body.data, body.len) == 0)
        result = 0;
    else
        complain(err, s->database, "has no entry 0");
    merkle_leaf(genesis, body.data, body.len);
    buf_release(&body);
    return result;
}

/* The hashes that the last open or text entry names. */
static int read_texts(struct service *s, struct db *db, struct opening_entry *last)
{
    struct buf body;
    int result;

    *last = s->opening;
    if (db_text_index(db) == 0)
        return 0;
    buf_init(&body, BUF_UNLIMITED);
    result = db_log_entry(db, db_text_index(db), &body);
    if (result == DB_OK)
        result = entry_parse_text(last, body.data, body.len);
    buf_release(&body);
    return result;
}

/* Appends a `text` entry if the texts or the addressees are not those of the last one. */
static int bring_texts_up_to_date(struct service *s, struct db *db, struct buf *err)
{
    uint8_t texts[LANG__COUNT][HASH_LEN];
    const uint8_t *addressees = s->content->addressees_file.hash;
    struct opening_entry last;
    struct buf entry;
    int64_t index;
    int result = read_texts(s, db, &last);

    for (int lang = 0; lang < LANG__COUNT; lang++)
        memcpy(texts[lang], s->content->text[lang].hash, HASH_LEN);
    if (result == 0 && memcmp(texts, last.text_hashes, sizeof texts) == 0 &&
        memcmp(addressees, last.addressees, HASH_LEN) == 0)
        return 0;
    if (result == 0 && db_close_index(db) > 0) {
        log_warn("the texts have changed, and the log of a closed petition takes no new ones");
        return 0;
    }
    buf_init(&entry, BUF_UNLIMITED);
    entry_text(&entry, texts, addressees);
    if (result == 0)
        result = db_begin(db);
    if (result == 0)
        result = db_log_append(db, &entry, &index);
    if (result == 0) {
        db_set_text(db, index);
        result = db_commit(db);
    }
    buf_release(&entry);
    if (result != 0)
        return complain(err, s->database, "cannot be written: the texts have changed");
    log_info("the texts have changed: the log has a new text entry");
    return 0;
}

/* ---- opening and closing */

static void fill_view(struct service *s)
{
    const struct config *config = s->config;

    s->view = (struct view){
        .content = s->content,
        .base_url = config->base_url,
        .organiser_name = config->organiser_name,
        .organiser_contact = config->organiser_contact,
        .minisign_key = s->minisign_key,
        .open = config->petition_open,
        .count_step = (uint32_t)config->count_step,
        .publish_every_s = config->publish_every_s,
    };
    s->delivery_config = (struct delivery_config){
        .head = s->head,
        .database = s->database,
        .dir = s->deliveries,
        .count_step = (uint32_t)config->count_step,
        .bundle = {.content = s->content,
                   .minisign = s->minisign,
                   .organiser_name = config->organiser_name,
                   .organiser_contact = config->organiser_contact,
                   .origin = s->opening.origin,
                   .base_url = config->base_url},
    };
}

/* What only serving needs: the pepper, the key of this boot, texts that are in the log. */
static int open_for_serving(struct service *s, struct db *db, struct buf *err)
{
    if (open_identity(s, db_close_index(db) > 0, err) != 0 ||
        bring_texts_up_to_date(s, db, err) != 0)
        return -1;
    s->ephemeral = ephemeral_new();
    s->runkey = runkey_open(s->config->data_dir, err);
    return s->runkey ? 0 : -1;
}

static void start_signing(struct service *s, const struct db *db, const uint8_t genesis[HASH_LEN])
{
    struct submit_config submit = {.identity = s->identity, .text_index = db_text_index(db)};
    struct signing_config config = {.view = &s->view,
                                    .identity = s->identity,
                                    .thanks = &s->thanks,
                                    .accept_unconfirmed = s->config->accept_unconfirmed,
                                    .hours = &s->hours};

    hours_init(&s->hours, time(NULL));
    memcpy(submit.genesis, genesis, HASH_LEN);
    s->thanks = (struct thanks){.view = &s->view, .keys = {s->runkey, s->ephemeral}};
    memcpy(s->thanks.genesis, genesis, HASH_LEN);
    memcpy(submit.seal_key, s->opening.seal_key, SEAL_KEY_LEN);
    config.submitter = s->submitter = submitter_new(&submit);
    if (db_close_index(db) > 0)
        submitter_close(s->submitter);
    s->signing = signing_new(&config);
}

/* The writer takes the database over. */
static void start_writer(struct service *s, struct db *db)
{
    struct writer_hooks hooks = {0};

    if (s->signing)
        hooks = signing_hooks(s->signing);
    s->writer = writer_open(db, s->config->queue_limit, &hooks);
    if (s->signing)
        s->batches =
            batches_new(&(struct batches_config){s->writer, s->content, s->identity, s->submitter});
}

static int lock(struct service *s, struct buf *err)
{
    const char *dir = s->config->data_dir;

    if (access(s->database, F_OK) != 0) {
        buf_printf(err, "%s: %s (petition init makes a new one)", s->database, strerror(errno));
        return -1;
    }
    s->lock_fd = files_lock_dir(dir);
    if (s->lock_fd >= 0)
        return 0;
    if (errno == EWOULDBLOCK) {
        complain(err, dir, "is in use by another process");
        return SERVICE_LOCKED;
    }
    return complain(err, dir, strerror(errno));
}

int service_open(struct service *s, const struct config *config, enum service_use use,
                 struct buf *err)
{
    uint8_t genesis[HASH_LEN];
    struct db *db = NULL;
    int result;

    *s = (struct service){.config = config, .lock_fd = -1};
    s->database = files_join(config->data_dir, "petition.db");
    s->deliveries = files_join(config->data_dir, "deliveries");
    result = lock(s, err);
    if (result != 0)
        goto fail;
    result = -1;
    s->content = content_open(config->public_dir, err);
    if (!s->content || open_minisign(s, err) != 0)
        goto fail;
    db = db_open(s->database, DB_WRITER, err);
    if (!db || read_opening(s, db, err, genesis) != 0 || open_head(s, db, err) != 0 ||
        (use == SERVICE_SERVE && open_for_serving(s, db, err) != 0))
        goto fail;
    if (db_close_index(db) > 0) /* a process before may have died in the middle */
        pepper_destroy(config, warn_left, NULL);
    fill_view(s);
    if (use == SERVICE_SERVE)
        start_signing(s, db, genesis);
    start_writer(s, db);
    return 0;
fail:
    db_close(db);
    service_close(s);
    return result;
}

void service_start_deliveries(struct service *s, struct publisher *publisher)
{
    s->delivery_config.writer = s->writer;
    s->delivery_config.publisher = publisher;
    s->delivery = delivery_open(&s->delivery_config);
}

void service_stop_deliveries(struct service *s)
{
    if (s->delivery)
        delivery_close(s->delivery);
    s->delivery = NULL;
}

void service_close(struct service *s)
{
    service_stop_deliveries(s);
    if (s->writer)
        writer_close(s->writer);
    if (s->batches)
        batches_free(s->batches);
    if (s->signing)
        signing_free(s->signing);
    if (s->submitter)
        submitter_free(s->submitter);
    if (s->identity)
        identity_free(s->identity);
    runkey_close(s->runkey);
    ephemeral_free(s->ephemeral);
    if (s->minisign)
        minisign_close(s->minisign);
    head_close(s->head);
    if (s->content)
        content_close(s->content);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->database);
    free(s->deliveries);
    *s = (struct service){.lock_fd = -1};
}
