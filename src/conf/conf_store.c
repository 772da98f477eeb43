/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_store.c - the section [store]: the types that only it uses, and what its keys have to do with each
 * other.
 *
 *   endpoints  addresses scheme://host:port, in one spelling, none twice
 *   prefix     /…/ of the letters that a key may have
 *   node       a name in the cluster
 *
 * A section that the file does not have is that of the default, SQLite, and has nothing to check.
 *
 * Not here: the keys (conf_rows.c), the files that they name (conf_files.c).
 */
#include "base/address.h"
#include "conf/conf_checks.h"
#include "conf/table/conf_rules.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LETTERS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define NODE_MAX 63

/* ---- endpoints ---- */

/* The one spelling of an endpoint into `out`. */
static int normal_endpoint(const char *word, size_t len, char out[ADDRESS_HOST_SIZE + 32], char *why)
{
    char text[ADDRESS_HOST_SIZE + 32], wrong[ADDRESS_WHY_SIZE];
    struct address_url url;

    if (len >= sizeof(text))
        return conf_refuse(why, "holds an address that is too long");
    memcpy(text, word, len);
    text[len] = '\0';
    if (address_split_url(text, &url, wrong))
        return conf_refuse(why, "%.200s", wrong);
    if (*url.path && strcmp(url.path, "/") != 0)
        return conf_refuse(why, "needs addresses without a path, and `%.64s` has one", text);
    if (!url.port)
        return conf_refuse(why, "needs addresses with their port, such as https://%.64s:2379", url.host);
    (void)snprintf(out, ADDRESS_HOST_SIZE + 32, strchr(url.host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
                   url.scheme, url.host, url.port);
    return 0;
}

static int add_endpoint(const struct conf_row *row, struct conf_list *list, const char *word, size_t len,
                        char *why)
{
    char text[ADDRESS_HOST_SIZE + 32];

    if (normal_endpoint(word, len, text, why))
        return -EINVAL;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->item[i], text) == 0)
            return conf_refuse(why, "names %.64s twice", text);
    if (list->n == row->max)
        return conf_refuse(why, "takes at most %u addresses", (unsigned)row->max);
    list->item[list->n] = strdup(text);
    if (!list->item[list->n])
        return -ENOMEM;
    list->n++;
    return 0;
}

static int endpoints_parse(const struct conf_row *row, const char *text, void *object,
                           char why[CONF_WHY_SIZE])
{
    return conf_list_parse(row, text, object, add_endpoint, why);
}

const struct conf_type conf_store_endpoints = {
    .what = "addresses",
    .shape = SHAPE_AT_MOST,
    .parse = endpoints_parse,
    .print = conf_list_print,
    .clear = conf_list_clear,
};

/* ---- prefix and node ---- */

static int prefix_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    size_t len = strlen(text);

    if (len < 2 || text[0] != '/' || text[len - 1] != '/' || strstr(text, "//"))
        return conf_refuse(why, "must begin and end with /, such as %s", row->fallback);
    if (text[strspn(text, LETTERS "/")])
        return conf_refuse(why, "has a letter other than A-Z a-z 0-9 . _ - /");
    if (len > row->max)
        return conf_refuse(why, "must not be longer than %u letters", (unsigned)row->max);
    return conf_text_set(row, object, text);
}

const struct conf_type conf_store_prefix = {
    .what = "text",
    .parse = prefix_parse,
    .print = conf_text_print,
    .clear = conf_text_clear,
};

static bool is_node(const char *text)
{
    size_t len = strlen(text);

    return len && len <= NODE_MAX && !text[strspn(text, LETTERS)];
}

static int node_parse(const struct conf_row *row, const char *text, void *object, char why[CONF_WHY_SIZE])
{
    if (!is_node(text))
        return conf_refuse(why, "must be 1 to %u letters of A-Z a-z 0-9 . _ -", NODE_MAX);
    return conf_text_set(row, object, text);
}

const struct conf_type conf_store_node = {
    .what = "name",
    .parse = node_parse,
    .print = conf_text_print,
    .clear = conf_text_clear,
};

static bool host_name(char out[HOST_NAME_MAX + 1])
{
    out[HOST_NAME_MAX] = '\0';
    return gethostname(out, HOST_NAME_MAX) == 0 && is_node(out);
}

int conf_store_default_node(struct conf_store *s)
{
    char name[HOST_NAME_MAX + 1];

    if (s->type != STORE_ETCD || s->node)
        return 0;
    if (!host_name(name))
        return -EINVAL;
    s->node = strdup(name);
    return s->node ? 0 : -ENOMEM;
}

/* ---- the section ---- */

/* Half a configuration of etcd is a gateway that stands alone and is believed not to. */
static void refuse_etcd_keys(struct conf_draft *d, const struct conf_part *part)
{
    for (size_t i = 0; i < d->table->nrows; i++) {
        const struct conf_row *row = &d->table->rows[i];

        if (row->section == SECTION_STORE && part->at[i] && strcmp(row->name, "type") != 0)
            conf_error(d, part->at[i], "`%s` is for etcd: set `type = etcd`, or leave it out", row->name);
    }
}

/* Whether plain http goes to another machine; refuses it where that is not wanted. */
static bool check_plain_http(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_store *s = part->object;
    unsigned line = conf_part_line(part, "endpoints");
    bool away = false;

    for (size_t i = 0; i < s->endpoints.n; i++) {
        char why[ADDRESS_WHY_SIZE];
        struct address_url url;

        if (address_split_url(s->endpoints.item[i], &url, why) || strcmp(url.scheme, "http") != 0 ||
            address_is_loopback(url.host))
            continue;
        away = true;
        if (!s->insecure_http)
            conf_error(d, line,
                       "%s must be https: plain http is for this machine's loopback addresses, or with "
                       "insecure_http = yes",
                       s->endpoints.item[i]);
    }
    return away;
}

static void check_endpoints(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_store *s = part->object;
    unsigned line = conf_part_line(part, "endpoints");
    bool away = check_plain_http(d, part);

    if (!s->endpoints.n)
        conf_error(d, line,
                   "[store] lacks `endpoints`, such as: endpoints = https://etcd1.example.com:2379 …");
    else if (s->endpoints.n == 1)
        conf_warning(d, line,
                     "`endpoints` names one member of etcd: while it is away no gateway checks anything out. "
                     "Name all members, three or five of them");
    if (s->insecure_http && !away)
        conf_warning(d, conf_part_line(part, "insecure_http"),
                     "`insecure_http` has no effect: no endpoint is plain http to another machine");
    else if (away && s->insecure_http)
        conf_warning(d, conf_part_line(part, "insecure_http"),
                     "with plain http who can read along sees who has which account, and who can write can "
                     "end every lease%s",
                     s->user ? "; the password of `user` is sent in the clear" : "");
}

static void check_node(struct conf_draft *d, const struct conf_part *part)
{
    const struct conf_store *s = part->object;
    char name[HOST_NAME_MAX + 1];

    if (s->node)
        return;
    if (!host_name(name))
        conf_error(d, part->line, "[store] needs `node`: the name of this host is no name for a node");
    else if (strcmp(name, "localhost") == 0)
        conf_warning(d, part->line,
                     "this host is called localhost: set `node`, or a second gateway has the same name");
}

void conf_check_store(struct conf_draft *d)
{
    const struct conf_part *part = conf_draft_next(d, SECTION_STORE, NULL);
    const struct conf_store *s = part ? part->object : NULL;

    if (!s)
        return;
    if (s->type != STORE_ETCD) {
        refuse_etcd_keys(d, part);
        return;
    }
    check_endpoints(d, part);
    check_node(d, part);
    conf_check_couple(d, part, "client_certificate", "client_key");
    conf_check_couple(d, part, "user", "password_file");
}
