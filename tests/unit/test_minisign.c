/*
 * test_minisign: key and signature files against vectors made without libsodium and against
 * Debian's minisign, both ways, in a folder of its own.
 */
#include "vectors.h"

#include "files.h"
#include "minisign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_LEN    158
#define SIGNATURE_LEN 74
#define GLOBAL_LEN    64
#define COMMENT       "delivery 1, size 1043"

static char folder[] = "/tmp/test_minisign.XXXXXX";
static char key_path[64], message_path[64], signature_path[64], other_path[64];
static const char message[] =
    "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9  summary.json\n";

static void put(const char *path, const void *data, size_t len)
{
    assert_int_equal(files_replace(path, data, len), 0);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static void remove_files(void)
{
    const char *const paths[] = {key_path, message_path, signature_path, other_path};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        unlink(paths[i]);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(key_path, sizeof key_path, "%s/minisign.key", folder);
    snprintf(message_path, sizeof message_path, "%s/SHA256SUMS", folder);
    snprintf(signature_path, sizeof signature_path, "%s/SHA256SUMS.minisig", folder);
    snprintf(other_path, sizeof other_path, "%s/other", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_files();
    return rmdir(folder);
}

static int start_empty(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

/* Runs Debian's minisign without output; its exit status. */
static int minisign_program(char *const argv[])
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 127)
        fail_msg("minisign is not installed");
    return WEXITSTATUS(status);
}

/* minisign -V of the message, with the public key as given. */
static bool debian_accepts(char *public_key)
{
    char program[] = "minisign", verify[] = "-Vq", p[] = "-P", m[] = "-m";
    char *const argv[] = {program, verify, p, public_key, m, message_path, NULL};

    return minisign_program(argv) == 0;
}

static struct minisign *open_key(void)
{
    const char *why = NULL;
    struct minisign *key = minisign_open(key_path, &why);

    if (!key)
        fail_msg("the key %s", why);
    return key;
}

static struct minisign *new_key(void)
{
    assert_int_equal(minisign_create(key_path), 0);
    return open_key();
}

static void refuses_key(const char *reason)
{
    const char *why = NULL;

    assert_null(minisign_open(key_path, &why));
    assert_non_null(why);
    assert_string_equal(why, reason);
}

/* Line `n` (from 0) of a text, without its newline; the caller frees it. */
static char *line_of(const char *text, size_t n)
{
    while (n-- > 0) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    return strndup(text, strcspn(text, "\n"));
}

/* The base64 line `n` of a text, decoded. */
static void decode_line(uint8_t *out, size_t len, const char *text, size_t n)
{
    char *line = line_of(text, n);

    assert_int_equal(base64_decode(out, len, line), 0);
    free(line);
}

static void a_known_key_gives_the_signature_file_computed_elsewhere(void **state)
{
    const cJSON *v = vectors("minisign");
    const char *text = vec_text(v, "message");
    char public_key[MINISIGN_PUBLIC_TEXT];
    struct minisign *key;
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    put_text(key_path, vec_text(v, "secret_file"));
    key = open_key();
    minisign_public(key, public_key);
    assert_string_equal(public_key, vec_text(v, "public"));
    minisign_sign(key, &out, text, strlen(text), vec_text(v, "trusted_comment"));
    assert_string_equal(out.data, vec_text(v, "signature_file"));
    minisign_close(key);
    buf_release(&out);
}

static void debian_accepts_the_signature_computed_elsewhere(void **state)
{
    const cJSON *v = vectors("minisign");
    char *public_key = xstrdup(vec_text(v, "public"));

    (void)state;
    put_text(message_path, vec_text(v, "message"));
    put_text(signature_path, vec_text(v, "signature_file"));
    assert_true(debian_accepts(public_key));
    free(public_key);
}

/* The layout is the one of the known key: what is no key, key id or checksum has the same bytes. */
static void a_new_key_file_has_the_published_layout(void **state)
{
    uint8_t made[SECRET_LEN], known[SECRET_LEN], checked[2 + 8 + 64], checksum[32];
    struct stat st;
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    minisign_close(new_key());
    assert_int_equal(stat(key_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(buf_read_file(&text, key_path), 0);
    decode_line(made, sizeof made, text.data, 1);
    decode_line(known, sizeof known, vec_text(vectors("minisign"), "secret_file"), 1);
    assert_memory_equal(made, known, 54);
    memcpy(checked, made, 2);
    memcpy(checked + 2, made + 54, 72);
    crypto_generichash(checksum, sizeof checksum, checked, sizeof checked, NULL, 0);
    assert_memory_equal(made + 126, checksum, sizeof checksum);
    buf_release(&text);
}

static void two_new_keys_differ(void **state)
{
    char first[MINISIGN_PUBLIC_TEXT], second[MINISIGN_PUBLIC_TEXT];
    struct minisign *key = new_key();

    (void)state;
    minisign_public(key, first);
    minisign_close(key);
    remove_files();
    key = new_key();
    minisign_public(key, second);
    minisign_close(key);
    assert_string_not_equal(first, second);
    assert_memory_equal(first, "RW", 2);
}

static void an_existing_key_is_not_replaced(void **state)
{
    char before[MINISIGN_PUBLIC_TEXT], after[MINISIGN_PUBLIC_TEXT];
    struct minisign *key = new_key();

    (void)state;
    minisign_public(key, before);
    minisign_close(key);
    assert_int_equal(minisign_create(key_path), -1);
    assert_int_equal(errno, EEXIST);
    key = open_key();
    minisign_public(key, after);
    minisign_close(key);
    assert_string_equal(before, after);
}

/* Signs the message with a new key; the key's public half and the signature file's text. */
static void sign_message(char public_key[MINISIGN_PUBLIC_TEXT], struct buf *signature)
{
    struct minisign *key = new_key();

    minisign_public(key, public_key);
    buf_init(signature, BUF_UNLIMITED);
    minisign_sign(key, signature, message, strlen(message), COMMENT);
    minisign_close(key);
    put_text(message_path, message);
    put(signature_path, signature->data, signature->len);
}

static void debian_accepts_what_a_new_key_signs(void **state)
{
    char public_key[MINISIGN_PUBLIC_TEXT];
    struct buf signature;

    (void)state;
    sign_message(public_key, &signature);
    assert_true(debian_accepts(public_key));
    buf_release(&signature);
}

static void an_empty_file_can_be_signed(void **state)
{
    char public_key[MINISIGN_PUBLIC_TEXT];
    struct minisign *key = new_key();
    struct buf signature;

    (void)state;
    buf_init(&signature, BUF_UNLIMITED);
    minisign_public(key, public_key);
    minisign_sign(key, &signature, "", 0, "");
    put(message_path, "", 0);
    put(signature_path, signature.data, signature.len);
    assert_true(debian_accepts(public_key));
    minisign_close(key);
    buf_release(&signature);
}

static void the_same_file_and_comment_give_the_same_bytes(void **state)
{
    struct minisign *key = new_key();
    struct buf first, second;

    (void)state;
    buf_init(&first, BUF_UNLIMITED);
    buf_init(&second, BUF_UNLIMITED);
    minisign_sign(key, &first, message, strlen(message), COMMENT);
    minisign_sign(key, &second, message, strlen(message), COMMENT);
    assert_string_equal(first.data, second.data);
    minisign_close(key);
    buf_release(&first);
    buf_release(&second);
}

static void debian_refuses_any_changed_byte_of_the_message(void **state)
{
    char public_key[MINISIGN_PUBLIC_TEXT], *copy = xstrdup(message);
    struct buf signature;

    (void)state;
    sign_message(public_key, &signature);
    for (size_t i = 0; i < strlen(message); i++) {
        copy[i] ^= 1;
        put(message_path, copy, strlen(message));
        assert_false(debian_accepts(public_key));
        copy[i] ^= 1;
    }
    put_text(message_path, copy);
    assert_true(debian_accepts(public_key));
    free(copy);
    buf_release(&signature);
}

/* Writes a signature file from its parts. */
static void put_signature(const uint8_t *signature, const char *comment, const uint8_t *global)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "untrusted comment: anything\n");
    buf_base64(&text, signature, SIGNATURE_LEN);
    buf_printf(&text, "\ntrusted comment: %s\n", comment);
    buf_base64(&text, global, GLOBAL_LEN);
    buf_addc(&text, '\n');
    put(signature_path, text.data, text.len);
    buf_release(&text);
}

static void debian_refuses_any_changed_byte_of_the_signatures(void **state)
{
    uint8_t parts[SIGNATURE_LEN + GLOBAL_LEN];
    char public_key[MINISIGN_PUBLIC_TEXT];
    struct buf signature;

    (void)state;
    sign_message(public_key, &signature);
    decode_line(parts, SIGNATURE_LEN, signature.data, 1);
    decode_line(parts + SIGNATURE_LEN, GLOBAL_LEN, signature.data, 3);
    for (size_t i = 0; i < sizeof parts; i++) {
        parts[i] ^= 1;
        put_signature(parts, COMMENT, parts + SIGNATURE_LEN);
        assert_false(debian_accepts(public_key));
        parts[i] ^= 1;
    }
    put_signature(parts, COMMENT, parts + SIGNATURE_LEN);
    assert_true(debian_accepts(public_key));
    buf_release(&signature);
}

static void debian_refuses_any_changed_byte_of_the_trusted_comment(void **state)
{
    uint8_t first[SIGNATURE_LEN], global[GLOBAL_LEN];
    char public_key[MINISIGN_PUBLIC_TEXT], comment[] = COMMENT;
    struct buf signature;

    (void)state;
    sign_message(public_key, &signature);
    decode_line(first, sizeof first, signature.data, 1);
    decode_line(global, sizeof global, signature.data, 3);
    for (size_t i = 0; i < strlen(comment); i++) {
        comment[i] ^= 1;
        put_signature(first, comment, global);
        assert_false(debian_accepts(public_key));
        comment[i] ^= 1;
    }
    put_signature(first, COMMENT " ", global);
    assert_false(debian_accepts(public_key));
    buf_release(&signature);
}

static void debian_refuses_another_key(void **state)
{
    char public_key[MINISIGN_PUBLIC_TEXT], other[MINISIGN_PUBLIC_TEXT];
    struct buf signature;
    struct minisign *key;

    (void)state;
    sign_message(public_key, &signature);
    unlink(key_path);
    key = new_key();
    minisign_public(key, other);
    assert_false(debian_accepts(other));
    minisign_close(key);
    buf_release(&signature);
}

static void debian_signs_with_a_new_key_file(void **state)
{
    char program[] = "minisign", sign[] = "-S", s[] = "-s", m[] = "-m";
    char *const argv[] = {program, sign, s, key_path, m, message_path, NULL};
    char public_key[MINISIGN_PUBLIC_TEXT];
    struct minisign *key = new_key();

    (void)state;
    minisign_public(key, public_key);
    minisign_close(key);
    put_text(message_path, message);
    assert_int_equal(minisign_program(argv), 0);
    assert_true(debian_accepts(public_key));
}

static void a_key_made_by_debian_signs(void **state)
{
    char program[] = "minisign", generate[] = "-GW", s[] = "-s", p[] = "-p";
    char *const argv[] = {program, generate, s, key_path, p, other_path, NULL};
    char public_key[MINISIGN_PUBLIC_TEXT], *line;
    struct buf text, signature;
    struct minisign *key;

    (void)state;
    buf_init(&text, 4096);
    buf_init(&signature, BUF_UNLIMITED);
    assert_int_equal(minisign_program(argv), 0);
    key = open_key();
    minisign_public(key, public_key);
    assert_int_equal(buf_read_file(&text, other_path), 0);
    line = line_of(text.data, 1);
    assert_string_equal(public_key, line);
    minisign_sign(key, &signature, message, strlen(message), COMMENT);
    put_text(message_path, message);
    put(signature_path, signature.data, signature.len);
    assert_true(debian_accepts(public_key));
    minisign_close(key);
    free(line);
    buf_release(&text);
    buf_release(&signature);
}

static void put_secret(const uint8_t *secret, size_t len)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "untrusted comment: a key\n");
    buf_base64(&text, secret, len);
    buf_addc(&text, '\n');
    put(key_path, text.data, text.len);
    buf_release(&text);
}

/* All but the salt and the limits of the key derivation, which an unencrypted key does not use. */
static void a_key_file_with_any_changed_byte_is_refused(void **state)
{
    uint8_t secret[SECRET_LEN];
    const char *why;

    (void)state;
    decode_line(secret, sizeof secret, vec_text(vectors("minisign"), "secret_file"), 1);
    for (size_t i = 0; i < sizeof secret; i = i == 5 ? 54 : i + 1) {
        secret[i] ^= 1;
        put_secret(secret, sizeof secret);
        if (minisign_open(key_path, &why))
            fail_msg("a key with another byte %zu is accepted", i);
        secret[i] ^= 1;
    }
    put_secret(secret, sizeof secret);
    minisign_close(open_key());
}

/* minisign -W writes no checksum; then the public half still has to belong to the secret one. */
static void without_a_checksum_the_halves_must_belong_together(void **state)
{
    uint8_t secret[SECRET_LEN];

    (void)state;
    decode_line(secret, sizeof secret, vec_text(vectors("minisign"), "secret_file"), 1);
    memset(secret + 126, 0, 32);
    put_secret(secret, sizeof secret);
    minisign_close(open_key());
    for (size_t i = 62; i < 126; i++) {
        secret[i] ^= 1;
        put_secret(secret, sizeof secret);
        refuses_key("is damaged: its parts do not belong together");
        secret[i] ^= 1;
    }
}

static void a_file_that_is_no_key_is_refused_with_a_reason(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "untrusted comment: a key",
        "untrusted comment: a key\n",
        "untrusted comment: a key\nRWQ=\n",
        "untrusted comment: a key\nnot base64\n",
    };
    uint8_t secret[SECRET_LEN + 1] = {0};

    (void)state;
    refuses_key("is missing");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_text(key_path, texts[i]);
        refuses_key("is not a minisign secret key");
    }
    decode_line(secret, SECRET_LEN, vec_text(vectors("minisign"), "secret_file"), 1);
    put_secret(secret, SECRET_LEN - 1);
    refuses_key("is not a minisign secret key");
    put_secret(secret, SECRET_LEN + 1);
    refuses_key("is not a minisign secret key");
    memcpy(secret + 2, "Sc", 2);
    put_secret(secret, SECRET_LEN);
    refuses_key("is protected by a password; remove it with minisign -C -W");
}

static void more_than_one_line_behind_the_comment_is_refused(void **state)
{
    const char *file = vec_text(vectors("minisign"), "secret_file");
    char *line = line_of(file, 1);
    struct buf text;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    buf_printf(&text, "%smore\n", file);
    put(key_path, text.data, text.len);
    refuses_key("is not a minisign secret key");
    buf_clear(&text);
    buf_printf(&text, "a comment\n%s\n", line);
    put(key_path, text.data, text.len);
    refuses_key("is not a minisign secret key");
    buf_clear(&text);
    buf_printf(&text, "untrusted comment: \r\n%s\r\n", line);
    put(key_path, text.data, text.len);
    minisign_close(open_key());
    free(line);
    buf_release(&text);
}

/* ---- verifying */

static bool we_accept(const char *public_key, const struct buf *signature, const char *text)
{
    struct buf content, comment;
    bool ok;

    buf_init(&content, BUF_UNLIMITED);
    buf_init(&comment, BUF_UNLIMITED);
    buf_adds(&content, text);
    ok = !minisign_verify(public_key, signature, &content, &comment);
    buf_release(&content);
    buf_release(&comment);
    return ok;
}

static void the_signature_computed_elsewhere_holds_and_no_other(void **state)
{
    const cJSON *v = vectors("minisign");
    const char *public_key = vec_text(v, "public"), *text = vec_text(v, "message");
    char *changed = xstrdup(text);
    struct buf signature;
    size_t first_line;

    (void)state;
    buf_init(&signature, BUF_UNLIMITED);
    buf_adds(&signature, vec_text(v, "signature_file"));
    assert_true(we_accept(public_key, &signature, text));
    first_line = strcspn(signature.data, "\n");
    for (size_t i = first_line * 8; i < signature.len * 8; i++) {
        signature.data[i / 8] = (char)(signature.data[i / 8] ^ 1 << i % 8);
        assert_false(we_accept(public_key, &signature, text));
        signature.data[i / 8] = (char)(signature.data[i / 8] ^ 1 << i % 8);
    }
    for (size_t i = 0; i < strlen(text); i++) {
        changed[i] ^= 1;
        assert_false(we_accept(public_key, &signature, changed));
        changed[i] ^= 1;
    }
    while (signature.len > 0) {
        signature.data[--signature.len] = '\0';
        assert_false(we_accept(public_key, &signature, text));
    }
    free(changed);
    buf_release(&signature);
}

static void another_key_and_what_is_no_key_are_refused(void **state)
{
    char public_key[MINISIGN_PUBLIC_TEXT], other[MINISIGN_PUBLIC_TEXT];
    struct buf signature, again;

    (void)state;
    sign_message(public_key, &signature);
    assert_true(we_accept(public_key, &signature, message));
    remove_files();
    sign_message(other, &again);
    assert_false(we_accept(other, &signature, message));
    assert_false(we_accept("", &signature, message));
    assert_false(we_accept("RW", &signature, message));
    buf_release(&signature);
    buf_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_known_key_gives_the_signature_file_computed_elsewhere,
                               start_empty),
        cmocka_unit_test_setup(debian_accepts_the_signature_computed_elsewhere, start_empty),
        cmocka_unit_test_setup(a_new_key_file_has_the_published_layout, start_empty),
        cmocka_unit_test_setup(two_new_keys_differ, start_empty),
        cmocka_unit_test_setup(an_existing_key_is_not_replaced, start_empty),
        cmocka_unit_test_setup(debian_accepts_what_a_new_key_signs, start_empty),
        cmocka_unit_test_setup(an_empty_file_can_be_signed, start_empty),
        cmocka_unit_test_setup(the_same_file_and_comment_give_the_same_bytes, start_empty),
        cmocka_unit_test_setup(debian_refuses_any_changed_byte_of_the_message, start_empty),
        cmocka_unit_test_setup(debian_refuses_any_changed_byte_of_the_signatures, start_empty),
        cmocka_unit_test_setup(debian_refuses_any_changed_byte_of_the_trusted_comment, start_empty),
        cmocka_unit_test_setup(debian_refuses_another_key, start_empty),
        cmocka_unit_test_setup(debian_signs_with_a_new_key_file, start_empty),
        cmocka_unit_test_setup(a_key_made_by_debian_signs, start_empty),
        cmocka_unit_test_setup(a_key_file_with_any_changed_byte_is_refused, start_empty),
        cmocka_unit_test_setup(without_a_checksum_the_halves_must_belong_together, start_empty),
        cmocka_unit_test_setup(a_file_that_is_no_key_is_refused_with_a_reason, start_empty),
        cmocka_unit_test_setup(more_than_one_line_behind_the_comment_is_refused, start_empty),
        cmocka_unit_test_setup(the_signature_computed_elsewhere_holds_and_no_other, start_empty),
        cmocka_unit_test_setup(another_key_and_what_is_no_key_are_refused, start_empty),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
