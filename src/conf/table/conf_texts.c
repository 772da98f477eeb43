/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_texts.c - types of a configuration whose value is a text: names, files, URLs, addresses, templates,
 * digests of tokens.
 *
 * Each value is a copy of its own. A file name may begin with $CREDENTIALS_DIRECTORY/ (or
 * ${CREDENTIALS_DIRECTORY}/, or systemd's %d/), the directory of the service manager's credentials; no other
 * variable of the environment is used.
 *
 * Not here: the files themselves (conf_paths.h).
 */
#include "base/address.h"
#include "base/text.h"
#include "conf/table/conf_table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(ADDRESS_WHY_SIZE == CONF_WHY_SIZE, "one size for explanations");

static char *text_of(const struct conf_row *row, const void *object)
{
    char *text;

    memcpy(&text, conf_field_const(row, object), sizeof(text));
    return text;
}

void conf_text_clear(const struct conf_row *row, void *object)
{
    char *none = NULL;

    free(text_of(row, object));
    memcpy(conf_field(row, object), &none, sizeof(none));
}

int conf_text_set(const struct conf_row *row, void *object, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    conf_text_clear(row, object);
    memcpy(conf_field(row, object), &copy, sizeof(copy));
    return 0;
}

void conf_text_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const char *text = text_of(row, object);

    if (text)
        (void)buf_str(out, text);
}

static int text_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (row->max && strlen(text) > row->max)
        return conf_refuse(why, "must not be longer than %u bytes", (unsigned)row->max);
    if (!*text && !row->fallback) {
        conf_text_clear(row, object);
        return 0;
    }
    return conf_text_set(row, object, text);
}

static int word_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (conf_choice_index(row->choices, text, strlen(text)) < 0)
        return conf_refuse_choice(row, text, strlen(text), why);
    return conf_text_set(row, object, text);
}

static int template_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    int err = conf_template_check(row, text, strlen(text), why);

    return err ? err : text_parse(row, text, object, why);
}

/* The text after a credentials prefix, or NULL. */
static const char *credential_name(const char *text)
{
    static const char *const prefixes[] = {"$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/", "%d/"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            return text + strlen(prefixes[i]);
    return NULL;
}

static int file_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    const char *name = credential_name(text), *dir = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];
    int n;

    if (strstr(text, "-----BEGIN"))
        return conf_refuse(why, "needs the name of a file, not its content");
    if (!name && (text[0] == '$' || text[0] == '%'))
        return conf_refuse(why, "takes nothing from the environment but $CREDENTIALS_DIRECTORY/NAME");
    if (!name)
        return conf_text_set(row, object, text);
    if (!dir || !*dir)
        return conf_refuse(why, "names a credential, but CREDENTIALS_DIRECTORY is not set: systemd sets it "
                                "for a unit with LoadCredential=");
    n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return conf_refuse(why, "is too long for a file name");
    return conf_text_set(row, object, path);
}

/* A credential is printed by its name: its directory is another one for each process of systemd. */
static void file_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const char *text = text_of(row, object), *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t n = dir ? strlen(dir) : 0;

    if (text && n && strncmp(text, dir, n) == 0 && text[n] == '/')
        (void)buf_printf(out, "$CREDENTIALS_DIRECTORY%s", text + n);
    else
        conf_text_print(row, object, out);
}

static int san_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    char normal[ADDRESS_SAN_SIZE];

    if (address_normal_san(text, normal, why))
        return -EINVAL;
    return conf_text_set(row, object, normal);
}

static int proxy_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    static const char *const schemes = "http https socks5 socks5h";
    struct address_url url;

    if (address_split_url(text, &url, why))
        return -EINVAL;
    if (conf_choice_index(schemes, url.scheme, strlen(url.scheme)) < 0 || !url.port || strlen(url.path) > 1)
        return conf_refuse(why, "needs http://HOST:PORT, or https://, socks5:// or socks5h:// in its place");
    return conf_text_set(row, object, text);
}

static int url_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct address_url url;
    int err = address_split_url(text, &url, why);

    if (err)
        return err;
    if (strcmp(url.scheme, "https") != 0 && strcmp(url.scheme, "http") != 0)
        return conf_refuse(why, "needs an https:// address");
    err = conf_text_set(row, object, text);
    if (!err) {
        char *copy = text_of(row, object);
        for (size_t n = strlen(copy); n && copy[n - 1] == '/'; n--)
            copy[n - 1] = '\0';
    }
    return err;
}

#define TEXT_TYPE(title, parser)                                                                             \
    {                                                                                                        \
        .what = (title), .parse = (parser), .print = conf_text_print, .clear = conf_text_clear,              \
    }

const struct conf_type conf_text = TEXT_TYPE("text", text_parse);
const struct conf_type conf_word = {.what = "choice",
                                    .shape = SHAPE_ONE_OF,
                                    .parse = word_parse,
                                    .print = conf_text_print,
                                    .clear = conf_text_clear};
const struct conf_type conf_file = {
    .what = "file", .parse = file_parse, .print = file_print, .clear = conf_text_clear};
const struct conf_type conf_san = TEXT_TYPE("certificate name", san_parse);
const struct conf_type conf_url = TEXT_TYPE("URL", url_parse);
const struct conf_type conf_proxy = TEXT_TYPE("URL", proxy_parse);
const struct conf_type conf_template = TEXT_TYPE("template", template_parse);

/* ---- where a TCP socket listens: struct conf_endpoint ---- */

static void endpoint_clear(const struct conf_row *row, void *object)
{
    struct conf_endpoint *endpoint = conf_field(row, object);

    free(endpoint->text);
    free(endpoint->host);
    *endpoint = (struct conf_endpoint){.text = NULL};
}

static int endpoint_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_endpoint endpoint = {.text = NULL};
    char host[ADDRESS_HOST_SIZE];
    int err = address_split(text, host, &endpoint.port, why);

    if (err)
        return err;
    endpoint.text = strdup(text);
    endpoint.host = strdup(host);
    if (!endpoint.text || !endpoint.host) {
        free(endpoint.text);
        free(endpoint.host);
        return -ENOMEM;
    }
    endpoint_clear(row, object);
    memcpy(conf_field(row, object), &endpoint, sizeof(endpoint));
    return 0;
}

static void endpoint_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_endpoint *endpoint = conf_field_const(row, object);

    if (endpoint->text)
        (void)buf_str(out, endpoint->text);
}

const struct conf_type conf_endpoint = {
    .what = "address",
    .parse = endpoint_parse,
    .print = endpoint_print,
    .clear = endpoint_clear,
};

/* ---- digests of tokens: two are valid side by side while a token is being changed ---- */

static int digests_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_digests digests = {.n = 0};
    const char *word;
    size_t len;

    while ((word = conf_next_word(&text, &len))) {
        char hex[2 * sizeof(digests.sha256[0]) + 1];

        if (digests.n == row->max || !text_copy_n(hex, sizeof(hex), word, len) || len != sizeof(hex) - 1 ||
            !text_unhex(digests.sha256[digests.n], sizeof(digests.sha256[0]), hex))
            return conf_refuse(why,
                               "needs one or two SHA-256 of tokens, each as 64 hexadecimal digits (printf "
                               "%%s \"$TOKEN\" | sha256sum), never a token itself");
        digests.n++;
    }
    memcpy(conf_field(row, object), &digests, sizeof(digests));
    return 0;
}

static void digests_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_digests *digests = conf_field_const(row, object);
    char hex[2 * sizeof(digests->sha256[0]) + 1];

    for (size_t i = 0; i < digests->n; i++) {
        text_hex(hex, digests->sha256[i], sizeof(digests->sha256[i]));
        (void)buf_printf(out, "%s%s", i ? " " : "", hex);
    }
}

const struct conf_type conf_digests = {
    .what = "SHA-256 in hexadecimal",
    .shape = SHAPE_AT_MOST,
    .parse = digests_parse,
    .print = digests_print,
    .clear = conf_clear_zero,
};
