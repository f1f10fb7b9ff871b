/*
 * session: what a log-in lasts, and the secrets that follow from its cookie. Pure.
 *
 * The cookie holds 32 random bytes; the database only their hash. The token that every form of the
 * session carries is a keyed hash of the cookie, so that a page of one session cannot be used in
 * another, and nothing of it is stored.
 */
#ifndef SESSION_H
#define SESSION_H

#include "db.h"

#define SESSION_IDLE_S     (15 * 60)
#define SESSION_LIFE_S     (8 * 3600)
#define SESSION_COOKIE     "__Host-petition"
#define SESSION_TOKEN_TEXT 44 /* with the NUL; cookies and form tokens */

/* A new cookie's value. */
void session_new_token(char token[SESSION_TOKEN_TEXT]);
/* What is stored of it, and of bearer tokens. */
void session_hash(uint8_t hash[HASH_LEN], const char *token);
/* The token of the forms that belong to the cookie. */
void session_form_token(char form[SESSION_TOKEN_TEXT], const char *cookie);
bool session_is_form_token(const char *given, const char *cookie);

/* False once it is too old, or nobody has come for too long. */
bool session_alive(const struct session_row *s, int64_t now_s);
/* True if it is time to write down that somebody came: not at every request. */
bool session_seen_due(const struct session_row *s, int64_t now_s);

#endif
