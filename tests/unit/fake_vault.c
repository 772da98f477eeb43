/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_vault.c - the vault's side first (what a call does), then what its answer holds, then the queue.
 */
#include "fake_vault.h"

#include "check.h"

#include "base/person.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct fake_vault *fake_of(struct vault *v)
{
    struct fake_vault *fv = (struct fake_vault *)v; /* `vault` is the first member */

    return fv->twin ? fv->twin : fv;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = from ? strlen(from) : 0;

    n = n < size ? n : size - 1;
    if (n)
        memcpy(to, from, n);
    to[n] = '\0';
}

static bool same_user(const struct fake_vault *fv, const char *a, const char *b)
{
    const char *bare_a = strrchr(a, '\\'), *bare_b = strrchr(b, '\\');

    return fv->bare_users ? person_same(bare_a ? bare_a + 1 : a, bare_b ? bare_b + 1 : b) : person_same(a, b);
}

static bool is_live(const struct fake_vault *fv, struct fake_request *r)
{
    if (r->live && clock_wall(fv->clock) >= r->expires_wall)
        r->live = false;
    return r->live;
}

/* ---- what the vault does ---- */

static struct fake_account *account_of(struct fake_vault *fv, const char *user, int64_t system_id,
                                       int64_t account_id)
{
    for (size_t i = 0; i < fv->naccounts; i++) {
        struct fake_account *a = &fv->accounts[i];

        if (a->row.system_id == system_id && a->row.account_id == account_id &&
            (!a->user || !fv->vault.can.per_user || person_same(a->user, user)))
            return a;
    }
    return NULL;
}

/* Of an account that this user has not. */
static enum vault_result refusal(const struct fake_vault *fv, struct ps_account_key ids)
{
    for (size_t i = 0; i < fv->naccounts; i++)
        if (fv->accounts[i].row.system_id == ids.system_id &&
            fv->accounts[i].row.account_id == ids.account_id)
            return VAULT_DENIED;
    return VAULT_ABSENT;
}

static struct ps_account_key ids_of(const char *key)
{
    struct ps_account_key ids;

    if (!ps_account_key_read(key, &ids))
        abort();
    return ids;
}

static struct fake_account *account_of_key(struct fake_vault *fv, const char *user, const char *key)
{
    struct ps_account_key ids = ids_of(key);

    return account_of(fv, user, ids.system_id, ids.account_id);
}

void fake_account_set_key(struct fake_account *a)
{
    ps_account_key_write(a->account_key, &(struct ps_account_key){a->row.kind, a->row.system_id,
                                                                  a->row.account_id, a->row.application_id});
    a->row.key = a->account_key;
}

int64_t fake_vault_seed(struct fake_vault *fv, const char *user, int64_t system_id, int64_t account_id,
                        int64_t minutes, const char *reason)
{
    if (fv->nrequests == FAKE_MAX_REQUESTS)
        abort(); /* a runaway test */
    struct fake_request *r = &fv->requests[fv->nrequests++];

    *r = (struct fake_request){.id = ++fv->next_id, .system_id = system_id, .account_id = account_id};
    r->minutes = minutes;
    r->live = true;
    r->expires_wall = clock_wall(fv->clock) + (fv->vault.life_ms ? (int64_t)fv->vault.life_ms
                                                                 : minutes * (int64_t)fv->conf.minute_ms);
    if (!fv->vault.can.has_end)
        r->expires_wall = INT64_MAX;
    copy(r->user, sizeof r->user, user);
    copy(r->reason, sizeof r->reason, reason);
    return r->id;
}

static bool is_of_key(const struct fake_request *r, const char *key)
{
    struct ps_account_key ids = ids_of(key);

    return r->system_id == ids.system_id && r->account_id == ids.account_id;
}

/* The live request of the account, whoever has it. */
static struct fake_request *live_of(struct fake_vault *fv, const char *key)
{
    for (size_t i = 0; i < fv->nrequests; i++)
        if (is_live(fv, &fv->requests[i]) && is_of_key(&fv->requests[i], key))
            return &fv->requests[i];
    return NULL;
}

/* A check-out, also where it reads the secret again. */
static void commit_keyed(struct fake_vault *fv, struct fake_call *fc)
{
    struct ps_account_key ids = ids_of(fc->account_key);
    struct fake_request *r = live_of(fv, fc->account_key);

    if (!account_of(fv, fc->call->user, ids.system_id, ids.account_id))
        fc->result = refusal(fv, ids);
    else if (fc->type != CREDENTIAL_PASSWORD)
        fc->result = VAULT_ABSENT;
    else if (r && (!fv->vault.can.repeatable || !same_user(fv, r->user, fc->call->user)))
        fc->result = VAULT_CONFLICT;
    else if (!r)
        fc->answer_id = fake_vault_seed(fv, fc->call->user, ids.system_id, ids.account_id,
                                        fc->want ? fc->want->minutes : 60, fc->want ? fc->want->reason : "");
    r = live_of(fv, fc->account_key);
    if (r && fc->result != VAULT_DENIED && fc->result != VAULT_CONFLICT)
        r->out++;
}

static void commit_keyed_checkin(struct fake_vault *fv, struct fake_call *fc)
{
    struct fake_request *r = live_of(fv, fc->account_key);

    if (!r || !same_user(fv, r->user, fc->call->user)) {
        fc->result = VAULT_GONE;
        return;
    }
    bool each = fv->vault.can.checkins_each && fc->checkins;
    unsigned n = each && fc->checkins < r->out ? fc->checkins : r->out;

    r->out -= n;
    fc->confirmed = n;
    r->live = fv->vault.can.checkins_each && r->out;
    r->checkins++;
}

static void commit_request(struct fake_vault *fv, struct fake_call *fc)
{
    const struct checkout_want *want = fc->want;
    struct ps_account_key ids = ids_of(want->account_key);
    struct fake_account *a = account_of(fv, fc->call->user, ids.system_id, ids.account_id);

    if (!a) {
        fc->result = refusal(fv, ids);
        return;
    }
    for (size_t i = 0; i < fv->nrequests && !a->no_reuse; i++) {
        struct fake_request *r = &fv->requests[i];

        if ((!is_live(fv, r) && !a->reuse_dead) || r->system_id != ids.system_id ||
            r->account_id != ids.account_id || !same_user(fv, r->user, fc->call->user))
            continue;
        fc->result = r->pending || !fv->vault.can.repeatable ? VAULT_CONFLICT : VAULT_OK;
        fc->answer_id = r->id;
        fc->reused = true;
        return;
    }
    fc->answer_id =
        fake_vault_seed(fv, fc->call->user, ids.system_id, ids.account_id, want->minutes, want->reason);
    fv->requests[fv->nrequests - 1].pending = a->approval;
    copy(fv->requests[fv->nrequests - 1].ticket, sizeof fv->requests[0].ticket, want->ticket_number);
    fc->reused = fc->fault == FAKE_REPLAYED;
}

static const char *text_of(const struct fake_account *a, enum credential_type type)
{
    return !a                            ? NULL
           : type == CREDENTIAL_PASSWORD ? a->password
           : type == CREDENTIAL_SSH_KEY  ? a->key
                                         : a->passphrase;
}

/* The secret, and perhaps a request that is not reported; done twice by the transport, two of them. */
static void commit_isa(struct fake_vault *fv, struct fake_call *fc)
{
    const struct checkout_want *want = fc->want;
    struct ps_account_key ids = ids_of(want->account_key);
    struct fake_account *a = account_of(fv, fc->call->user, ids.system_id, ids.account_id);

    if (!a || !a->row.isa)
        fc->result = VAULT_DENIED;
    else if (!text_of(a, fc->type))
        fc->result = VAULT_ABSENT;
    for (int i = 0; fc->result != VAULT_DENIED && fc->result != VAULT_ABSENT && a->isa_kept &&
                    i < 1 + (fc->fault == FAKE_REPLAYED);
         i++)
        (void)fake_vault_seed(fv, fc->call->user, ids.system_id, ids.account_id, want->minutes, want->reason);
}

static void commit_checkin(struct fake_vault *fv, struct fake_call *fc)
{
    struct fake_request *r = fake_vault_find(fv, fc->id);

    if (!r || !is_live(fv, r) || !same_user(fv, r->user, fc->call->user)) {
        fc->result = VAULT_GONE;
        return;
    }
    r->live = false;
    r->checkins++;
}

static enum vault_result planned_result(enum fake_fault fault)
{
    switch (fault) {
    case FAKE_UNREACHABLE:
    case FAKE_LOST_DID:
    case FAKE_LOST_LATE:
    case FAKE_LOST_DID_NOT: return VAULT_FAILED;
    case FAKE_USER_REFUSED: return VAULT_REFUSED;
    case FAKE_DENIED: return VAULT_DENIED;
    case FAKE_CONFLICT:
    case FAKE_CONFLICT_DID: return VAULT_CONFLICT;
    case FAKE_BAD: return VAULT_BAD;
    default: return VAULT_OK;
    }
}

static void put_off(struct fake_vault *fv, const struct fake_call *fc)
{
    if (fv->nlate == FAKE_MAX_LATE)
        abort();
    struct fake_late *late = &fv->late[fv->nlate++];

    *late = (struct fake_late){.op = fc->op, .id = fc->id, .cut_ms = clock_now(fv->clock)};
    copy(late->account_key, sizeof late->account_key, fc->account_key);
    copy(late->user, sizeof late->user, fc->call->user);
    late->type = fc->type;
    late->checkins = fc->checkins;
    if (fc->op != FAKE_REQUEST && fc->op != FAKE_ISA)
        return;
    copy(late->account_key, sizeof late->account_key, fc->want->account_key);
    late->minutes = fc->want->minutes;
    copy(late->reason, sizeof late->reason, fc->want->reason);
}

static void commit_write(struct fake_vault *fv, struct fake_call *fc)
{
    bool is_keyed = !fv->vault.can.keys_are_unique;

    if (is_keyed &&
        (fc->op == FAKE_REQUEST || (fc->op == FAKE_CREDENTIAL && fv->vault.can.secret_with_checkout)))
        commit_keyed(fv, fc);
    else if (is_keyed && fc->op == FAKE_CHECKIN)
        commit_keyed_checkin(fv, fc);
    else if (fc->op == FAKE_SPIN)
        fv->spun++;
    else if (fc->op == FAKE_REQUEST)
        commit_request(fv, fc);
    else if (fc->op == FAKE_ISA)
        commit_isa(fv, fc);
    else if (fc->op == FAKE_CHECKIN)
        commit_checkin(fv, fc);
}

void fake_vault_land(struct fake_vault *fv)
{
    for (size_t i = 0; i < fv->nlate; i++) {
        struct fake_late *late = &fv->late[i];
        struct vault_call call = {.user = late->user};
        struct checkout_want want = {
            .account_key = late->account_key, .minutes = late->minutes, .reason = late->reason};
        struct fake_call fc = {.op = late->op,
                               .call = &call,
                               .want = &want,
                               .id = late->id,
                               .type = late->type,
                               .checkins = late->checkins};

        copy(fc.account_key, sizeof fc.account_key, late->account_key);
        commit_write(fv, &fc);
    }
    fv->nlate = 0;
}

static void commit(struct fake_vault *fv, struct fake_call *fc)
{
    if (fc->committed || fc->lost)
        return;
    fc->committed = true;
    fc->result = planned_result(fc->fault);
    if (fc->call->may_send && !fc->call->may_send(fc->call)) {
        fc->call->withheld = true;
        fc->result = VAULT_FAILED;
        return;
    }
    if (fv->refuse_user && person_same(fv->refuse_user, fc->call->user))
        fc->result = VAULT_REFUSED;
    if (fc->fault == FAKE_LOST_LATE && fc->result == VAULT_FAILED)
        put_off(fv, fc);
    if (fc->result != VAULT_OK && fc->fault != FAKE_LOST_DID && fc->fault != FAKE_CONFLICT_DID)
        return;
    commit_write(fv, fc);
    if (fc->fault == FAKE_LOST_DID)
        fc->result = VAULT_FAILED;
}

static bool is_checkout(const struct fake_vault *fv, enum fake_op op)
{
    return op == FAKE_REQUEST || (op == FAKE_CREDENTIAL && fv->vault.can.secret_with_checkout);
}

static bool ends_hold(enum fake_op op)
{
    return op == FAKE_CHECKIN || op == FAKE_SPIN;
}

static bool has_effects(const struct fake_vault *fv, enum fake_op op)
{
    return is_checkout(fv, op) || ends_hold(op) || op == FAKE_ISA;
}

/* ---- what the answer holds ---- */

const char *fake_vault_name(int64_t id, char *name)
{
    (void)snprintf(name, FAKE_NAME_SIZE, "%lld", (long long)id);
    return name;
}

/* A vault without numbers puts a word before them. */
static const char *own_name(const struct fake_vault *fv, int64_t id, char *name)
{
    (void)snprintf(name, FAKE_NAME_SIZE, "%s%lld", fv->word ? fv->word : "", (long long)id);
    return name;
}

static int64_t id_of(const struct fake_vault *fv, const char *name)
{
    size_t n = fv->word ? strlen(fv->word) : 0;

    return strncmp(name, fv->word ? fv->word : "", n) == 0 ? request_key_number(name + n) : 0;
}

static void answer_list(struct fake_vault *fv, struct fake_call *fc)
{
    const struct account_query *q = fc->query;

    fc->call->accounts = account_list_new();
    if (!fc->call->accounts)
        abort();
    for (size_t i = 0; i < fv->naccounts; i++) {
        struct fake_account *a = &fv->accounts[i];

        if ((a->user && !person_same(a->user, fc->call->user)) ||
            (q->system && strcmp(q->system, a->row.system) != 0) ||
            (q->system_id && q->system_id != a->row.system_id) ||
            (q->application && (!a->row.application || strcmp(q->application, a->row.application) != 0)) ||
            q->ip || (q->kind != KIND_NKINDS && q->kind != a->row.kind))
            continue;
        fake_account_set_key(a); /* the test may have changed the row */
        if (account_list_add(fc->call->accounts, &a->row))
            abort();
    }
}

static enum vault_result answer_directory(struct fake_vault *fv, struct fake_call *fc)
{
    if (!fv->directory[fc->id])
        return VAULT_DENIED;
    fc->call->directory = directory_list_new();
    if (!fc->call->directory)
        abort();
    for (size_t i = 0; i < fv->ndirectory[fc->id]; i++)
        if (directory_list_add(fc->call->directory, &fv->directory[fc->id][i]))
            abort();
    return VAULT_OK;
}

/* The account's password, with the answer of a check-out. */
static void answer_with_secret(struct fake_vault *fv, struct fake_call *fc, const char *key)
{
    const char *text = text_of(account_of_key(fv, fc->call->user, key), CREDENTIAL_PASSWORD);

    if (text && secret_set(&fc->call->secret, text, strlen(text)))
        abort();
}

static enum vault_result answer_credential(struct fake_vault *fv, struct fake_call *fc)
{
    bool is_keyed = !fv->vault.can.keys_are_unique;
    struct fake_request *r = is_keyed ? live_of(fv, fc->account_key) : fake_vault_find(fv, fc->id);

    if (is_keyed && fv->vault.can.secret_with_checkout) {
        answer_with_secret(fv, fc, fc->account_key);
        return VAULT_OK;
    }

    if (!r || !is_live(fv, r) || !same_user(fv, r->user, fc->call->user))
        return VAULT_GONE;
    if (r->pending)
        return VAULT_PENDING;
    const struct fake_account *a = account_of(fv, r->user, r->system_id, r->account_id);
    const char *text = text_of(a, fc->type);

    if (!text)
        return VAULT_ABSENT;
    if (secret_set(&fc->call->secret, text, strlen(text)))
        abort();
    return VAULT_OK;
}

static void answer_isa(struct fake_vault *fv, struct fake_call *fc)
{
    const struct checkout_want *want = fc->want;
    const char *text = text_of(account_of_key(fv, fc->call->user, want->account_key), fc->type);

    if (secret_set(&fc->call->secret, text, strlen(text)))
        abort();
}

static void answer_requests(struct fake_vault *fv, struct fake_call *fc)
{
    struct active_requests *out = &fc->call->active;

    out->rows = calloc(fv->nrequests + 1, sizeof *out->rows);
    if (!out->rows)
        abort();
    bool hidden = fv->hide_lists > 0;

    fv->hide_lists -= hidden;
    for (size_t i = 0; i < fv->nrequests && !hidden; i++) {
        struct fake_request *r = &fv->requests[i];

        if (!is_live(fv, r) || r->unlisted || !same_user(fv, r->user, fc->call->user))
            continue;
        char name[FAKE_NAME_SIZE], key[PS_KEY_SIZE];
        struct active_request *row = &out->rows[out->n++];

        ps_account_key_write(key, &(struct ps_account_key){KIND_NKINDS, r->system_id, r->account_id, 0});
        *row = (struct active_request){
            .waits = r->pending, .expires_wall_ms = fv->say_expires ? fv->say_expires : r->expires_wall};
        if (active_request_set(row, own_name(fv, r->id, name), key, r->reason))
            abort();
    }
}

static bool is_entitled(const struct fake_account *a, const struct vault_session *s)
{
    return !a->user || person_same(a->user, s->username);
}

/* Why a map would have given these accounts: two of three sections are named. */
static void tell_why(struct vault_call *call)
{
    static const char names[] = "first\0second";
    struct entitled_why *why = call->why;

    if (!why)
        return;
    *why = (struct entitled_why){.told = true,
                                 .sections = malloc(sizeof(names)),
                                 .nsections = 2,
                                 .named = 3,
                                 .by_user = 4,
                                 .by_host = 1,
                                 .listed = call->accounts->n};
    if (!why->sections)
        abort();
    memcpy(why->sections, names, sizeof(names));
}

static enum vault_result answer_entitled(struct fake_vault *fv, struct fake_call *fc)
{
    enum vault_result result = *fc->account_key ? VAULT_ABSENT : VAULT_OK;

    fc->call->accounts = account_list_new();
    if (!fc->call->accounts)
        abort();
    for (size_t i = 0; i < fv->naccounts; i++) {
        struct fake_account *a = &fv->accounts[i];
        bool is_here = false;

        fake_account_set_key(a); /* the test may have changed the row */
        for (size_t k = 0; k < fc->session->nforms; k++)
            is_here = is_here || strcmp(fc->session->forms[k], a->row.system) == 0;
        if (*fc->account_key && strcmp(a->account_key, fc->account_key) == 0)
            result = is_here && is_entitled(a, fc->session) ? VAULT_OK : VAULT_DENIED;
        else if (*fc->account_key)
            continue;
        if (is_here && is_entitled(a, fc->session) && account_list_add(fc->call->accounts, &a->row))
            abort();
    }
    tell_why(fc->call);
    return result;
}

static void answer(struct fake_vault *fv, struct fake_call *fc)
{
    struct vault_call *call = fc->call;

    if (fc->result == VAULT_OK && fc->op == FAKE_ENTITLED)
        fc->result = answer_entitled(fv, fc);

    if (fc->result == VAULT_OK && fc->op == FAKE_LIST)
        answer_list(fv, fc);
    if (fc->result == VAULT_OK && fc->op == FAKE_DIRECTORY)
        fc->result = answer_directory(fv, fc);
    if (fc->result == VAULT_OK && fc->op == FAKE_CREDENTIAL)
        fc->result = answer_credential(fv, fc);
    call->origin = fc->op == FAKE_ISA ? CHECKOUT_NONE : CHECKOUT_NEW;
    call->end_wall_ms = 0;
    if (fc->result == VAULT_OK && fc->op == FAKE_ISA)
        answer_isa(fv, fc);
    if (fc->result == VAULT_OK && fc->op == FAKE_REQUESTS)
        answer_requests(fv, fc);
    if (fc->result == VAULT_OK && fc->op == FAKE_POLICY)
        for (size_t i = 0; i < fv->naccounts; i++)
            if (fv->accounts[i].row.account_id == fc->id)
                call->policy = fv->accounts[i].policy;
    if (fc->result == VAULT_OK && fc->op == FAKE_REQUEST && fv->vault.can.secret_with_checkout)
        answer_with_secret(fv, fc, fc->want->account_key);
    if (fc->result == VAULT_OK && fc->op == FAKE_REQUEST && !fv->vault.can.keys_are_unique) {
        (void)snprintf(call->request_key, sizeof call->request_key, "k%s", fc->account_key);
    } else if (fc->result == VAULT_OK && fc->op == FAKE_REQUEST) {
        (void)own_name(fv, fv->say_id ? fv->say_id : fc->answer_id, call->request_key);
        call->origin = (fv->say_id ? !fv->say_new : fc->reused) ? CHECKOUT_REUSED : CHECKOUT_NEW;
    }
    call->result = fc->result;
    call->unknown =
        (fc->result == VAULT_FAILED && has_effects(fv, fc->op) &&
         (fc->fault == FAKE_LOST_DID || fc->fault == FAKE_LOST_DID_NOT || fc->fault == FAKE_LOST_LATE)) ||
        (fc->op == FAKE_REQUEST && call->origin == CHECKOUT_REUSED && fv->say_unsure);
    call->repeated = call->unknown || (fv->say_repeated && (fc->op == FAKE_REQUEST || fc->op == FAKE_ISA));
    call->checkins = fc->result == VAULT_OK ? fc->confirmed : 0;
    call->holder_is_own = fv->say_own && fc->result == VAULT_CONFLICT;
}

static void explain(struct vault_call *call)
{
    static const enum fault_code codes[] = {
        [VAULT_GONE] = FAULT_VAULT_CONFLICT,        [VAULT_ABSENT] = FAULT_CREDENTIAL_NOT_FOUND,
        [VAULT_PENDING] = FAULT_APPROVAL_PENDING,   [VAULT_CONFLICT] = FAULT_VAULT_CONFLICT,
        [VAULT_DENIED] = FAULT_NOT_ENTITLED,        [VAULT_BAD] = FAULT_VAULT_ERROR,
        [VAULT_REFUSED] = FAULT_VAULT_REFUSED_USER, [VAULT_FAILED] = FAULT_VAULT_UNAVAILABLE};

    if (call->result != VAULT_OK)
        fault_set(&call->fault, codes[call->result], "the fake vault says no (%d)", (int)call->result);
}

/* ---- the queue ---- */

static struct fake_call *nth_call(const struct fake_vault *fv, size_t i)
{
    struct fake_call *fc = TAILQ_FIRST(&fv->calls);

    while (fc && i--)
        fc = TAILQ_NEXT(fc, link);
    if (!fc)
        abort(); /* the test counted wrong */
    return fc;
}

static void unqueue(struct fake_vault *fv, struct fake_call *fc)
{
    TAILQ_REMOVE(&fv->calls, fc, link);
    fv->npending--;
    fc->call->impl = NULL;
}

size_t fake_vault_pending(const struct fake_vault *fv)
{
    return fv->npending;
}

enum fake_op fake_vault_pending_op(const struct fake_vault *fv, size_t i)
{
    return nth_call(fv, i)->op;
}

void fake_vault_commit(struct fake_vault *fv, size_t i)
{
    commit(fv, nth_call(fv, i));
}

void fake_vault_deliver(struct fake_vault *fv, size_t i)
{
    struct fake_call *fc = nth_call(fv, i);
    struct vault_call *call = fc->call;

    commit(fv, fc);
    answer(fv, fc);
    explain(call);
    unqueue(fv, fc);
    free(fc);
    call->done(call);
}

bool fake_vault_step(struct fake_vault *fv)
{
    if (!fv->npending)
        return false;
    fake_vault_deliver(fv, 0);
    return true;
}

void fake_vault_crash(struct fake_vault *fv, unsigned carried_out)
{
    struct fake_call *fc;
    unsigned bit = 0;

    TAILQ_FOREACH(fc, &fv->calls, link)
    {
        if (carried_out & (1U << (bit++ % 32)))
            commit(fv, fc);
        fc->lost = true;
    }
}

static int64_t alias_of(const char *key)
{
    struct ps_account_key ids = key ? ids_of(key) : (struct ps_account_key){.kind = KIND_LOCAL};

    return ids.kind == KIND_ALIAS ? ids.account_id : 0;
}

/* A check-out and a check-in or spin of one account, in either order. */
static bool are_opposite(const struct fake_vault *fv, enum fake_op one, enum fake_op other)
{
    return (is_checkout(fv, one) && ends_hold(other)) || (ends_hold(one) && is_checkout(fv, other));
}

static void check_alone(struct fake_vault *fv, enum fake_op op, const char *key)
{
    const struct fake_call *fc;

    for (size_t i = 0; i < fv->nlate; i++)
        if (are_opposite(fv, op, fv->late[i].op) && strcmp(fv->late[i].account_key, key) == 0) {
            if (clock_now(fv->clock) - fv->late[i].cut_ms < fv->conf.settle_ms)
                fail_msg("call %d begins while a lost call %d of its key may arrive", (int)op,
                         (int)fv->late[i].op);
            fake_vault_land(fv); /* by then it has arrived */
            break;
        }
    const struct fake_request *held = op == FAKE_SPIN ? live_of(fv, key) : NULL;

    if (held && strcmp(held->user, FAKE_PRINCIPAL) == 0)
        fail_msg("a spin of what is checked out");
    TAILQ_FOREACH(fc, &fv->calls, link)
    if (are_opposite(fv, op, fc->op) && strcmp(fc->account_key, key) == 0)
        fail_msg("call %d begins while call %d of its key is under way", (int)op, (int)fc->op);
}

static int begin(struct vault *v, enum fake_op op, struct vault_call *call, const struct fake_call *proto)
{
    struct fake_vault *fv = fake_of(v);

    if (!fv->vault.can.keys_are_unique && *proto->account_key)
        check_alone(fv, op, proto->account_key);
    unsigned nth = fv->ncalls++;
    enum fake_fault fault = fv->plan ? fv->plan(fv->plan_arg, op, nth) : FAKE_FINE;

    fv->count[op]++;
    copy(fv->last_user, sizeof fv->last_user, call->user);
    fv->last_wait_ms = call->wait_ms;
    fv->last_begun = call->begun;
    fv->alias[op] = alias_of(op == FAKE_REQUEST ? proto->want->account_key : call->account_key);
    if (fault == FAKE_CANNOT_START)
        return -EAGAIN;
    struct fake_call *fc = malloc(sizeof *fc);

    if (!fc)
        return -ENOMEM;
    *fc = *proto;
    fc->op = op;
    fc->fault = fault;
    fc->call = call;
    call->impl = fc;
    TAILQ_INSERT_TAIL(&fv->calls, fc, link);
    fv->npending++;
    return 0;
}

static int fake_list(struct vault *v, const struct account_query *query, struct vault_call *call)
{
    return begin(v, FAKE_LIST, call, &(struct fake_call){.query = query});
}

static int fake_query(const struct vault *v, const char *account_key, struct account_query *query)
{
    struct ps_account_key key;

    (void)v;
    if (!ps_account_key_read(account_key, &key) || key.kind == KIND_NKINDS)
        return -EINVAL;
    *query = (struct account_query){.kind = key.kind, .system_id = key.system_id};
    return 0;
}

static int fake_policy(struct vault *v, const char *account_key, int64_t minutes, struct vault_call *call)
{
    (void)minutes;
    return begin(v, FAKE_POLICY, call, &(struct fake_call){.id = ids_of(account_key).account_id});
}

static int fake_checkout(struct vault *v, const struct checkout_want *want, struct vault_call *call)
{
    struct fake_call fc = {.want = want, .type = want->type};
    struct ps_account_key ids;

    if (!ps_account_key_read(want->account_key, &ids))
        return -EINVAL;
    copy(fc.account_key, sizeof fc.account_key, want->account_key);
    return begin(v, want->direct ? FAKE_ISA : FAKE_REQUEST, call, &fc);
}

/* A request as a call names it: by its number, or by key and handle, which name the account. */
static int call_of(const struct fake_vault *fv, const struct request_ref *request, struct fake_call *fc)
{
    struct ps_account_key ids;

    *fc = (struct fake_call){.id = id_of(fv, request->key)};
    if (fv->vault.can.keys_are_unique)
        return fc->id ? 0 : -EINVAL;
    if (request->key[0] != 'k' || !ps_account_key_read(request->key + 1, &ids))
        return -EINVAL;
    assert_int_equal(strncmp(request->handle, "h:", 2), 0);
    assert_string_equal(request->key + 1, request->handle + 2);
    assert_true(*request->lease_id);
    copy(fc->account_key, sizeof fc->account_key, request->key + 1);
    return 0;
}

static int fake_identify(const struct vault *v, const char *account_key, char key[REQUEST_KEY_SIZE],
                         char **handle)
{
    struct ps_account_key ids;

    (void)v;
    if (!ps_account_key_read(account_key, &ids))
        return -EINVAL;
    (void)snprintf(key, REQUEST_KEY_SIZE, "k%s", account_key);
    *handle = malloc(strlen(account_key) + 3);
    if (!*handle)
        return -ENOMEM;
    (void)snprintf(*handle, strlen(account_key) + 3, "h:%s", account_key);
    return 0;
}

static int fake_entitled(struct vault *v, const struct vault_session *session, const char *account_key,
                         struct vault_call *call)
{
    struct fake_call fc = {.session = session};

    copy(fc.account_key, sizeof fc.account_key, account_key ? account_key : "");
    return begin(v, FAKE_ENTITLED, call, &fc);
}

static int fake_read_secret(struct vault *v, const struct request_ref *request, enum credential_type type,
                            struct vault_call *call)
{
    struct fake_call fc;
    int err = call_of(fake_of(v), request, &fc);

    fc.type = type;
    return err ? err : begin(v, FAKE_CREDENTIAL, call, &fc);
}

static int fake_checkin(struct vault *v, const struct request_ref *request, const char *reason,
                        struct vault_call *call)
{
    (void)reason;
    struct fake_call fc;
    int err = call_of(fake_of(v), request, &fc);

    fc.checkins = fake_of(v)->last_checkins = request->checkins;
    return err ? err : begin(v, FAKE_CHECKIN, call, &fc);
}

static int fake_after_checkin(struct vault *v, const struct request_ref *request, struct vault_call *call)
{
    struct fake_call fc;
    int err = call_of(fake_of(v), request, &fc);

    return err ? err : begin(v, FAKE_SPIN, call, &fc);
}

static int64_t fake_after_checkin_delay(const struct vault *v, const struct request_ref *request)
{
    (void)request;
    return ((const struct fake_vault *)v)->spin_delay_ms;
}

static int fake_requests(struct vault *v, struct vault_call *call)
{
    return begin(v, FAKE_REQUESTS, call, &(struct fake_call){.id = 0});
}

static int fake_directory(struct vault *v, enum directory_part part, struct vault_call *call)
{
    return begin(v, FAKE_DIRECTORY, call, &(struct fake_call){.id = part});
}

static void fake_cancel(struct vault *v, struct vault_call *call)
{
    struct fake_vault *fv = fake_of(v);
    struct fake_call *fc = call->impl;

    if (!fc)
        return;
    fv->cancelled++;
    if (has_effects(fv, fc->op)) {
        fv->cancelled_writes++;
        commit(fv, fc);
    }
    unqueue(fv, fc);
    free(fc);
}

static bool fake_withdraw(struct vault *v, struct vault_call *call)
{
    struct fake_vault *fv = fake_of(v);
    struct fake_call *fc = call->impl;

    if (!fv->in_line || !fc || fc->committed)
        return false;
    fv->withdrawn++;
    unqueue(fv, fc);
    free(fc);
    return true;
}

static void fake_state(const struct vault *v, struct vault_state *state)
{
    const struct fake_vault *fv = (const struct fake_vault *)v;

    *state = (struct vault_state){
        .reachable = true, .known = true, .skew_known = !fv->clock_unknown, .skew_ms = fv->skew_ms};
}

static int fake_admit(struct vault *vault, const char *user, uint64_t left_ms, struct fault *fault)
{
    struct fake_vault *fv = (struct fake_vault *)(void *)vault;

    assert(user && *user && left_ms > 0);
    (void)user;
    (void)left_ms;
    fv->admitted++;
    if (!fv->full_for_s)
        return 0;
    fault_set(fault, FAULT_OVERLOADED, "the fake vault is full");
    fault->retry_after_s = fv->full_for_s;
    return -EAGAIN;
}

static const struct vault_ops fake_ops = {
    .name = "fake",
    .list = fake_list,
    .query = fake_query,
    .match = ps_account_key_match,
    .policy = fake_policy,
    .checkout = fake_checkout,
    .read_secret = fake_read_secret,
    .checkin = fake_checkin,
    .after_checkin = fake_after_checkin,
    .after_checkin_delay = fake_after_checkin_delay,
    .requests = fake_requests,
    .directory = fake_directory,
    .admit = fake_admit,
    .cancel = fake_cancel,
    .withdraw = fake_withdraw,
    .state = fake_state,
};

/* ---- set-up ---- */

const char *fake_fault_name(enum fake_fault fault)
{
    static const char *const names[FAKE_NFAULTS] = {
        [FAKE_FINE] = "unharmed",
        [FAKE_CANNOT_START] = "not begun",
        [FAKE_UNREACHABLE] = "not delivered",
        [FAKE_LOST_DID] = "its answer cut",
        [FAKE_LOST_DID_NOT] = "cut before the vault acted",
        [FAKE_LOST_LATE] = "cut, and carried out later",
        [FAKE_USER_REFUSED] = "its user refused",
        [FAKE_DENIED] = "denied",
        [FAKE_CONFLICT] = "answered with a conflict",
        [FAKE_CONFLICT_DID] = "done twice, and answered with a conflict",
        [FAKE_BAD] = "answered with nonsense",
        [FAKE_REPLAYED] = "sent twice by the transport",
    };

    return names[fault];
}

void fake_vault_init(struct fake_vault *fv, const struct clock *clock)
{
    static char domain_user[] = "{domain}\\{username}", corp[] = "CORP";
    static char *run_as[] = {domain_user};
    static char empty[] = "";

    *fv = (struct fake_vault){.clock = clock, .next_id = 100, .spin_delay_ms = -1};
    copy(fv->conf.name, sizeof fv->conf.name, "main");
    fv->conf.run_as = (struct conf_list){.item = run_as, .n = 1};
    fv->conf.default_domain = corp;
    for (size_t i = 0; i < FORM_NFORMS; i++)
        fv->conf.match[i] = (enum conf_name_form)i;
    fv->conf.nmatch = FORM_NFORMS;
    fv->conf.call_timeout_ms = SECONDS(10);
    fv->conf.connections = 48;
    fv->conf.minute_ms = MINUTES(1);
    fv->conf.reason = empty;
    fv->vault = (struct vault){
        .ops = &fake_ops,
        .conf = &fv->conf,
        .can = {.keys_are_unique = true, .has_end = true, .per_user = true, .repeatable = true}};
    TAILQ_INIT(&fv->calls);
}

const struct fake_kind fake_kinds[] = {
    {"one principal", {.keys_are_unique = true, .has_end = true, .repeatable = true}, 0, -1},
    {"the secret with the check-out",
     {.secret_with_checkout = true,
      .keys_are_unique = true,
      .has_end = true,
      .per_user = true,
      .repeatable = true},
     0,
     -1},
    {"no end", {.keys_are_unique = true, .per_user = true, .repeatable = true}, 0, -1},
    {"keys that come again", {.has_end = true, .repeatable = true}, 0, -1},
    {"keys that come again, not repeatable", {.has_end = true}, 0, -1},
    {"keys that come again, no end", {.repeatable = true}, 0, -1},
    {"Privileged Identity", {.secret_with_checkout = true, .repeatable = true}, 0, -1},
    {"Privileged Identity, each check-out given back",
     {.secret_with_checkout = true, .checkins_each = true, .repeatable = true},
     0,
     -1},
    {"Privileged Identity, not repeatable", {.secret_with_checkout = true}, 0, -1},
    {"Privileged Identity with a life",
     {.secret_with_checkout = true, .has_end = true, .repeatable = true},
     HOURS(2),
     -1},
    {"Privileged Identity with a life, not repeatable",
     {.secret_with_checkout = true, .has_end = true},
     HOURS(2),
     -1},
    {"a spin after the check-in", {.secret_with_checkout = true, .repeatable = true}, 0, 0},
    {"a spin a second later", {.secret_with_checkout = true, .repeatable = true}, 0, SECONDS(1)},
    {"a spin, and each check-out given back",
     {.secret_with_checkout = true, .checkins_each = true, .repeatable = true},
     0,
     SECONDS(1)},
    {"a spin, and a life", {.has_end = true}, HOURS(2), SECONDS(20)},
};
const size_t fake_nkinds = sizeof fake_kinds / sizeof fake_kinds[0];

void fake_vault_set_kind(struct fake_vault *fv, const struct fake_kind *kind)
{
    fake_vault_set_can(fv, kind->can, kind->life_ms);
    fv->spin_delay_ms = kind->spin_delay_ms;
}

void fake_vault_set_can(struct fake_vault *fv, struct vault_can can, uint64_t life_ms)
{
    fv->ops = fake_ops;
    if (can.keys_are_unique) {
        fv->ops.after_checkin = NULL;
        fv->ops.after_checkin_delay = NULL;
    } else {
        fv->ops.identify = fake_identify;
        fv->ops.requests = NULL;
        fv->ops.match = NULL;
    }
    if (!can.per_user) {
        fv->ops.entitled = fake_entitled;
        fv->ops.list = NULL;
        fv->ops.query = NULL;
        fv->ops.policy = NULL;
        fv->ops.directory = NULL;
    }
    fv->conf.settle_ms = SECONDS(30);
    fv->vault.ops = &fv->ops;
    fv->vault.can = can;
    fv->vault.life_ms = life_ms;
    fv->vault.principal = can.per_user ? NULL : FAKE_PRINCIPAL;
}

void fake_vault_free(struct fake_vault *fv)
{
    struct fake_call *fc;

    while ((fc = TAILQ_FIRST(&fv->calls))) {
        TAILQ_REMOVE(&fv->calls, fc, link);
        free(fc);
    }
    fv->npending = 0;
}

struct fake_account *fake_vault_add(struct fake_vault *fv, int64_t system_id, int64_t account_id,
                                    const char *system, const char *account, const char *password)
{
    if (fv->naccounts == FAKE_MAX_ACCOUNTS)
        abort();
    struct fake_account *a = &fv->accounts[fv->naccounts++];

    *a = (struct fake_account){.password = password, .policy = {.available = true}};
    a->row = (struct account){.kind = KIND_LOCAL,
                              .system_id = system_id,
                              .account_id = account_id,
                              .default_minutes = 60,
                              .system = system,
                              .account = account};
    fake_account_set_key(a);
    return a;
}

size_t fake_vault_live(struct fake_vault *fv)
{
    size_t n = 0;

    for (size_t i = 0; i < fv->nrequests; i++)
        n += is_live(fv, &fv->requests[i]);
    return n;
}

struct fake_request *fake_vault_find(struct fake_vault *fv, int64_t id)
{
    for (size_t i = 0; i < fv->nrequests; i++)
        if (fv->requests[i].id == id)
            return &fv->requests[i];
    return NULL;
}
