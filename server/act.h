/*
 * act: what an organiser does over HTTP, in one shape for the API and the desk.
 *
 * A handler names the kind of act and starts it. On the request thread the form is parsed, a POST
 * with a session's cookie must carry that session's form token, and the kind's begin() looks at
 * what was sent. Then the request is parked, and in one transaction of the writer: whose token or
 * session it is, whether the role suffices, apply(), and the row of the audit trail. After the
 * commit answer() runs on the request thread.
 *
 * act->status is 200 until somebody refuses by setting another one: begin() or apply() (before its
 * first write). Then nothing goes into the trail, and refuse() answers instead of answer(). What
 * begin() refuses is refused in the transaction, once it is known whose act it is and that the role
 * suffices: so the form can be shown again.
 */
#ifndef ACT_H
#define ACT_H

#include "gate.h"
#include "http.h"
#include "input.h"
#include "live.h"
#include "session.h"
#include "writer.h"

struct act;

enum act_by { ACT_BY_TOKEN, ACT_BY_SESSION };

struct act_kind {
    size_t size;       /* of the act; a kind may begin a struct of its own with struct act */
    const char *audit; /* name in the trail; NULL: only a look, not written down */
    enum role role;    /* at least */
    bool password;     /* the form's `password` must be the organiser's, once more */
    void (*work)(struct act *act);  /* gate's thread, after the password: what takes long; NULL */
    void (*begin)(struct act *act); /* request thread; NULL: nothing */
    int (*apply)(struct act *act, struct db *db); /* writer's thread; NULL: nothing */
    void (*answer)(struct act *act);              /* request thread, status 200 */
    void (*refuse)(struct act *act);              /* any other; NULL: the context's */
    void (*release)(struct act *act);             /* what begin and apply have allocated; NULL */
};

struct act_context {
    enum act_by by;
    struct writer *writer;
    struct gate *gate;               /* for kinds with `password`; else NULL */
    struct live *live;               /* ACT_BY_SESSION: is told which sessions are alive */
    void (*refuse)(struct act *act); /* answers any status but 200 */
    void *user;                      /* what the kinds need to know */
};

struct act {
    struct job job;
    struct gate_task task;
    const struct act_kind *kind;
    const struct act_context *context;
    struct http_request *request;
    uint8_t hash[HASH_LEN]; /* of the token or cookie */
    struct input form;      /* of a POST by a session */
    int status;
    int verdict;              /* the status that begin() has set */
    const char *why;          /* with 409, 422: key of the text for a page; NULL: the status' own */
    bool unchanged;           /* refused, and it is known that nothing was changed */
    bool proven;              /* the password has been checked */
    struct organiser_row who; /* from apply() on */
    int lang;                 /* of enum lang: chosen with ?lang=, else the session's; -1: none */
    struct buf detail;        /* of the row in the trail */
};

void act_start(struct http_request *rq, const struct act_context *context,
               const struct act_kind *kind);

/* For http_config: whether the request comes with the cookie of a session that is alive; ctx is the
 * act_context. */
bool act_may_send_large(void *ctx, const struct http_request *rq);

/* A member of the form; "" if it is missing, or there twice. */
const char *act_field(const struct act *act, const char *name);
/* The token that the session's forms must carry. */
void act_form_token(const struct act *act, char form[SESSION_TOKEN_TEXT]);
/* The number in the path, from 0; 0 if it is none. */
int64_t act_number(const struct act *act, size_t i);

#endif
