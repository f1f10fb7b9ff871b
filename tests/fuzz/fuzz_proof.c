/*
 * Fuzzes proof files (.tlog-proof): an accepted one is written again as the same bytes, and is not
 * taken for a proof of anything without a key's signature.
 *
 * .ci/run links it with all modules; the corpus is tests/fuzz/corpus/proof.
 */
#include "tlog_proof.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct note_verifier nobody = {.name = "petition.example/log"};
    struct checkpoint c;
    struct tlog_proof p;
    struct buf again;

    if (sodium_init() < 0)
        abort();
    tlog_proof_init(&p);
    buf_init(&again, BUF_UNLIMITED);
    if (tlog_proof_parse(&p, (const char *)data, size) == 0) {
        tlog_proof_write(&again, &p);
        if (again.len != size || memcmp(again.data, data, size) != 0)
            abort();
        if (!tlog_proof_verify(&p, &nobody, &c))
            abort();
    }
    tlog_proof_release(&p);
    buf_release(&again);
    return 0;
}
