/*
 * config: the settings, from one table.
 *
 * Order: command-line flags, environment (PETITION_SOME_KEY), the file (`key = value`, `#`
 * comments), defaults; an empty value is the default. An unknown key in the file, or a value out of
 * range anywhere, is an error in one line; an unknown PETITION_* variable is a warning. The struct
 * is filled once at start and constant afterwards.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "buf.h"
#include "log.h"
#include "peer.h"

struct config {
    /* Where things are: from flags or environment only, but public_dir is a key too. */
    char *data_dir;    /* never NULL */
    char *config_file; /* the file that was read, or NULL if there is none */
    char *public_dir;  /* the folder of public content, resolved */

    char *listen;                 /* ADDR:PORT, [ADDR]:PORT or unix:PATH */
    char *base_url;               /* "" or scheme://host[:port], without a slash at the end */
    char *trusted_proxies;        /* comma-separated addresses and networks */
    struct peer_networks trusted; /* the same, parsed */
    char *pepper_file;            /* "" : pepper.key in the data directory */
    char *organiser_name;
    char *organiser_contact;
    char *confirmation; /* none | email */
    char *mail;
    char *metrics_listen;
    int threads; /* 0: one per core */
    int queue_limit;
    int publish_every_s;
    int publish_min;
    int count_step;
    int pow_bits;
    int rate_limit;
    bool petition_open;
    bool accept_unconfirmed;
    enum log_level log_level;
};

/* One setting given on the command line, stronger than all others. */
struct config_flag {
    const char *key; /* "data_dir", "config_file" or a key of the table */
    const char *value;
};

/* Fills *c. On a mistake returns -1 and puts one line for the user in err. */
int config_load(struct config *c, const struct config_flag *flags, size_t flag_count,
                struct buf *err) __attribute__((warn_unused_result));
void config_release(struct config *c);

/* A commented petition.conf: every key with its default, commented out; the keys in `set`
 * (terminated by a NULL key) set. */
void config_write_template(struct buf *out, const struct config_flag *set);

#endif
