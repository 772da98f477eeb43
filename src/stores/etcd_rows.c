/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_rows.c - see etcd_rows.h.
 *
 * The order of the members of a value is fixed, so that equal rows have equal values. The first one is the
 * mark: "state and mark" is a range of values too. Members whose text is "" or whose number is 0 are left
 * out.
 */
#include "stores/etcd_rows.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <errno.h>

#define SESSION_HASH    16 /* bytes */
#define CREDENTIAL_HASH 8
#define HASH_TEXT_SIZE  24 /* of 16 bytes in base64url without padding, and the NUL */
#define VALUE_DEPTH     4

static const char letters[REQUEST_NSTATES] = {[REQUEST_ASKED] = 'I',
                                              [REQUEST_HELD] = 'O',
                                              [REQUEST_RETURNING] = 'R',
                                              [REQUEST_LAPSED] = 'L',
                                              [REQUEST_PENDING] = 'W'};
#define LEASE_LETTER     'O'
#define CANCELLED_LETTER 'X' /* an ASKED request that may not be opened any more */

/* ---- keys ---- */

static void base64url(char *to, const unsigned char *from, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | from[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = digits[bits >> (have - 6) & 63];
    }
    if (have)
        *to++ = digits[bits << (6 - have) & 63];
    *to = '\0';
}

/* The parts one after the other, up to NULL. False = they do not fit. */
static bool put_key(char key[ETCD_KEY_SIZE], const char *const *parts)
{
    size_t len = 0;

    for (; *parts; parts++) {
        size_t n = strlen(*parts);

        if (n >= ETCD_KEY_SIZE - len)
            return false;
        memcpy(key + len, *parts, n);
        len += n;
    }
    key[len] = '\0';
    return true;
}

#define PUT_KEY(key, ...) put_key(key, (const char *const[]){__VA_ARGS__, NULL})

/* Of texts that end with their NUL each, so that "ab","c" is not "a","bc". */
static int hash_texts(char out[HASH_TEXT_SIZE], size_t bytes, const char *const *texts, size_t n)
{
    unsigned char digest[DIGEST_SIZE];
    struct buf all = BUF_INIT(ETCD_VALUE_SIZE);

    for (size_t i = 0; i < n; i++)
        buf_append(&all, texts[i], strlen(texts[i]) + 1);
    int err = all.failed ? -ENOMEM : digest_sha256(all.data, all.len, digest);

    buf_free(&all);
    if (!err)
        base64url(out, digest, bytes);
    return err;
}

static int hash_text(char out[HASH_TEXT_SIZE], const char *text)
{
    return hash_texts(out, CREDENTIAL_HASH, &text, 1);
}

/* "S/C" */
static int holder_key(char key[ETCD_KEY_SIZE], const struct holder *h)
{
    char session[HASH_TEXT_SIZE], credential[HASH_TEXT_SIZE];
    const char *const who[] = {h->username, h->domain, h->session};
    int err = hash_texts(session, SESSION_HASH, who, 3);

    if (!err)
        err = hash_text(credential, h->credential);
    if (err)
        return err;
    return PUT_KEY(key, session, "/", credential) ? 0 : -ENAMETOOLONG;
}

/* "VAULT" and "R", with no '/' in either. */
static int vault_and_name(char vault[ETCD_KEY_SIZE / 2], char name[ETCD_KEY_SIZE / 2],
                          const struct request_row *r)
{
    name[0] = '=';
    return text_url_encode(vault, ETCD_KEY_SIZE / 2, r->vault) &&
                   text_url_encode(*r->name ? name : name + 1, ETCD_KEY_SIZE / 2 - 1,
                                   *r->name ? r->name : r->mark)
               ? 0
               : -ENAMETOOLONG;
}

int etcd_request_key(char key[ETCD_KEY_SIZE], const struct request_row *r)
{
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2], user[HASH_TEXT_SIZE];
    int err = vault_and_name(vault, name, r);

    if (!err)
        err = hash_text(user, r->user);
    if (err)
        return err;
    return PUT_KEY(key, "r/", vault, "/", user, "/", name) ? 0 : -ENAMETOOLONG;
}

int etcd_holds_key(char key[ETCD_KEY_SIZE], const struct request_row *r)
{
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2];
    int err = vault_and_name(vault, name, r);

    return err || PUT_KEY(key, "h/", vault, "/", name, "/") ? err : -ENAMETOOLONG;
}

int etcd_session_key(char key[ETCD_KEY_SIZE], const char *kind, const struct holder *h, bool with_credential)
{
    const struct holder who = {.username = h->username,
                               .domain = h->domain,
                               .session = h->session,
                               .credential = with_credential ? h->credential : ""};
    char holder[ETCD_KEY_SIZE];
    int err = holder_key(holder, &who);

    if (err)
        return err;
    if (!with_credential)
        *strchr(holder, '/') = '\0';
    return PUT_KEY(key, kind, holder, with_credential ? "" : "/") ? 0 : -ENAMETOOLONG;
}

int etcd_lsid_key(char key[ETCD_KEY_SIZE], const char *lsid)
{
    char encoded[ETCD_KEY_SIZE];

    return text_url_encode(encoded, sizeof encoded, lsid) && PUT_KEY(key, "e/", encoded, "/") ? 0
                                                                                              : -ENAMETOOLONG;
}

void etcd_key_end(char to[ETCD_KEY_SIZE], const char *key)
{
    size_t n = strlen(key);

    memcpy(to, key, n + 1);
    to[n - 1]++; /* '0' comes after '/' */
}

/* e/LSID/ID; "" where the lsid is not known. An lsid too long for a key is not looked for by it. */
static void lsid_key(char key[ETCD_KEY_SIZE], const struct holder *h, const char *id)
{
    char lsid[ETCD_KEY_SIZE];

    key[0] = '\0';
    if (h->lsid && *h->lsid && etcd_lsid_key(lsid, h->lsid) == 0 && !PUT_KEY(key, lsid, id))
        key[0] = '\0';
}

static int request_keys(struct etcd_keys *k, const struct request_row *r)
{
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2], asker[ETCD_KEY_SIZE], user[HASH_TEXT_SIZE];
    int err = vault_and_name(vault, name, r);

    if (!err)
        err = etcd_request_key(k->request, r);
    if (!err)
        err = holder_key(asker, &r->asker);
    if (!err)
        err = hash_text(user, r->user);
    if (err)
        return err;
    bool fits = PUT_KEY(k->intent, "i/", asker, "/", r->mark) && PUT_KEY(k->asker, "s/", asker) &&
                PUT_KEY(k->holds, "h/", vault, "/", name, "/") &&
                PUT_KEY(k->pending, "w/", user, strchr(asker, '/')) && PUT_KEY(k->asker_value, asker);

    lsid_key(k->asker_lsid, &r->asker, r->mark);
    return fits ? 0 : -ENAMETOOLONG;
}

static int lease_keys(struct etcd_keys *k, const struct store_step *step)
{
    const struct lease_row *l = &step->lease;
    int err = holder_key(k->holder, &l->holder);

    if (err)
        return err;
    bool fits = PUT_KEY(k->lease, "s/", k->holder) && PUT_KEY(k->hold, k->holds, l->id);

    lsid_key(k->lease_lsid, &l->holder, l->id);
    if (step->kind == STEP_OPEN && *step->instead)
        fits = fits && PUT_KEY(k->instead, "i/", k->holder, "/", step->instead);
    return fits ? 0 : -ENAMETOOLONG;
}

int etcd_keys_of(struct etcd_keys *k, const struct store_step *step, const char *node)
{
    char site[ETCD_KEY_SIZE];

    k->lease[0] = k->hold[0] = k->holder[0] = k->instead[0] = k->cursor[0] = '\0';
    k->asker_lsid[0] = k->lease_lsid[0] = '\0';
    if (step->kind == STEP_CURSOR) {
        k->intent[0] = k->request[0] = k->pending[0] = k->holds[0] = k->asker[0] = '\0';
        return text_url_encode(site, sizeof site, step->cursor.site) &&
                       PUT_KEY(k->cursor, "p/", node, "/", site)
                   ? 0
                   : -ENAMETOOLONG;
    }
    int err = request_keys(k, &step->request);

    return err || !*step->lease.id ? err : lease_keys(k, step);
}

/* ---- writing values ---- */

static void add_text(struct jsonw *w, const char *name, const char *text)
{
    if (*text)
        jsonw_str(w, name, text);
}

static void add_number(struct jsonw *w, const char *name, int64_t number)
{
    if (number)
        jsonw_int(w, name, number);
}

static void add_holder(struct jsonw *w, const struct holder *h)
{
    add_text(w, "p", h->username);
    add_text(w, "d", h->domain);
    add_text(w, "s", h->session);
    add_text(w, "k", h->lsid);
    add_text(w, "c", h->credential);
    add_text(w, "y", h->system);
    add_text(w, "z", h->account);
    add_number(w, "b", h->created_wall_ms);
}

void etcd_request_value(struct buf *out, const struct request_row *r, const char *owner)
{
    struct jsonw w = jsonw_start(out);

    buf_char(out, r->state == REQUEST_ASKED && r->cancelled ? CANCELLED_LETTER : letters[r->state]);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "m", r->mark);
    jsonw_str(&w, "o", owner);
    add_text(&w, "v", r->vault);
    add_text(&w, "u", r->user);
    add_text(&w, "n", r->name);
    add_text(&w, "a", r->url);
    add_number(&w, "f", r->adopted);
    add_number(&w, "e", r->expires_wall_ms);
    add_number(&w, "t", r->attempts);
    add_number(&w, "x", r->next_wall_ms);
    add_text(&w, "l", r->last_error);
    add_holder(&w, &r->asker);
    jsonw_end(&w);
}

void etcd_lease_value(struct buf *out, const struct lease_row *l, const struct request_row *r)
{
    struct jsonw w = jsonw_start(out);

    buf_char(out, LEASE_LETTER);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "i", l->id);
    add_text(&w, "m", *r->name ? "" : r->mark);
    add_text(&w, "v", r->vault);
    add_text(&w, "u", r->user);
    add_text(&w, "n", r->name);
    add_number(&w, "g", (int64_t)l->ended);
    add_text(&w, "j", l->ended_site);
    add_holder(&w, &l->holder);
    jsonw_end(&w);
}

/* ---- reading values ---- */

static struct holder read_holder(const cJSON *t)
{
    return (struct holder){
        .username = json_text(t, "p"),
        .domain = json_text(t, "d"),
        .session = json_text(t, "s"),
        .lsid = json_text(t, "k"),
        .credential = json_text(t, "c"),
        .system = json_text(t, "y"),
        .account = json_text(t, "z"),
        .created_wall_ms = json_number(t, "b"),
    };
}

static void read_request(struct request_row *r, const cJSON *t, enum request_state state)
{
    *r = (struct request_row){
        .mark = json_text(t, "m"),
        .owner = json_text(t, "o"),
        .state = state,
        .vault = json_text(t, "v"),
        .url = json_text(t, "a"),
        .user = json_text(t, "u"),
        .name = json_text(t, "n"),
        .adopted = json_number(t, "f") != 0,
        .expires_wall_ms = json_number(t, "e"),
        .attempts = json_number(t, "t"),
        .next_wall_ms = json_number(t, "x"),
        .last_error = json_text(t, "l"),
        .asker = read_holder(t),
    };
}

static bool read_lease(struct etcd_row *row)
{
    const cJSON *t = row->tree;
    int64_t ended = json_number(t, "g");

    row->request = (struct request_row){.owner = "",
                                        .mark = json_text(t, "m"),
                                        .vault = json_text(t, "v"),
                                        .user = json_text(t, "u"),
                                        .name = json_text(t, "n")};
    row->lease = (struct lease_row){.request = "",
                                    .id = json_text(t, "i"),
                                    .ended = (enum session_end_source)ended,
                                    .ended_site = json_text(t, "j"),
                                    .holder = read_holder(t)};
    return *row->lease.id && ended >= 0 && ended < SESSION_END_NSOURCES;
}

static bool read_tree(struct etcd_row *row, char letter)
{
    if (!cJSON_IsObject(row->tree))
        return false;
    if (row->is_lease)
        return letter == LEASE_LETTER && read_lease(row);
    for (int state = 0; state < REQUEST_NSTATES; state++) {
        bool cancelled = state == REQUEST_ASKED && letter == CANCELLED_LETTER;

        if (letters[state] != letter && !cancelled)
            continue;
        read_request(&row->request, row->tree, (enum request_state)state);
        row->request.cancelled = cancelled;
        return *row->request.mark != '\0';
    }
    return false;
}

int etcd_row_read(struct etcd_row *row, bool is_lease, const char *value, size_t n)
{
    struct json_outcome outcome;

    *row = (struct etcd_row){.is_lease = is_lease};
    if (n < 2)
        return -EUCLEAN;
    row->tree = json_read(value + 1, n - 1, VALUE_DEPTH, JSON_EXACT, &outcome);
    if (!row->tree)
        return outcome.err == -ENOMEM ? -ENOMEM : -EUCLEAN;
    if (read_tree(row, value[0]))
        return 0;
    etcd_row_free(row);
    return -EUCLEAN;
}

void etcd_row_free(struct etcd_row *row)
{
    cJSON_Delete(row->tree);
    row->tree = NULL;
}

/* The mark comes first and the owner second, and neither has a letter that JSON escapes. */
bool etcd_value_reown(struct buf *out, const char *value, size_t n, const char *from, const char *to)
{
    static const char member[] = "\",\"o\":\"";
    const char *at = memmem(value, n, member, sizeof member - 1);
    size_t len = strlen(from);

    if (!at)
        return false;
    at += sizeof member - 1;
    size_t head = (size_t)(at - value);

    if (n - head <= len || memcmp(at, from, len) != 0 || at[len] != '"')
        return false;
    buf_append(out, value, head);
    buf_str(out, to);
    buf_append(out, at + len, n - head - len);
    return true;
}
