/*
 * identity_internal: what the files of identity share, and nobody else sees.
 */
#ifndef IDENTITY_INTERNAL_H
#define IDENTITY_INTERNAL_H

#include "identity.h"

/* Reads text that is no e-mail address as a number, with the plans of all countries. */
enum contact_reason identity_phone(const struct phone_plan *plans, size_t count,
                                   struct contact *out, const char *text, const char *country);

#endif
