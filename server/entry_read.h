/*
 * entry_read: any entry of the log, read into a struct.
 *
 * Source: DESIGN "Exact bytes". Nothing is accepted that is spelled in another way: one entry has
 * one spelling, so its bytes and its meaning stand for each other. What the entry means for the
 * others is left to audit_log. Pure, any thread.
 */
#ifndef ENTRY_READ_H
#define ENTRY_READ_H

#include "entry.h"

enum entry_type {
    ENTRY_OPEN,
    ENTRY_TEXT,
    ENTRY_SIGN,
    ENTRY_WD,
    ENTRY_VOID,
    ENTRY_DLV,
    ENTRY_CLOSE,
    ENTRY__TYPES
};

/* Only what belongs to the type is filled in. */
struct entry {
    enum entry_type type;
    struct opening_entry opening;     /* open; text, without origin and sealing key */
    uint8_t c[HASH_LEN], w[HASH_LEN]; /* sign */
    int64_t target;                   /* wd, void: the entry it removes */
    uint8_t s[HASH_LEN];              /* wd */
    enum void_why why;                /* void */
    int64_t n, size;                  /* dlv: its number, the log's size when it froze */
    uint8_t manifests[ENTRY_MANIFESTS][HASH_LEN];
    int64_t signs, withdrawals, voids, repeats; /* close */
};

/* 0, or -1 if the bytes are no entry. */
int entry_read(struct entry *out, const char *body, size_t len) __attribute__((warn_unused_result));

/* FIELDS, read. The texts are the caller's to release with fields_release. */
struct fields_read {
    char *name, *country;
    struct fields fields; /* points to them */
};
/* 0, or -1 if the text is not exactly what entry_fields writes. */
int fields_read(struct fields_read *out, const char *text, size_t len)
    __attribute__((warn_unused_result));
void fields_release(struct fields_read *f);

#endif
