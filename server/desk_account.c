/*
 * desk_account: an organiser's own password and one-time codes (see desk.h).
 *
 * The secret of the codes is made when somebody asks for it with the password, shown as a QR code,
 * and kept only when a code made with it comes back; until then it is nowhere but in the page's
 * form. A seal beside it there says that this server made it, for this session: whoever has a
 * session but not the password can turn on no codes of their own.
 */
#include "desk.h"
#include "password.h"
#include "totp.h"

#include <inttypes.h>
#include <qrencode.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

static void answer_account(struct act *act)
{
    cJSON *page = desk_page_new(act, "account");

    page_flag(page, "has_totp", act->who.has_totp);
    page_format(page, "recovery_left", "%d", act->who.recovery_left);
    desk_page_send(act, page, "account", 200);
}

/* ---- the password */

struct password_act {
    struct act act;
    char hash[PASSWORD_HASH_MAX];
};

static void begin_password(struct act *act)
{
    const char *fresh = act_field(act, "new");

    act->why = "desk.error.new_password";
    if (!password_is_good(fresh) || strcmp(fresh, act_field(act, "again")) != 0)
        act->status = 422;
}

static void work_password(struct act *act)
{
    struct password_act *p = (struct password_act *)act;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    if (password_hash(p->hash, act_field(act, "new"), &err) != 0)
        act->status = 503;
    buf_release(&err);
}

static int apply_password(struct act *act, struct db *db)
{
    return db_organiser_passwd(db, act->who.name, ((struct password_act *)act)->hash);
}

static void answer_password(struct act *act)
{
    desk_redirect(act, "/admin/login", "out");
}

/* ---- one-time codes: the QR code, then the first code, then the recovery codes */

/* The dark squares as a path of an SVG; *size is its width with the quiet zone. */
static void draw_qr(struct buf *path, const char *text, int *size)
{
    QRcode *qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);

    if (!qr)
        return;
    for (int y = 0; y < qr->width; y++)
        for (int x = 0; x < qr->width; x++)
            if (qr->data[y * qr->width + x] & 1)
                buf_printf(path, "M%d %dh1v1h-1z", x + 4, y + 4);
    *size = qr->width + 8;
    QRcode_free(qr);
}

/* What of a name an address may hold as it is; the rest percent-encoded. */
static void add_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            buf_addc(out, *text);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* What is sealed: whose secret it is, and in which session. Thank-you pages are sealed with the
 * same keys, and begin otherwise. */
static void add_enrolment(struct buf *plain, const struct act *act,
                          const uint8_t secret[TOTP_SECRET_LEN])
{
    buf_adds(plain, "petition-totp/v1\n");
    buf_add(plain, act->hash, HASH_LEN);
    buf_add(plain, secret, TOTP_SECRET_LEN);
    buf_adds(plain, act->who.name);
}

static void seal_enrolment(struct buf *seal, const struct act *act,
                           const uint8_t secret[TOTP_SECRET_LEN])
{
    struct buf plain;

    buf_init(&plain, BUF_UNLIMITED);
    add_enrolment(&plain, act, secret);
    ephemeral_seal(desk_of(act)->ephemeral, seal, &plain, time(NULL));
    buf_wipe(&plain);
}

/* True if the form's seal is of this secret, and not too old. */
static bool is_sealed(const struct act *act, const uint8_t secret[TOTP_SECRET_LEN])
{
    struct buf expected, plain;
    bool same;

    buf_init(&expected, BUF_UNLIMITED);
    buf_init(&plain, BUF_UNLIMITED);
    add_enrolment(&expected, act, secret);
    same =
        ephemeral_open(desk_of(act)->ephemeral, &plain, act_field(act, "seal"), time(NULL)) == 0 &&
        plain.len == expected.len && sodium_memcmp(plain.data, expected.data, plain.len) == 0;
    buf_wipe(&expected);
    buf_wipe(&plain);
    return same;
}

/* The page with the secret; after a wrong code (status 422) the same once more. */
static void show_totp(struct act *act, const uint8_t secret[TOTP_SECRET_LEN], int status)
{
    cJSON *page = desk_page_new(act, "totp");
    char text[TOTP_SECRET_TEXT];
    struct buf uri, path, seal;
    int size = 0;

    totp_secret_text(text, secret);
    buf_init(&uri, BUF_UNLIMITED);
    buf_init(&path, BUF_UNLIMITED);
    buf_init(&seal, BUF_UNLIMITED);
    seal_enrolment(&seal, act, secret);
    buf_adds(&uri, "otpauth://totp/petition:");
    add_encoded(&uri, act->who.name);
    buf_printf(&uri, "?secret=%s&issuer=petition", text);
    draw_qr(&path, uri.data, &size);
    page_text(page, "secret", text);
    page_text(page, "seal", seal.data);
    page_text(page, "path", path.data);
    page_format(page, "size", "%d", size);
    if (status == 422)
        desk_problem(act, page, "code", "desk.error.code");
    sodium_memzero(text, sizeof text);
    buf_wipe(&uri);
    buf_wipe(&path);
    buf_release(&seal);
    desk_page_send(act, page, "totp", status);
}

static void answer_totp(struct act *act)
{
    uint8_t secret[TOTP_SECRET_LEN];

    randombytes_buf(secret, sizeof secret);
    show_totp(act, secret, 200);
    sodium_memzero(secret, sizeof secret);
}

struct totp_act {
    struct act act;
    uint8_t secret[TOTP_SECRET_LEN];
    int64_t step;
    char codes[TOTP_RECOVERY_CODES][TOTP_RECOVERY_TEXT];
};

static void begin_totp_confirm(struct act *act)
{
    struct totp_act *t = (struct totp_act *)act;

    if (totp_secret_parse(t->secret, act_field(act, "secret")) != 0)
        act->status = 403;
    for (int i = 0; i < TOTP_RECOVERY_CODES; i++)
        totp_recovery_new(t->codes[i]);
}

static int apply_totp_confirm(struct act *act, struct db *db)
{
    struct totp_act *t = (struct totp_act *)act;
    int result;

    if (!is_sealed(act, t->secret)) {
        act->status = 403;
        return DB_OK;
    }
    if (!totp_match(t->secret, act_field(act, "code"), time(NULL), &t->step)) {
        act->status = 422;
        return DB_OK;
    }
    result = db_totp_set(db, act->who.name, t->secret, t->step);
    for (int i = 0; i < TOTP_RECOVERY_CODES && result == DB_OK; i++) {
        uint8_t hash[HASH_LEN];

        totp_recovery_hash(hash, t->codes[i]);
        result = db_recovery_add(db, act->who.name, hash);
    }
    return result;
}

static void answer_totp_confirm(struct act *act)
{
    const struct totp_act *t = (const struct totp_act *)act;
    cJSON *page = desk_page_new(act, "recovery"), *codes = page_array(page, "codes");

    for (int i = 0; i < TOTP_RECOVERY_CODES; i++)
        page_text(page_object(codes), "code", t->codes[i]);
    desk_page_send(act, page, "recovery", 200);
}

static void refuse_totp_confirm(struct act *act)
{
    if (act->status == 422)
        show_totp(act, ((const struct totp_act *)act)->secret, 422);
    else
        desk_refuse(act);
}

static void release_totp(struct act *act)
{
    struct totp_act *t = (struct totp_act *)act;

    sodium_memzero(t->secret, sizeof t->secret);
    sodium_memzero(t->codes, sizeof t->codes);
}

static int apply_totp_off(struct act *act, struct db *db)
{
    return db_totp_set(db, act->who.name, NULL, 0);
}

static void answer_totp_off(struct act *act)
{
    desk_redirect(act, "/admin/account", "totp_off");
}

DESK_HANDLER(desk_get_account, .role = ROLE_READER, .answer = answer_account)
DESK_HANDLER_OF(desk_post_password, struct password_act, .role = ROLE_READER, .password = true,
                .audit = "password", .begin = begin_password, .work = work_password,
                .apply = apply_password, .answer = answer_password)
DESK_HANDLER(desk_post_totp, .role = ROLE_READER, .password = true, .answer = answer_totp)
DESK_HANDLER_OF(desk_post_totp_confirm, struct totp_act, .role = ROLE_READER, .audit = "totp.on",
                .begin = begin_totp_confirm, .apply = apply_totp_confirm,
                .answer = answer_totp_confirm, .refuse = refuse_totp_confirm,
                .release = release_totp)
DESK_HANDLER(desk_post_totp_off, .role = ROLE_READER, .password = true, .audit = "totp.off",
             .apply = apply_totp_off, .answer = answer_totp_off)
