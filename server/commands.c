/*
 * commands: the commands that need the database (see commands.h).
 *
 * They run on a thread that may wait. Answers go to the sink as 'O', hints and errors as 'E'.
 */
#include "commands.h"

#include "backup_make.h"
#include "check.h"
#include "closing.h"
#include "export.h"
#include "files.h"
#include "organiser.h"
#include "removal.h"
#include "withdraw.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define POLL_US     (100 * 1000)
#define PATIENCE_US (3000 * 1000) /* for whoever has the directory */

struct call {
    struct commands *commands;
    const struct control_request *request;
    const struct control_sink *sink;
};

static int complain(const struct call *c, const struct buf *err)
{
    control_printf(c->sink, 'E', "petition: %s\n", err->data);
    return 1;
}

/* ---- organisers */

static int run_organiser(const struct call *c)
{
    const char *const *args = c->request->args;
    struct writer *writer = c->commands->service->writer;
    struct buf err;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    if (strcmp(args[1], "add") == 0)
        result = organiser_add(writer, args[2], c->request->input, &err);
    else
        result = organiser_passwd(writer, args[2], c->request->input, &err);
    if (result != 0)
        result = complain(c, &err);
    else
        control_printf(c->sink, 'E', "organiser %s: password set\n", args[2]);
    /* Whoever can run commands here never has to wait for a log-in. */
    if (result == 0 && c->commands->gate)
        gate_forget(c->commands->gate, args[2], NULL);
    buf_release(&err);
    return result;
}

static int run_token(const struct call *c)
{
    char token[SESSION_TOKEN_TEXT];
    struct buf err;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    result = organiser_token(c->commands->service->writer, c->request->args[1], token, &err);
    if (result != 0)
        result = complain(c, &err);
    else if (control_printf(c->sink, 'O', "%s\n", token) != 0)
        result = 1;
    sodium_memzero(token, sizeof token);
    buf_release(&err);
    return result;
}

/* ---- deliveries */

/* Waits for the delivery, telling every tenth. */
static int wait_for_delivery(const struct call *c, int64_t id, struct buf *err)
{
    struct service *service = c->commands->service;
    enum delivery_state state = DELIVERY_QUEUED;
    int told = -1;

    while (state != DELIVERY_DONE) {
        int tenth = (int)(10 * delivery_progress(service->delivery, id));

        if (tenth > told &&
            control_printf(c->sink, 'E', "delivery %" PRId64 ": %d %%\n", id, 10 * tenth) != 0)
            return -1;
        told = tenth > told ? tenth : told;
        usleep(POLL_US);
        buf_clear(err);
        if (organiser_delivery_state(service->writer, id, &state, err) != 0)
            return -1;
        if (state == DELIVERY_FAILED)
            return -1;
        if (atomic_load(&c->commands->stopping)) {
            buf_adds(err, "the server is stopping; it goes on with the delivery at its next start");
            return -1;
        }
    }
    return 0;
}

/* The files of the delivery, one path a line, relative to the data directory. */
static int list_bundles(const struct call *c, int64_t id)
{
    const struct content *content = c->commands->service->content;
    struct buf name;
    int result = 0;

    buf_init(&name, BUF_UNLIMITED);
    for (int i = 0; i < ADDRESSEE_COUNT && result == 0; i++) {
        buf_clear(&name);
        bundle_file_name(&name, content, i);
        result = control_printf(c->sink, 'O', "deliveries/%" PRId64 "/%s\n", id, name.data);
    }
    buf_release(&name);
    return result == 0 ? 0 : 1;
}

static int run_deliver(const struct call *c)
{
    struct service *service = c->commands->service;
    struct buf err;
    int64_t id;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    result = organiser_start_delivery(service->writer, &id, &err);
    if (result == 0) {
        delivery_wake(service->delivery);
        result = wait_for_delivery(c, id, &err);
    }
    if (result != 0)
        result = complain(c, &err);
    else
        result = list_bundles(c, id);
    buf_release(&err);
    return result;
}

/* ---- export and withdrawal */

static int run_export(const struct call *c)
{
    struct service *service = c->commands->service;
    struct export *e = NULL;
    struct buf lines, err;
    int result = 1;

    buf_init(&lines, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    if (organiser_audit(service->writer, "export.sealed", "", &err) != 0)
        goto out;
    e = export_open(service->database, &err);
    if (!e)
        goto out;
    while ((result = export_next(e, &lines)) == 1) {
        if (c->sink->write(c->sink->ctx, 'O', lines.data, lines.len) != 0 ||
            atomic_load(&c->commands->stopping)) {
            buf_adds(&err, "the export was interrupted");
            break;
        }
        buf_clear(&lines);
    }
    if (result < 0)
        buf_adds(&err, "the database cannot be read");
out:
    if (result != 0)
        result = complain(c, &err);
    if (e)
        export_close(e);
    buf_release(&lines);
    buf_release(&err);
    return result;
}

static int run_withdraw(const struct call *c)
{
    static const char *const texts[WITHDRAW_STATE__COUNT] = {
        [WITHDRAW_MISTYPED] = "the code is mistyped: a character is wrong, missing or too many",
        [WITHDRAW_UNKNOWN] = "there is no signature with this code",
        [WITHDRAW_BUSY] = "the database could not be written; nothing is known to have changed",
    };
    enum withdraw_state state;
    int64_t index;

    state = withdraw_code(c->commands->service->writer, c->request->args[1], &index);
    if (state == WITHDRAW_DONE) {
        control_printf(c->sink, 'O', "withdrawn %" PRId64 "\n", index);
        return 0;
    }
    control_printf(c->sink, 'E', "petition: %s\n", texts[state]);
    return 1;
}

/* ---- backups and checks */

static int run_backup(const struct call *c)
{
    struct commands *commands = c->commands;
    bool nobody = false;
    struct buf err;
    int result;

    if (!atomic_compare_exchange_strong(&commands->backing_up, &nobody, true)) {
        control_printf(c->sink, 'E', "petition: another backup is being made\n");
        return 1;
    }
    buf_init(&err, BUF_UNLIMITED);
    result = backup_make(commands->service, &commands->stopping, c->sink, &err);
    if (result != 0)
        result = complain(c, &err);
    atomic_store(&commands->backing_up, false);
    buf_release(&err);
    return result;
}

/* `backup done`: the command has it on its disk. */
static int run_backup_done(const struct call *c)
{
    struct buf err;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    result = organiser_audit(c->commands->service->writer, "backup", "", &err);
    if (result != 0)
        result = complain(c, &err);
    buf_release(&err);
    return result;
}

static int run_void(const struct call *c)
{
    const char *const *args = c->request->args;
    struct buf err;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    result = removal_run(c->commands->service->writer, args[1], args[2], &err);
    if (result != 0)
        result = complain(c, &err);
    else
        control_printf(c->sink, 'O', "removed %s\n", args[1]);
    buf_release(&err);
    return result;
}

/* ---- closing */

static struct closing closing_of(const struct call *c)
{
    return (struct closing){.service = c->commands->service,
                            .publisher = c->commands->publisher,
                            .notify = c->commands->notify,
                            .stopping = &c->commands->stopping,
                            .sink = c->sink};
}

static int run_close(const struct call *c)
{
    struct closing closing = closing_of(c);
    bool usage = false;
    struct buf err;
    int result;

    if (c->request->count == 1)
        closing.typed = c->request->input;
    buf_init(&err, BUF_UNLIMITED);
    if (c->request->count == 2 && strcmp(c->request->args[1], "ask") == 0)
        result = closing_explain(&closing, &err);
    else
        result = closing_run(&closing, &err, &usage);
    if (result != 0)
        result = complain(c, &err) + usage;
    buf_release(&err);
    return result;
}

static int run_check(const struct call *c)
{
    return check_run(c->commands->service->config, true, c->sink);
}

/* ---- paper */

#define WRONG_ROWS_TOLD 100

struct import {
    const struct call *call;
    size_t told;  /* lines about wrong rows */
    size_t tenth; /* of the progress, told */
    size_t rows;
};

/* A line for each thing that is wrong with a row. It names the field and the reason, never what
 * somebody wrote. */
static void tell_row(void *ctx, const struct paper_row *row)
{
    struct import *import = ctx;
    const struct control_sink *sink = import->call->sink;

    import->rows++;
    if (row->valid || import->told++ >= WRONG_ROWS_TOLD)
        return;
    if (row->wrong_cells)
        control_printf(sink, 'E', "line %zu: more or fewer cells than columns\n", row->line);
    for (int field = 0; field < FIELD__COUNT; field++)
        if (row->form.errors[field] != FIELD_OK)
            control_printf(sink, 'E', "line %zu: %s: %s\n", row->line, sign_field_names[field],
                           field_reason_names[row->form.errors[field]]);
}

/* Whoever asked may have gone: then the import goes on, as a half one helps nobody. */
static void tell_progress(void *ctx, size_t stored)
{
    struct import *import = ctx;
    size_t tenth = 10 * stored / import->rows;

    if (tenth > import->tenth)
        control_printf(import->call->sink, 'E', "%zu of %zu rows\n", stored, import->rows);
    import->tenth = tenth;
}

static void explain_outcome(const struct call *c, const struct batch_result *r)
{
    static const char *const texts[BATCH_OUTCOME__COUNT] = {
        [BATCH_CLOSED] = "the petition is closed; nothing was imported",
        [BATCH_BUSY] = "another batch is being imported or removed; nothing was imported",
        [BATCH_FAILED] = "the database could not be written; nothing was imported",
    };

    if (r->outcome == BATCH_FAULT)
        control_printf(c->sink, 'E', "petition: line %zu: %s; nothing was imported\n", r->line,
                       paper_fault_texts[r->fault]);
    else if (r->outcome == BATCH_WRONG_ROWS)
        control_printf(c->sink, 'E', "petition: %zu of %zu rows are wrong; nothing was imported\n",
                       r->totals.wrong, r->totals.rows);
    else if (r->outcome == BATCH_INTERRUPTED)
        control_printf(c->sink, 'E',
                       "petition: interrupted: batch %" PRId64 " holds %zu of %zu rows; remove it "
                       "at the desk before you import the file again\n",
                       r->id, r->stored, r->totals.rows);
    else
        control_printf(c->sink, 'E', "petition: %s\n", texts[r->outcome]);
}

static int run_import(const struct call *c)
{
    struct import import = {.call = c};
    struct batch_file file = {.data = c->request->file ? c->request->file : "",
                              .len = c->request->file_len,
                              .lang = LANG_EN,
                              .after = -1,
                              .who = OPERATOR_NAME,
                              .row = tell_row,
                              .progress = tell_progress,
                              .ctx = &import};
    struct batch_result result;
    struct buf label;

    buf_init(&label, BUF_UNLIMITED);
    if (input_is_utf8(c->request->args[1], strlen(c->request->args[1])))
        input_clean_line(&label, c->request->args[1]);
    file.label = label.data;
    batch_import(c->commands->service->batches, &file, &result);
    if (result.outcome == BATCH_DONE)
        control_printf(c->sink, 'O',
                       "batch %" PRId64 ": %zu rows, %zu without a contact, %zu repeats in the "
                       "file\n",
                       result.id, result.totals.rows, result.totals.without_contact,
                       result.totals.repeats);
    else
        explain_outcome(c, &result);
    buf_release(&label);
    return result.outcome == BATCH_DONE ? 0 : 1;
}

/* ---- dispatch */

static const struct {
    const char *name;
    size_t args; /* with the name */
    int (*run)(const struct call *c);
} table[] = {
    {"organiser", 3, run_organiser}, {"token", 2, run_token},       {"deliver", 1, run_deliver},
    {"export", 1, run_export},       {"withdraw", 2, run_withdraw}, {"void", 3, run_void},
    {"import", 2, run_import},       {"backup", 1, run_backup},     {"backup", 2, run_backup_done},
    {"check", 1, run_check},         {"close", 1, run_close},       {"close", 2, run_close},
};

int commands_handle(void *ctx, const struct control_request *request,
                    const struct control_sink *sink)
{
    struct call c = {ctx, request, sink};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, request->args[0]) == 0 && table[i].args == request->count)
            return table[i].run(&c);
    control_printf(sink, 'E', "petition: the server does not know this command\n");
    return 1;
}

/* One try: in this process if the directory is free, else by the server that has it. Negative, with
 * a line in err: neither worked. */
static int try_to_run(const struct config *config, const struct control_request *request,
                      const struct control_sink *sink, struct buf *err)
{
    struct service service;
    struct commands commands = {.service = &service};
    bool makes_submissions = strcmp(request->args[0], "import") == 0;
    int status =
        service_open(&service, config, makes_submissions ? SERVICE_SERVE : SERVICE_COMMAND, err);

    if (status == SERVICE_LOCKED) {
        buf_clear(err);
        return control_call(config->data_dir, request, sink, err);
    }
    if (status != 0)
        return CONTROL_BROKEN;
    if (strcmp(request->args[0], "deliver") == 0)
        service_start_deliveries(&service, NULL);
    status = commands_handle(&commands, request, sink);
    service_close(&service);
    return status;
}

/* As try_to_run for `check`, which finds words for a directory that cannot be opened. */
static int try_to_check(const struct config *config, const struct control_request *request,
                        const struct control_sink *sink, struct buf *err)
{
    int lock = files_lock_dir(config->data_dir), status;

    if (lock < 0 && errno == EWOULDBLOCK)
        return control_call(config->data_dir, request, sink, err);
    status = check_run(config, false, sink);
    if (lock >= 0)
        close(lock);
    return status;
}

int commands_run(const struct config *config, const struct control_request *request,
                 const struct control_sink *sink)
{
    bool check = strcmp(request->args[0], "check") == 0;
    struct buf err;
    int status = -1;

    buf_init(&err, BUF_UNLIMITED);
    /* Somebody may have the directory who does not answer yet, or any more: a server that starts or
     * stops, or another command. */
    for (int waited_us = 0; status == -1 && waited_us < PATIENCE_US; waited_us += POLL_US) {
        if (waited_us > 0)
            usleep(POLL_US);
        buf_clear(&err);
        status = check ? try_to_check(config, request, sink, &err)
                       : try_to_run(config, request, sink, &err);
    }
    if (status < 0) {
        control_printf(sink, 'E', "petition: %s\n", err.data);
        status = 1;
    }
    buf_release(&err);
    return status;
}
