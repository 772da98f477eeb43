/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_texts.c - types of the configuration whose value is a text: names, files, addresses, URLs, templates,
 * token digests.
 *
 * Each value is a copy of its own. A file name may begin with $CREDENTIALS_DIRECTORY/ (or
 * ${CREDENTIALS_DIRECTORY}/, or systemd's %d/), the directory of the service manager's credentials; no other
 * variable of the environment is used.
 *
 * Not here: the files themselves (conf_files.c).
 */
#include "base/address.h"
#include "base/text.h"
#include "conf/conf_table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static_assert(ADDRESS_WHY_SIZE == CONF_WHY_SIZE, "one size for explanations");

static char *text_of(const struct conf_row *row, const void *object)
{
    char *text;

    memcpy(&text, conf_field_const(row, object), sizeof(text));
    return text;
}

static void text_clear(const struct conf_row *row, void *object)
{
    char *none = NULL;

    free(text_of(row, object));
    memcpy(conf_field(row, object), &none, sizeof(none));
}

static int set_text(const struct conf_row *row, void *object, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    text_clear(row, object);
    memcpy(conf_field(row, object), &copy, sizeof(copy));
    return 0;
}

static void text_print(const struct conf_row *row, const void *object, struct buf *out)
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
        text_clear(row, object);
        return 0;
    }
    return set_text(row, object, text);
}

static int word_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (conf_choice_index(row->choices, text, strlen(text)) < 0)
        return conf_refuse_choice(row, text, strlen(text), why);
    return set_text(row, object, text);
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
        return set_text(row, object, text);
    if (!dir || !*dir)
        return conf_refuse(why, "names a credential, but CREDENTIALS_DIRECTORY is not set: systemd sets it "
                                "for a unit with LoadCredential=");
    n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return conf_refuse(why, "is too long for a file name");
    return set_text(row, object, path);
}

/* A credential is printed by its name: its directory is another one for each process of systemd. */
static void file_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const char *text = text_of(row, object), *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t n = dir ? strlen(dir) : 0;

    if (text && n && strncmp(text, dir, n) == 0 && text[n] == '/')
        (void)buf_printf(out, "$CREDENTIALS_DIRECTORY%s", text + n);
    else
        text_print(row, object, out);
}

static int san_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    char normal[ADDRESS_SAN_SIZE];

    if (address_normal_san(text, normal, why))
        return -EINVAL;
    return set_text(row, object, normal);
}

static int proxy_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    static const char *const schemes = "http https socks5 socks5h";
    struct address_url url;

    if (address_split_url(text, &url, why))
        return -EINVAL;
    if (conf_choice_index(schemes, url.scheme, strlen(url.scheme)) < 0 || !url.port || strlen(url.path) > 1)
        return conf_refuse(why, "needs http://HOST:PORT, or https://, socks5:// or socks5h:// in its place");
    return set_text(row, object, text);
}

static int url_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct address_url url;
    int err = address_split_url(text, &url, why);

    if (err)
        return err;
    if (strcmp(url.scheme, "https") != 0 && strcmp(url.scheme, "http") != 0)
        return conf_refuse(why, "needs an https:// address");
    err = set_text(row, object, text);
    if (!err) {
        char *copy = text_of(row, object);
        for (size_t n = strlen(copy); n && copy[n - 1] == '/'; n--)
            copy[n - 1] = '\0';
    }
    return err;
}

#define TEXT_TYPE(title, parser)                                                                             \
    {                                                                                                        \
        .what = (title), .parse = (parser), .print = text_print, .clear = text_clear,                        \
    }

const struct conf_type conf_text = TEXT_TYPE("text", text_parse);
const struct conf_type conf_word = TEXT_TYPE("choice", word_parse);
const struct conf_type conf_file = {
    .what = "file", .parse = file_parse, .print = file_print, .clear = text_clear};
const struct conf_type conf_san = TEXT_TYPE("certificate name", san_parse);
const struct conf_type conf_url = TEXT_TYPE("URL", url_parse);
const struct conf_type conf_proxy = TEXT_TYPE("URL", proxy_parse);
const struct conf_type conf_template = TEXT_TYPE("template", template_parse);

/* ---- address: three members of struct conf_listener follow from one text ---- */

static void address_clear(const struct conf_row *row, void *object)
{
    struct conf_listener *l = object;

    text_clear(row, object);
    free(l->host);
    l->host = NULL;
    l->is_unix = false;
    l->port = 0;
}

static int listener_address(const char *text, struct conf_listener *out, char host[ADDRESS_HOST_SIZE],
                            char *why)
{
    out->is_unix = strncmp(text, "unix:", 5) == 0;
    if (!out->is_unix)
        return address_split(text, host, &out->port, why);
    if (text[5] != '/')
        return conf_refuse(why, "needs an absolute path after unix:");
    if (strlen(text + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return conf_refuse(why, "has a path too long for a Unix socket (at most 107 bytes)");
    (void)text_copy(host, ADDRESS_HOST_SIZE, text + 5);
    return 0;
}

static int address_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_listener parts = {0}, *l = object;
    char host[ADDRESS_HOST_SIZE];
    char *copy;
    int err = listener_address(text, &parts, host, why);

    if (err)
        return err;
    copy = strdup(host);
    if (!copy)
        return -ENOMEM;
    address_clear(row, object);
    l->host = copy;
    l->is_unix = parts.is_unix;
    l->port = parts.port;
    return set_text(row, object, text);
}

const struct conf_type conf_address = {
    .what = "address",
    .parse = address_parse,
    .print = text_print,
    .clear = address_clear,
};

/* ---- SHA-256 of a token ---- */

static int digest_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_client *c = object;

    (void)row;
    if (strlen(text) != 2 * sizeof(c->token_sha256) ||
        !text_unhex(c->token_sha256, sizeof(c->token_sha256), text))
        return conf_refuse(why, "needs the SHA-256 of the token as 64 hexadecimal digits (printf %%s "
                                "\"$TOKEN\" | sha256sum), never the token itself");
    c->has_token = true;
    return 0;
}

static void digest_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_client *c = object;
    char hex[2 * sizeof(c->token_sha256) + 1];

    (void)row;
    if (!c->has_token)
        return;
    text_hex(hex, c->token_sha256, sizeof(c->token_sha256));
    (void)buf_str(out, hex);
}

static void digest_clear(const struct conf_row *row, void *object)
{
    struct conf_client *c = object;

    (void)row;
    memset(c->token_sha256, 0, sizeof(c->token_sha256));
    c->has_token = false;
}

const struct conf_type conf_digest = {
    .what = "SHA-256 in hexadecimal",
    .parse = digest_parse,
    .print = digest_print,
    .clear = digest_clear,
};
