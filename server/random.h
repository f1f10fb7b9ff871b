/*
 * random: where libsodium's randombytes_* come from.
 *
 * Its generator in user space, which is seeded by the system's. That makes a system call each time
 * to see whether the process has forked, and a signature takes five short draws; so each thread
 * draws a block at once, and what is given away is overwritten. A forked child has no block; and
 * libsodium ends it unless it stirs (randombytes_stir) before it draws.
 */
#ifndef RANDOM_H
#define RANDOM_H

/* In main, before sodium_init and before there are threads. */
void random_install(void);

#endif
