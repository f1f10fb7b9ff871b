/*
 * main: the command line.
 *
 * Options may stand before or after the arguments. Usage and configuration errors: exit 2; run-time
 * failures: exit 1. Answers go to standard output, hints and errors to standard error.
 */
#include "commands.h"
#include "config.h"
#include "export.h"
#include "files.h"
#include "json.h"
#include "log.h"
#include "probe.h"
#include "restore.h"
#include "seal.h"
#include "serve.h"
#include "random.h"
#include "setup.h"
#include "terminal.h"
#include "usage.h"
#include "verify.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX         (2 + VERIFY_THINGS_MAX)
#define OR_MORE           (2 * WORDS_MAX) /* of a command's words: so many at least */
#define WRITE_BEGIN_BYTES 1048576

/* ---- the command line */

enum option {
    OPTION_DATA,
    OPTION_CONFIG,
    OPTION_PUBLIC,
    OPTION_LISTEN,
    OPTION_OUT,
    OPTION_KEY,
    OPTION_ORIGIN,
    OPTION_VKEY,
    OPTION_MINISIGN,
    OPTION_SAVE,
    OPTION_LOG,
    OPTION_DEMO,
    OPTION_YES,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION__COUNT
};

static const struct {
    const char *name;
    const char *config_key; /* a setting that it overrides */
    const char *commands;   /* the only ones that take it, separated by spaces; NULL: all do */
    bool has_value;
} options[OPTION__COUNT] = {
    [OPTION_DATA] = {"--data", "data_dir", NULL, true},
    [OPTION_CONFIG] = {"--config", "config_file", NULL, true},
    [OPTION_PUBLIC] = {"--public", "public_dir", NULL, true},
    [OPTION_LISTEN] = {"--listen", "listen", "serve", true},
    [OPTION_OUT] = {"--out", NULL, "deliver", true},
    [OPTION_KEY] = {"--key", NULL, "open restore", true},
    [OPTION_ORIGIN] = {"--origin", NULL, "init", true},
    [OPTION_VKEY] = {"--vkey", NULL, "verify", true},
    [OPTION_MINISIGN] = {"--minisign", NULL, "verify", true},
    [OPTION_SAVE] = {"--save", NULL, "verify", true},
    [OPTION_LOG] = {"--log", NULL, "restore", true},
    [OPTION_DEMO] = {"--demo", NULL, "init", false},
    [OPTION_YES] = {"--yes", NULL, "close", false},
    [OPTION_HELP] = {"--help", NULL, NULL, false},
    [OPTION_VERSION] = {"--version", NULL, NULL, false},
};

struct command_line {
    size_t count;
    const char *words[WORDS_MAX];      /* the command and its arguments */
    const char *values[OPTION__COUNT]; /* "" for an option without a value that is there */
};

/* Reads one option at argv[*at]; moves *at over a value of its own. */
static void read_option(struct command_line *line, char **argv, int *at)
{
    size_t name_len = strcspn(argv[*at], "=");

    for (int o = 0; o < OPTION__COUNT; o++) {
        bool joined = argv[*at][name_len] == '=';

        if (strlen(options[o].name) != name_len ||
            strncmp(options[o].name, argv[*at], name_len) != 0)
            continue;
        if (!options[o].has_value && joined)
            log_fatal(2, "%s takes no value", options[o].name);
        if (!options[o].has_value)
            line->values[o] = "";
        else if (joined)
            line->values[o] = argv[*at] + name_len + 1;
        else if (argv[*at + 1])
            line->values[o] = argv[++*at];
        else
            log_fatal(2, "%s needs a value", options[o].name);
        return;
    }
    log_fatal(2, "unknown option %.60s (petition help)", argv[*at]);
}

static void read_command_line(struct command_line *line, char **argv)
{
    bool only_words = false;

    for (int at = 1; argv[at]; at++) {
        if (!only_words && strcmp(argv[at], "--") == 0)
            only_words = true;
        else if (!only_words && argv[at][0] == '-' && argv[at][1])
            read_option(line, argv, &at);
        else if (line->count < WORDS_MAX)
            line->words[line->count++] = argv[at];
        else
            log_fatal(2, "too many arguments (petition help)");
    }
}

static void load_config(struct config *config, const struct command_line *line)
{
    struct config_flag flags[OPTION__COUNT];
    size_t count = 0;
    struct buf err;

    for (int o = 0; o < OPTION__COUNT; o++)
        if (line->values[o] && options[o].config_key)
            flags[count++] = (struct config_flag){options[o].config_key, line->values[o]};
    buf_init(&err, BUF_UNLIMITED);
    if (config_load(config, flags, count, &err) != 0)
        log_fatal(2, "%s", err.data);
    buf_release(&err);
}

/* ---- where output goes */

/* A sink that writes 'O' to a descriptor or, if there is none, gathers it; 'E' to standard error.
 */
struct output {
    int fd; /* -1: gather */
    struct buf gathered;
    size_t waiting; /* bytes that the disk may not have begun with */
    bool failed;
};

/* The disk begins early with a large file, so that one fsync at its end stops nobody else's. */
static void begin_writing(struct output *out, size_t len)
{
    out->waiting += len;
    if (out->waiting < WRITE_BEGIN_BYTES)
        return;
    sync_file_range(out->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    out->waiting = 0;
}

static int output_write(void *ctx, char type, const void *data, size_t len)
{
    struct output *out = ctx;

    if (type == 'E')
        return files_write_all(STDERR_FILENO, data, len);
    if (out->fd < 0)
        buf_add(&out->gathered, data, len);
    else if (files_write_all(out->fd, data, len) != 0)
        out->failed = true;
    else
        begin_writing(out, len);
    return out->failed ? -1 : 0;
}

/* Runs a command on the database with its output where `out` says. */
static int run_with(const struct config *config, const struct command_line *line, const char *input,
                    struct output *out)
{
    struct control_request request = {.count = line->count, .input = input};
    struct control_sink sink = {output_write, out};

    for (size_t i = 0; i < line->count; i++)
        request.args[i] = line->words[i];
    return commands_run(config, &request, &sink);
}

static int run_plain(const struct config *config, const struct command_line *line)
{
    struct output out = {.fd = STDOUT_FILENO};

    return run_with(config, line, "", &out);
}

/* ---- commands */

static int run_init(const struct config *config, const struct command_line *line)
{
    struct setup setup = {config, line->values[OPTION_ORIGIN], line->values[OPTION_DEMO] != NULL};
    struct buf err;
    int result;

    buf_init(&err, BUF_UNLIMITED);
    result = setup_run(&setup, &err);
    if (result == 1)
        fprintf(stderr, "petition: %s is initialised already; nothing was changed\n",
                config->data_dir);
    else if (result != 0)
        fprintf(stderr, "petition: %s\n", err.data);
    else
        fprintf(stderr,
                "%s is ready.\nMove %s/organiser.key off this machine: it opens what signers "
                "typed, and the server never needs it.\n",
                config->data_dir, config->data_dir);
    buf_release(&err);
    return result == 0 ? 0 : 1;
}

static int run_serve(const struct config *config, const struct command_line *line)
{
    (void)line;
    return serve(config);
}

static int run_organiser(const struct config *config, const struct command_line *line)
{
    struct output out = {.fd = STDOUT_FILENO};
    char password[TERMINAL_LINE_MAX];
    int status;

    if (strcmp(line->words[1], "add") != 0 && strcmp(line->words[1], "passwd") != 0)
        log_fatal(2, "it is `petition organiser add NAME` or `petition organiser passwd NAME`");
    if (terminal_read_line("Password: ", true, password) != 0)
        log_fatal(1, "no password on standard input");
    status = run_with(config, line, password, &out);
    sodium_memzero(password, sizeof password);
    return status;
}

/* `-`: the code stands on standard input, where no list of processes shows it. */
static int run_withdraw(const struct config *config, const struct command_line *line)
{
    struct command_line with_code = *line;
    struct output out = {.fd = STDOUT_FILENO};
    char code[TERMINAL_LINE_MAX];
    int status;

    if (strcmp(line->words[1], "-") == 0) {
        if (terminal_read_line("Withdrawal code: ", true, code) != 0)
            log_fatal(1, "no code on standard input");
        with_code.words[1] = code;
    }
    status = run_with(config, &with_code, "", &out);
    sodium_memzero(code, sizeof code);
    return status;
}

/* What cannot be undone is asked for twice: by --yes, or by typing the origin of the log. */
static int run_close(const struct config *config, const struct command_line *line)
{
    struct command_line request = {.count = 2, .words = {"close", "yes"}};
    struct output out = {.fd = STDOUT_FILENO};
    char origin[TERMINAL_LINE_MAX];

    if (line->values[OPTION_YES])
        return run_plain(config, &request);
    request.words[1] = "ask";
    if (isatty(STDIN_FILENO) && run_plain(config, &request) != 0)
        return 1;
    if (terminal_read_line("Type the origin of the log to close it: ", false, origin) != 0)
        log_fatal(2, "nothing was closed: give --yes, or the origin of the log on standard input");
    request.count = 1;
    return run_with(config, &request, origin, &out);
}

/* Copies the listed files of the data directory to DIR, and prints where they are. */
static int copy_bundles(const struct config *config, char *list, const char *dir)
{
    char *rest = list, *path;
    int result = 0;

    while (result == 0 && (path = strsep(&rest, "\n")) && *path) {
        char *from = files_join(config->data_dir, path);
        char *to = files_join(dir, strrchr(path, '/') + 1);

        result = files_copy(from, to);
        if (result == 0)
            printf("%s\n", to);
        else
            fprintf(stderr, "petition: %s: %s\n", to, strerror(errno));
        free(from);
        free(to);
    }
    return result == 0 ? 0 : 1;
}

static int run_deliver(const struct config *config, const struct command_line *line)
{
    const char *dir = line->values[OPTION_OUT];
    struct output out = {.fd = -1};
    int status;

    if (!dir)
        log_fatal(2, "it is `petition deliver --out DIR`");
    if (files_make_dir(dir) != 0)
        log_fatal(1, "%s: %s", dir, strerror(errno));
    buf_init(&out.gathered, BUF_UNLIMITED);
    status = run_with(config, line, "", &out);
    if (status == 0)
        status = copy_bundles(config, out.gathered.data, dir);
    buf_release(&out.gathered);
    return status;
}

/* Writes what a command gives beside the target and renames: an interrupted one leaves no half
 * file.
 */
static int run_to_file(const struct config *config, const struct command_line *line,
                       const char *path)
{
    struct output out = {.fd = -1};
    struct buf draft;
    int status = 1;

    buf_init(&draft, BUF_UNLIMITED);
    buf_printf(&draft, "%s.part", path);
    out.fd = open(draft.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out.fd >= 0)
        status = run_with(config, line, "", &out);
    if (out.fd < 0 || out.failed ||
        (status == 0 &&
         (fsync(out.fd) != 0 || rename(draft.data, path) != 0 || files_sync_parent(path) != 0))) {
        fprintf(stderr, "petition: %s: %s\n", path, strerror(errno));
        status = 1;
    }
    if (out.fd >= 0)
        close(out.fd);
    if (status != 0)
        unlink(draft.data);
    buf_release(&draft);
    return status;
}

static int run_export(const struct config *config, const struct command_line *line)
{
    struct command_line without_file = *line;

    without_file.count = 1;
    if (strcmp(line->words[1], "-") == 0)
        return run_plain(config, &without_file);
    return run_to_file(config, &without_file, line->words[1]);
}

/* The backup is recorded once it is where it was to be. */
static int run_backup(const struct config *config, const struct command_line *line)
{
    struct command_line request = {.count = 1, .words = {"backup", "done"}};
    const char *path = line->words[1];
    int status =
        strcmp(path, "-") == 0 ? run_plain(config, &request) : run_to_file(config, &request, path);

    if (status != 0)
        return status;
    request.count = 2;
    return run_plain(config, &request);
}

static int run_restore(const struct config *config, const struct command_line *line)
{
    uint8_t secret[SEAL_KEY_LEN];
    const struct restore request = {line->words[1], config->data_dir, secret,
                                    line->values[OPTION_LOG]};
    struct restored restored;
    struct buf text;
    const char *why;
    int result;

    if (!line->values[OPTION_KEY])
        log_fatal(2, "it is `petition restore FILE --key FILE [--log LOG]`");
    if (files_read_key(line->values[OPTION_KEY], ORGANISER_KEY_LABEL, secret, sizeof secret, &why))
        log_fatal(1, "%s %s", line->values[OPTION_KEY], why);
    buf_init(&text, BUF_UNLIMITED);
    result = restore_run(&request, &restored, &text);
    sodium_memzero(secret, sizeof secret);
    if (result == 0)
        restore_tell(&text, config->data_dir, &restored);
    fprintf(stderr, "%s%s\n", result == 0 ? "" : "petition: ", text.data);
    buf_release(&text);
    return result == 0 ? 0 : 1;
}

/* What the file holds goes to whoever has the database, behind the request. */
static int run_import(const struct config *config, const struct command_line *line)
{
    struct control_request request = {.count = 2, .input = ""};
    struct output out = {.fd = STDOUT_FILENO};
    struct control_sink sink = {output_write, &out};
    const char *path = line->words[1], *slash = strrchr(path, '/');
    struct buf file;
    int status;

    buf_init(&file, CONTROL_FILE_MAX);
    if (buf_read_file(&file, path) != 0)
        log_fatal(1, "%s: %s", path,
                  errno == EFBIG ? "larger than 64 MiB: split it" : strerror(errno));
    request.args[0] = line->words[0];
    request.args[1] = slash ? slash + 1 : path;
    request.file = file.data;
    request.file_len = file.len;
    status = commands_run(config, &request, &sink);
    buf_wipe(&file);
    return status;
}

static int run_open(const struct config *config, const struct command_line *line)
{
    uint8_t secret[SEAL_KEY_LEN];
    struct buf lines, csv, err;
    const char *why;
    int status = 1;

    (void)config;
    if (!line->values[OPTION_KEY])
        log_fatal(2, "it is `petition open --key FILE EXPORT`");
    if (files_read_key(line->values[OPTION_KEY], ORGANISER_KEY_LABEL, secret, sizeof secret, &why))
        log_fatal(1, "%s %s", line->values[OPTION_KEY], why);
    buf_init(&lines, BUF_UNLIMITED);
    buf_init(&csv, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    if (buf_read_file(&lines, line->words[1]) != 0)
        fprintf(stderr, "petition: %s: %s\n", line->words[1], strerror(errno));
    else if (export_open_records(&csv, lines.data, secret, &err) != 0)
        fprintf(stderr, "petition: %s: %s\n", line->words[1], err.data);
    else
        status = files_write_all(STDOUT_FILENO, csv.data, csv.len) == 0 ? 0 : 1;
    sodium_memzero(secret, sizeof secret);
    buf_wipe(&csv);
    buf_release(&lines);
    buf_release(&err);
    return status;
}

static int run_healthcheck(const struct config *config, const struct command_line *line)
{
    bool usage = false;
    struct buf err;

    (void)line;
    buf_init(&err, BUF_UNLIMITED);
    if (probe_ready(config->listen, &err, &usage) != 0)
        log_fatal(usage ? 2 : 1, "%s", err.data);
    puts("ready");
    buf_release(&err);
    return 0;
}

static int run_verify(const struct config *config, const struct command_line *line)
{
    const struct verify request = {.names = line->words + 1,
                                   .count = line->count - 1,
                                   .vkey = line->values[OPTION_VKEY],
                                   .minisign_key = line->values[OPTION_MINISIGN],
                                   .save = line->values[OPTION_SAVE]};

    (void)config;
    return verify_print(&request);
}

static int run_help(const struct config *config, const struct command_line *line)
{
    (void)config;
    (void)line;
    fputs(usage_text, stdout);
    return 0;
}

static int run_version(const struct config *config, const struct command_line *line)
{
    (void)config;
    (void)line;
    printf("petition %s\n", PETITION_VERSION);
    return 0;
}

static const struct command {
    const char *name;
    size_t words; /* with the name; OR_MORE */
    bool needs_config;
    int (*run)(const struct config *config, const struct command_line *line);
} commands[] = {
    {"init", 1, true, run_init},           {"serve", 1, true, run_serve},
    {"organiser", 3, true, run_organiser}, {"token", 2, true, run_plain},
    {"deliver", 1, true, run_deliver},     {"export", 2, true, run_export},
    {"open", 2, false, run_open},          {"withdraw", 2, true, run_withdraw},
    {"backup", 2, true, run_backup},       {"restore", 2, true, run_restore},
    {"check", 1, true, run_plain},         {"healthcheck", 1, true, run_healthcheck},
    {"void", 3, true, run_plain},          {"import", 2, true, run_import},
    {"close", 1, true, run_close},         {"version", 1, false, run_version},
    {"help", 1, false, run_help},          {"verify", 2 + OR_MORE, false, run_verify},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    log_fatal(2, "unknown command %.60s (petition help)", name);
}

static bool takes(int option, const char *command)
{
    size_t len = strlen(command);
    const char *word = options[option].commands;

    if (!word)
        return true;
    for (; *word; word += strspn(word, " ")) {
        size_t word_len = strcspn(word, " ");

        if (word_len == len && strncmp(word, command, len) == 0)
            return true;
        word += word_len;
    }
    return false;
}

static void check_usage(const struct command *command, const struct command_line *line)
{
    size_t words = command->words % OR_MORE;

    if (line->count < words || (line->count > words && command->words < OR_MORE))
        log_fatal(2, "%s: %s arguments (petition help)", command->name,
                  line->count < words ? "missing" : "too many");
    for (int o = 0; o < OPTION__COUNT; o++)
        if (line->values[o] && !takes(o, command->name))
            log_fatal(2, "%s does not take %s", command->name, options[o].name);
}

/* No core dump with keys in it, no file for others, times in UTC. */
static void set_up_process(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(SIGXFSZ, SIG_IGN); /* a full file is an error of write(2) */
    umask(0077);
    setenv("TZ", "UTC", 1);
    tzset();
    json_install();
    random_install();
    if (sodium_init() < 0)
        log_fatal(1, "libsodium cannot be initialised");
}

int main(int argc, char **argv)
{
    struct command_line line = {0};
    const struct command *command;
    struct config config = {0};
    int status;

    (void)argc;
    set_up_process();
    read_command_line(&line, argv);
    if (line.values[OPTION_VERSION])
        return run_version(NULL, NULL);
    if (line.values[OPTION_HELP])
        return run_help(NULL, NULL);
    if (line.count == 0)
        log_fatal(2, "no command given (petition help)");
    command = find_command(line.words[0]);
    check_usage(command, &line);
    if (command->needs_config)
        load_config(&config, &line);
    status = command->run(&config, &line);
    config_release(&config);
    return status;
}
