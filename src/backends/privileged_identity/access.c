/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c - the map of a vault; see access.h.
 *
 *   user, or DOMAIN\* --hash--> sets --> sections --> credential
 *
 * A set is the users of one section's `users`, or of one file, which many sections may name. Sets and
 * sections have rising numbers, so the lists of them are sorted.
 *
 * Not here: reading a file of users (access_users.c), patterns of hosts (host_pattern.c).
 */
#include "backends/privileged_identity/access.h"

#include "backends/privileged_identity/access_users.h"
#include "backends/privileged_identity/host_pattern.h"
#include "base/digest.h"
#include "base/person.h"
#include "base/text.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct section {
    char *name;
    struct host_patterns hosts;
    size_t credential; /* its number */
    size_t set[2];     /* of `users` and `users_file`; SIZE_MAX = none */
};

struct set {
    char *file; /* NULL: of one section's `users` */
    struct numbers sections;
};

struct entry { /* a credential with its sections */
    struct pi_credential credential;
    struct numbers sections;
    char *text[6]; /* what the credential points to */
    size_t number;
    UT_hash_handle hh;
};

struct pi_access {
    char *default_domain;
    struct section *section;
    size_t nsections;
    struct set *set;
    size_t nsets;
    struct entry **entry;
    size_t nentries;
    struct entry *by_key;
    struct pi_users users;
};

/* ---- keys ---- */

/* The kind and a hash of the names, each in lower ASCII case and ended by a NUL. */
static int make_key(char out[PI_KEY_SIZE], bool shared, const char *const *name, size_t n)
{
    struct buf text = BUF_INIT(1U << 16);
    unsigned char sum[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];

    for (size_t i = 0; i < n; i++) {
        const char *from = name[i] ? name[i] : "";
        char *to = buf_add(&text, strlen(from) + 1);

        if (to)
            (void)person_key(to, from);
    }
    int err = text.failed ? -ENOMEM : digest_sha256(text.data, text.len, sum);
    buf_free(&text);
    if (err)
        return err;
    text_hex(hex, sum, sizeof(sum));
    (void)snprintf(out, PI_KEY_SIZE, "%s.%.32s", shared ? "shared" : "stored", hex);
    return 0;
}

static int credential_key(char out[PI_KEY_SIZE], const struct pi_credential *c, const char *login,
                          const char *authenticator)
{
    char type[24];
    const char *const name[] = {
        c->shared ? c->list : type, c->system, c->full_account, c->custom_type, login, authenticator};

    (void)snprintf(type, sizeof(type), "%" PRIu64, c->type);
    return make_key(out, c->shared, name, login ? 6 : 4);
}

int pi_request_key(const char *login_name, const char *authenticator, const struct pi_credential *c,
                   char out[PI_KEY_SIZE])
{
    return credential_key(out, c, login_name, authenticator);
}

/* ---- making a map ---- */

static char *keep(struct entry *e, size_t i, const char *text, bool *failed)
{
    free(e->text[i]);
    e->text[i] = text ? strdup(text) : NULL;
    *failed |= text && !e->text[i];
    return e->text[i];
}

static int fill_credential(struct entry *e, const struct conf_access *a)
{
    struct pi_credential *c = &e->credential;
    bool failed = false;

    c->shared = a->shared_list != NULL;
    c->system = keep(e, 0, c->shared ? a->shared_system : a->stored_system, &failed);
    c->full_account = keep(e, 1, c->shared ? a->shared_account : a->stored_account, &failed);
    c->list = keep(e, 2, a->shared_list, &failed);
    c->custom_type = keep(e, 3, c->shared || !a->stored_custom_type ? "" : a->stored_custom_type, &failed);
    c->type = c->shared ? 0 : a->stored_type;
    if (failed)
        return -ENOMEM;
    const char *backslash = strchr(c->full_account, '\\');
    c->account = backslash ? backslash + 1 : c->full_account;
    c->username = c->full_account;
    if (backslash && !(c->domain = strndup(c->full_account, (size_t)(backslash - c->full_account))))
        return -ENOMEM;
    return credential_key(c->key, c, NULL, NULL);
}

static void free_entry(struct entry *e)
{
    for (size_t i = 0; i < sizeof(e->text) / sizeof(e->text[0]); i++)
        free(e->text[i]);
    free(e->credential.domain);
    numbers_free(&e->sections);
    free(e);
}

int pi_access_key(const struct conf_access *a, char out[PI_KEY_SIZE])
{
    struct entry *e = calloc(1, sizeof(*e));
    int err = e ? fill_credential(e, a) : -ENOMEM;

    if (!err)
        memcpy(out, e->credential.key, PI_KEY_SIZE);
    if (e)
        free_entry(e);
    return err;
}

/* What people see is that of the first section that says it. */
static int name_credential(struct entry *e, const struct conf_access *a)
{
    bool failed = false;

    if (a->username && !e->text[4])
        e->credential.username = keep(e, 4, a->username, &failed);
    if (a->label && !e->text[5])
        e->credential.label = keep(e, 5, a->label, &failed);
    return failed ? -ENOMEM : 0;
}

static int add_entry(struct pi_access *map, struct entry *e)
{
    HASH_ADD_KEYPTR(hh, map->by_key, e->credential.key, strlen(e->credential.key), e);
    if (!e->hh.tbl)
        return -ENOMEM;
    e->number = map->nentries;
    map->entry[map->nentries++] = e;
    return 0;
}

/* The credential of the section: a new one, or one that an earlier section has. */
static int add_credential(struct pi_access *map, const struct conf_access *a, struct section *s)
{
    struct entry *added = calloc(1, sizeof(*added)), *e = NULL;
    int err = added ? fill_credential(added, a) : -ENOMEM;

    if (!err)
        HASH_FIND_STR(map->by_key, added->credential.key, e);
    if (!err && !e) {
        err = add_entry(map, added);
        if (!err) {
            e = added;
            added = NULL;
        }
    }
    if (added)
        free_entry(added);
    if (err)
        return err;
    s->credential = e->number;
    err = name_credential(e, a);
    return err ? err : numbers_add(&e->sections, (size_t)(s - map->section));
}

static int add_set(struct pi_access *map, const char *file, size_t *number)
{
    struct set *set = &map->set[map->nsets];

    if (file && !(set->file = strdup(file)))
        return -ENOMEM;
    *number = map->nsets++;
    return 0;
}

static int add_own_users(struct pi_access *map, const struct conf_access *a, struct section *s)
{
    int err = a->users.n ? add_set(map, NULL, &s->set[0]) : 0;

    for (size_t i = 0; i < a->users.n && !err; i++)
        err = pi_users_add(&map->users, a->users.item[i], strlen(a->users.item[i]), s->set[0]);
    return err;
}

/* The file is read when the first section names it. */
static int add_file(struct pi_access *map, const struct conf_access *a, struct section *s, struct buf *errors)
{
    if (!a->users_file)
        return 0;
    for (size_t i = map->nsets; i && s->set[1] == SIZE_MAX; i--)
        if (map->set[i - 1].file && strcmp(map->set[i - 1].file, a->users_file) == 0)
            s->set[1] = i - 1;
    if (s->set[1] != SIZE_MAX)
        return 0;
    int err = add_set(map, a->users_file, &s->set[1]);
    return err ? err : pi_users_read(&map->users, a->users_file, s->set[1], errors);
}

static int add_section(struct pi_access *map, const struct conf_access *a, struct buf *errors)
{
    struct section *s = &map->section[map->nsections++];

    *s = (struct section){.name = strdup(a->name), .set = {SIZE_MAX, SIZE_MAX}};
    int err = s->name ? host_patterns_make(&s->hosts, &a->hosts) : -ENOMEM;
    if (!err)
        err = add_credential(map, a, s);
    if (!err)
        err = add_own_users(map, a, s);
    if (err)
        return err;
    int file_err = add_file(map, a, s, errors);
    for (size_t i = 0; i < 2 && !err; i++)
        if (s->set[i] != SIZE_MAX)
            err = numbers_add(&map->set[s->set[i]].sections, (size_t)(s - map->section));
    return err ? err : file_err;
}

static struct pi_access *new_map(const struct conf *conf, const struct conf_vault *vault)
{
    struct pi_access *map = calloc(1, sizeof(*map));
    size_t n = conf->naccesses + 1;

    if (!map)
        return NULL;
    map->section = calloc(n, sizeof(*map->section));
    map->set = calloc(2 * n, sizeof(*map->set));
    map->entry = calloc(n, sizeof(struct entry *));
    map->default_domain = strdup(vault->default_domain ? vault->default_domain : "");
    if (map->section && map->set && map->entry && map->default_domain)
        return map;
    pi_access_free(map);
    return NULL;
}

int pi_access_new(const struct conf *conf, const struct conf_vault *vault, struct pi_access **out,
                  struct buf *errors)
{
    struct pi_access *map = new_map(conf, vault);
    int err = map ? 0 : -ENOMEM, mistakes = 0;

    *out = NULL;
    for (size_t i = 0; i < conf->naccesses && !err; i++) {
        if (conf_access_vault(conf, &conf->accesses[i]) != vault)
            continue;
        err = add_section(map, &conf->accesses[i], errors);
        if (err && err != -ENOMEM) { /* a file's mistakes; those of the others are named as well */
            mistakes = -EINVAL;
            err = 0;
        }
    }
    if (!err)
        err = mistakes;
    if (err)
        pi_access_free(map);
    else
        *out = map;
    return err;
}

void pi_access_free(struct pi_access *map)
{
    if (!map)
        return;
    HASH_CLEAR(hh, map->by_key);
    for (size_t i = 0; i < map->nentries; i++)
        free_entry(map->entry[i]);
    for (size_t i = 0; i < map->nsections; i++) {
        free(map->section[i].name);
        host_patterns_free(&map->section[i].hosts);
    }
    for (size_t i = 0; i < map->nsets; i++) {
        free(map->set[i].file);
        numbers_free(&map->set[i].sections);
    }
    pi_users_free(&map->users);
    free(map->entry);
    free(map->section);
    free(map->set);
    free(map->default_domain);
    free(map);
}

/* ---- questions ---- */

size_t pi_access_count(const struct pi_access *map)
{
    return map->nentries;
}

const struct pi_credential *pi_access_at(const struct pi_access *map, size_t i)
{
    return &map->entry[i]->credential;
}

static struct entry *entry_of(const struct pi_access *map, const char *key)
{
    struct entry *e;

    HASH_FIND_STR(map->by_key, key, e);
    return e;
}

const struct pi_credential *pi_access_credential(const struct pi_access *map, const char *account_key)
{
    const struct entry *e = entry_of(map, account_key);

    return e ? &e->credential : NULL;
}

/* The sets that hold the user: by name, and by domain. */
struct user_sets {
    const struct numbers *list[2];
};

static int sets_of(const struct pi_access *map, const struct pi_session *s, struct user_sets *out)
{
    const char *domain = s->domain && *s->domain ? s->domain : map->default_domain;

    return pi_users_find(&map->users, domain, s->username, out->list);
}

static bool has_set(const struct user_sets *sets, size_t set)
{
    return set != SIZE_MAX && (numbers_has(sets->list[0], set) || numbers_has(sets->list[1], set));
}

int pi_access_judge(const struct pi_access *map, const struct pi_session *s, const char *account_key,
                    enum pi_entitlement *out)
{
    const struct entry *e = entry_of(map, account_key);
    struct user_sets sets;
    struct host_forms forms;

    *out = PI_NO_CREDENTIAL;
    if (!e)
        return 0;
    int err = sets_of(map, s, &sets);
    if (!err)
        err = host_forms_make(&forms, s->forms, s->nforms);
    if (err)
        return err;
    *out = PI_NOT_ENTITLED;
    for (size_t i = 0; i < e->sections.n && *out != PI_ENTITLED; i++) {
        const struct section *section = &map->section[e->sections.list[i]];

        if ((has_set(&sets, section->set[0]) || has_set(&sets, section->set[1])) &&
            host_patterns_match(&section->hosts, &forms))
            *out = PI_ENTITLED;
    }
    host_forms_free(&forms);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static void sort_unique(struct numbers *list)
{
    size_t n = 0;

    if (list->n)
        qsort(list->list, list->n, sizeof(*list->list), by_number);
    for (size_t i = 0; i < list->n; i++)
        if (!n || list->list[n - 1] != list->list[i])
            list->list[n++] = list->list[i];
    list->n = n;
}

/* The sections that name the user, in the order of the configuration. */
static int sections_of(const struct pi_access *map, const struct user_sets *sets, struct numbers *out)
{
    int err = 0;

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; sets->list[k] && i < sets->list[k]->n && !err; i++) {
            const struct numbers *of_set = &map->set[sets->list[k]->list[i]].sections;

            for (size_t j = 0; j < of_set->n && !err; j++)
                err = numbers_add(out, of_set->list[j]);
        }
    sort_unique(out);
    return err;
}

static int find_in(const struct pi_access *map, const struct numbers *sections,
                   const struct host_forms *forms, struct pi_found *out)
{
    struct numbers credentials = {.n = 0};
    int err = 0;

    for (size_t i = 0; i < sections->n && !err; i++) {
        const struct section *s = &map->section[sections->list[i]];

        if (out->named < ENTITLED_SECTIONS_MAX)
            out->section[out->named] = s->name;
        out->named++;
        if (host_patterns_match(&s->hosts, forms))
            err = numbers_add(&credentials, s->credential);
        else
            out->by_host++;
    }
    sort_unique(&credentials);
    out->list = calloc(credentials.n + 1, sizeof(*out->list));
    if (!out->list)
        err = -ENOMEM;
    for (size_t i = 0; i < credentials.n && !err; i++)
        out->list[out->n++] = &map->entry[credentials.list[i]]->credential;
    numbers_free(&credentials);
    return err;
}

int pi_access_find(const struct pi_access *map, const struct pi_session *s, struct pi_found *out)
{
    struct numbers sections = {.n = 0};
    struct host_forms forms = {.n = 0};
    struct user_sets sets;

    *out = (struct pi_found){.n = 0};
    int err = sets_of(map, s, &sets);
    if (!err)
        err = host_forms_make(&forms, s->forms, s->nforms);
    if (!err)
        err = sections_of(map, &sets, &sections);
    out->by_user = map->nsections - sections.n;
    if (!err)
        err = find_in(map, &sections, &forms, out);
    host_forms_free(&forms);
    numbers_free(&sections);
    if (err)
        pi_found_free(out);
    return err;
}

void pi_found_free(struct pi_found *found)
{
    free(found->list);
    found->list = NULL;
    found->n = 0;
}
