/*
 * control: commands carried out by the running server, over DIR/control.sock.
 *
 * Only one process may have the database; so a command that finds the directory locked sends its
 * arguments and what stands on its standard input to the server, and gets back what it would have
 * written to standard output and standard error, and its exit status. Files named on the command
 * line are written by the command; one to be read is read by it, and sent behind the request.
 *
 * Wire: the request is le32 length (at most 16 KiB) and a JSON object {"args":[…],"input":"…",
 * "file":N}, then N bytes of a file (at most CONTROL_FILE_MAX); the answer is frames of one type
 * byte ('O' output, 'E' error, 'X' exit status), le32 length and the bytes.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "buf.h"

#define CONTROL_ARGS_MAX 8
#define CONTROL_FILE_MAX (64u * 1024 * 1024) /* bytes */

struct control_request {
    size_t count;
    const char *args[CONTROL_ARGS_MAX]; /* the command and its arguments */
    const char *input;                  /* NUL-terminated, maybe secret; "" if there is none */
    const char *file;                   /* what a file holds, maybe personal; NULL: none */
    size_t file_len;
};

/* Where a command's output goes. -1 if nobody listens any more: then the command should end. */
struct control_sink {
    int (*write)(void *ctx, char type, const void *data, size_t len);
    void *ctx;
};

/* ---- the server's side */

struct control;
/* Carries out a request; returns the exit status. Several may run at once, each on its thread. */
typedef int control_handler(void *ctx, const struct control_request *request,
                            const struct control_sink *sink);

/* Replaces a stale socket (the caller holds the directory's lock). NULL with a line in err. */
struct control *control_open(const char *data_dir, control_handler *handle, void *ctx,
                             struct buf *err);
/* Stops listening and waits for the commands in work; their handlers must see that it is time. */
void control_close(struct control *c);

/* ---- the command's side */

/* Sends the request to the server of the directory and its output to the sink. The exit status;
 * -1 with a line in err if no server answers; CONTROL_BROKEN if it stopped answering midway. */
#define CONTROL_BROKEN (-2)
int control_call(const char *data_dir, const struct control_request *request,
                 const struct control_sink *sink, struct buf *err);

/* Formats and writes a line of a type to a sink. */
int control_printf(const struct control_sink *sink, char type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
