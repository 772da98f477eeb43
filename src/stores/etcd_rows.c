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
#include "base/lsid.h"
#include "base/person.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

#define SESSION_HASH    16 /* bytes */
#define CREDENTIAL_HASH 8
#define HASH_TEXT_SIZE  24 /* of 16 bytes in base64url without padding, and the NUL */
#define VALUE_DEPTH     4

static const char letters[REQUEST_NSTATES] = {
    [REQUEST_ASKED] = 'I',  [REQUEST_HELD] = 'O',    [REQUEST_RETURNING] = 'R',
    [REQUEST_LAPSED] = 'L', [REQUEST_PENDING] = 'W', [REQUEST_SPINNING] = 'S'};
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

bool etcd_put_texts(char key[ETCD_KEY_SIZE], const char *const *parts)
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

#define PUT_KEY(key, ...) etcd_put_texts(key, (const char *const[]){__VA_ARGS__, NULL})

/* As the same in each spelling of the name. */
static void append_person(struct buf *out, const char *name)
{
    char *key = buf_add(out, strlen(name) + 1);

    if (key)
        (void)person_key(key, name);
}

/* Of texts that end with their NUL each, so that "ab","c" is not "a","bc". The first ones are names of people
 * and domains. */
static int hash_texts(char out[HASH_TEXT_SIZE], size_t bytes, const char *const *texts, size_t n,
                      size_t npersons)
{
    unsigned char digest[DIGEST_SIZE];
    struct buf all = BUF_INIT(ETCD_VALUE_SIZE);

    for (size_t i = 0; i < n; i++) {
        if (i < npersons)
            append_person(&all, texts[i]);
        else
            buf_append(&all, texts[i], strlen(texts[i]) + 1);
    }
    int err = all.failed ? -ENOMEM : digest_sha256(all.data, all.len, digest);

    buf_free(&all);
    if (!err)
        base64url(out, digest, bytes);
    return err;
}

static int hash_text(char out[HASH_TEXT_SIZE], const char *text)
{
    return hash_texts(out, CREDENTIAL_HASH, &text, 1, 0);
}

static int hash_user(char out[HASH_TEXT_SIZE], const char *user)
{
    return hash_texts(out, CREDENTIAL_HASH, &user, 1, 1);
}

/* `kind`, and "S/C" or "S/" behind it. */
int etcd_session_key(char key[ETCD_KEY_SIZE], const char *kind, const struct holder *h, bool with_credential)
{
    char session[HASH_TEXT_SIZE], credential[HASH_TEXT_SIZE] = "";
    const char *const who[] = {h->username, h->domain, h->session};
    int err = hash_texts(session, SESSION_HASH, who, 3, 2);

    if (!err && with_credential)
        err = hash_text(credential, h->credential);
    if (err)
        return err;
    return PUT_KEY(key, kind, session, "/", credential) ? 0 : -ENAMETOOLONG;
}

/* "S/C" */
static int holder_key(char key[ETCD_KEY_SIZE], const struct holder *h)
{
    return etcd_session_key(key, "", h, true);
}

int etcd_waiting_key(char key[ETCD_KEY_SIZE], const char *user, const char *credential)
{
    char user_hash[HASH_TEXT_SIZE], credential_hash[HASH_TEXT_SIZE];
    int err = hash_user(user_hash, user);

    if (!err)
        err = hash_text(credential_hash, credential);
    if (err)
        return err;
    return PUT_KEY(key, "w/", user_hash, "/", credential_hash) ? 0 : -ENAMETOOLONG;
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
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2];
    int err = vault_and_name(vault, name, r);

    return err || PUT_KEY(key, "r/", vault, "/", name) ? err : -ENAMETOOLONG;
}

bool etcd_waiting_request_key(char key[ETCD_KEY_SIZE], const struct buf *value)
{
    if (!value->len || value->len >= ETCD_KEY_SIZE - 2)
        return false;
    memcpy(key, "r/", 2);
    memcpy(key + 2, value->data, value->len);
    key[value->len + 2] = '\0';
    return true;
}

int etcd_holds_key(char key[ETCD_KEY_SIZE], const struct request_row *r)
{
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2];
    int err = vault_and_name(vault, name, r);

    return err || PUT_KEY(key, "h/", vault, "/", name, "/") ? err : -ENAMETOOLONG;
}

int etcd_hold_key(char key[ETCD_KEY_SIZE], const struct request_row *r, const char *lease_id)
{
    char holds[ETCD_KEY_SIZE];
    int err = etcd_holds_key(holds, r);

    return err || PUT_KEY(key, holds, lease_id) ? err : -ENAMETOOLONG;
}

/* A space is in no S/C. */
static const char *const answers_ends[] = {[ANSWERS_ONE] = "", [ANSWERS_TWO] = " 2", [ANSWERS_MANY] = " *"};

bool etcd_hold_value(char value[ETCD_KEY_SIZE], const char *holder, enum lease_answers answers)
{
    return PUT_KEY(value, holder, answers_ends[answers]);
}

bool etcd_held_lease_key(char key[ETCD_KEY_SIZE], const struct buf *value, enum lease_answers *answers)
{
    const char *space = value->len ? memchr(value->data, ' ', value->len) : NULL;
    size_t len = space ? (size_t)(space - value->data) : value->len;

    *answers = !space ? ANSWERS_ONE : value->len == len + 2 && space[1] == '2' ? ANSWERS_TWO : ANSWERS_MANY;
    if (!len || len >= ETCD_KEY_SIZE - 2)
        return false;
    memcpy(key, "s/", 2);
    memcpy(key + 2, value->data, len);
    key[len + 2] = '\0';
    return true;
}

int etcd_lsid_key(char key[ETCD_KEY_SIZE], const char *lsid)
{
    char encoded[ETCD_KEY_SIZE], normal[LSID_SIZE];

    if (lsid_normal(lsid, normal)) /* one key for all forms */
        lsid = normal;
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
static void lsid_key(char key[ETCD_KEY_SIZE], const char *lsid, const char *id)
{
    char begin[ETCD_KEY_SIZE];

    key[0] = '\0';
    if (lsid && *lsid && etcd_lsid_key(begin, lsid) == 0 && !PUT_KEY(key, begin, id))
        key[0] = '\0';
}

static int request_keys(struct etcd_keys *k, const struct request_row *r)
{
    char vault[ETCD_KEY_SIZE / 2], name[ETCD_KEY_SIZE / 2], user[HASH_TEXT_SIZE];
    char *asker = k->asker_value;
    int err = vault_and_name(vault, name, r);

    if (!err)
        err = holder_key(asker, &r->asker);
    if (!err)
        err = hash_user(user, r->user);
    if (err)
        return err;
    bool fits = PUT_KEY(k->request, "r/", vault, "/", name) &&
                PUT_KEY(k->intent, "i/", asker, "/", r->mark) && PUT_KEY(k->asker, "s/", asker) &&
                PUT_KEY(k->holds, "h/", vault, "/", name, "/") &&
                PUT_KEY(k->pending, "w/", user, strchr(asker, '/'));

    k->pending_value = k->request + 2;
    lsid_key(k->asker_lsid, r->asker.lsid, r->mark);
    return fits ? 0 : -ENAMETOOLONG;
}

static bool is_same_holder(const struct holder *a, const struct holder *b)
{
    return strcmp(a->username, b->username) == 0 && strcmp(a->domain, b->domain) == 0 &&
           strcmp(a->session, b->session) == 0 && strcmp(a->credential, b->credential) == 0;
}

/* After request_keys(): most leases are the asker's own. */
static int lease_keys(struct etcd_keys *k, const struct store_step *step)
{
    const struct lease_row *l = &step->lease;
    bool is_askers = is_same_holder(&l->holder, &step->request.asker);
    int err = is_askers ? 0 : holder_key(k->holder, &l->holder);

    if (err)
        return err;
    if (is_askers)
        memcpy(k->holder, k->asker_value, sizeof k->holder);
    bool fits = PUT_KEY(k->lease, "s/", k->holder) && PUT_KEY(k->hold, k->holds, l->id);

    lsid_key(k->lease_lsid, step->lsid_now ? step->lsid_now : l->holder.lsid, l->id);
    if (step->kind == STEP_OPEN && *step->instead)
        fits = fits && PUT_KEY(k->instead, "i/", k->holder, "/", step->instead);
    return fits ? 0 : -ENAMETOOLONG;
}

/* x/LSID; "" where it is no lsid. */
static void finished_lsid_key(char key[ETCD_KEY_SIZE], const char *lsid)
{
    char normal[LSID_SIZE];

    if (!lsid || !lsid_normal(lsid, normal) || !PUT_KEY(key, "x/", normal))
        key[0] = '\0';
}

/* After request_keys(). */
static int asked_finishes(struct etcd_keys *k, const struct request_row *r)
{
    char *key = k->finishes[0];

    if (!PUT_KEY(key, "x/", k->asker_value))
        return -ENAMETOOLONG;
    key[2 + strcspn(k->asker_value, "/")] = '\0';
    finished_lsid_key(k->finishes[1], r->asker.lsid);
    return 0;
}

static int finish_key(char key[ETCD_KEY_SIZE], const struct holder *h)
{
    if (!*h->session) {
        finished_lsid_key(key, h->lsid);
        return *key ? 0 : -ENAMETOOLONG;
    }
    int err = etcd_session_key(key, "x/", h, false);

    if (!err)
        key[strlen(key) - 1] = '\0'; /* the slash before a credential */
    return err;
}

int etcd_keys_of(struct etcd_keys *k, const struct store_step *step, const char *node)
{
    char site[ETCD_KEY_SIZE];

    k->lease[0] = k->hold[0] = k->holder[0] = k->instead[0] = k->cursor[0] = '\0';
    k->pending_value = "";
    k->asker_lsid[0] = k->lease_lsid[0] = k->finishes[0][0] = k->finishes[1][0] = '\0';
    if (step->kind == STEP_CURSOR || step->kind == STEP_FINISH)
        k->intent[0] = k->request[0] = k->pending[0] = k->holds[0] = k->asker[0] = '\0';
    if (step->kind == STEP_FINISH)
        return finish_key(k->finishes[0], &step->request.asker);
    if (step->kind == STEP_CURSOR) {
        return text_url_encode(site, sizeof site, step->cursor.site) &&
                       PUT_KEY(k->cursor, "p/", node, "/", site)
                   ? 0
                   : -ENAMETOOLONG;
    }
    int err = request_keys(k, &step->request);

    if (!err && step->kind == STEP_ASK && step->since)
        err = asked_finishes(k, &step->request);
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

/* All but its lsid. */
static void add_holder(struct jsonw *w, const struct holder *h)
{
    add_text(w, "p", h->username);
    add_text(w, "d", h->domain);
    add_text(w, "s", h->session);
    add_text(w, "c", h->credential);
    add_text(w, "y", h->system);
    add_text(w, "z", h->account);
    add_number(w, "b", h->created_wall_ms);
}

const char etcd_request_members[] = "movunafetxlkpdscyzb", etcd_lease_members[] = "ikmvungjpdscyzb";

void etcd_request_value(struct buf *out, const struct request_row *r, const char *owner, const char *more)
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
    add_text(&w, "k", r->asker.lsid);
    add_holder(&w, &r->asker);
    buf_str(out, more);
    jsonw_end(&w);
}

/* The id comes first and the lsid second: whether a lease has one is a range of values. */
void etcd_lease_value(struct buf *out, const struct lease_row *l, const struct request_row *r,
                      const char *more)
{
    struct jsonw w = jsonw_start(out);

    buf_char(out, LEASE_LETTER);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "i", l->id);
    add_text(&w, "k", l->holder.lsid);
    add_text(&w, "m", *r->name ? "" : r->mark);
    add_text(&w, "v", r->vault);
    add_text(&w, "u", r->user);
    add_text(&w, "n", r->name);
    add_number(&w, "g", (int64_t)l->ended);
    add_text(&w, "j", l->ended_site);
    add_holder(&w, &l->holder);
    buf_str(out, more);
    jsonw_end(&w);
}

bool etcd_named_lease_range(char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE], const char *id)
{
    return PUT_KEY(from, "O{\"i\":\"", id, "\",\"k\"") && PUT_KEY(to, "O{\"i\":\"", id, "\",\"l\"");
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

static bool has_strange_members(const cJSON *object, const char *known)
{
    const cJSON *member = object->child;

    while (member && member->string[0] && !member->string[1] && strchr(known, member->string[0]))
        member = member->next;
    return member;
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
    if (read_tree(row, value[0])) {
        row->is_strange =
            has_strange_members(row->tree, is_lease ? etcd_lease_members : etcd_request_members);
        return 0;
    }
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
    static const char first[] = "{\"m\":\"", member[] = "\",\"o\":\"";
    const size_t skip = sizeof first; /* and the letter of the state */
    size_t len = strlen(from);

    if (n < skip || memcmp(value + 1, first, sizeof first - 1) != 0)
        return false;
    const char *at = memchr(value + skip, '"', n - skip); /* the end of the mark */

    if (!at || n - (size_t)(at - value) < sizeof member || memcmp(at, member, sizeof member - 1) != 0)
        return false;
    at += sizeof member - 1;
    size_t head = (size_t)(at - value);

    if (n - head <= len || memcmp(at, from, len) != 0 || at[len] != '"')
        return false;
    buf_append(out, value, head);
    buf_str(out, to);
    buf_append(out, at + len, n - head - len);
    return !out->failed;
}
