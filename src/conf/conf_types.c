/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_types.c - types of the gateway's configuration whose value is several members of one struct: address
 * of a listener, digest of a client's token, forms of a name at a vault.
 *
 * Not here: types that any configuration may use (table/conf_table.h), names of Jumpoints (conf_pra.c).
 */
#include "base/address.h"
#include "base/text.h"
#include "conf/conf_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* ---- address: three members of struct conf_listener follow from one text ---- */

static void address_clear(const struct conf_row *row, void *object)
{
    struct conf_listener *l = object;

    conf_text_clear(row, object);
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
    return conf_text_set(row, object, text);
}

const struct conf_type conf_address = {
    .what = "address",
    .parse = address_parse,
    .print = conf_text_print,
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

/* ---- name forms: an ordered list in struct conf_vault ---- */

static int forms_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    struct conf_vault *v = object;
    int index[32];
    size_t n;

    if (conf_choices_parse(row, text, index, &n, why))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        v->match[i] = (enum conf_name_form)index[i];
    v->nmatch = n;
    return 0;
}

static void forms_print(const struct conf_row *row, const void *object, struct buf *out)
{
    const struct conf_vault *v = object;
    int index[FORM_NFORMS];

    for (size_t i = 0; i < v->nmatch; i++)
        index[i] = (int)v->match[i];
    conf_choices_print(row, index, v->nmatch, out);
}

static void forms_clear(const struct conf_row *row, void *object)
{
    (void)row;
    ((struct conf_vault *)object)->nmatch = 0;
}

const struct conf_type conf_forms = {
    .what = "list",
    .shape = SHAPE_LIST_OF,
    .parse = forms_parse,
    .print = forms_print,
    .clear = forms_clear,
};
