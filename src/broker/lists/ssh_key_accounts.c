/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_key_accounts.c - a hash of small keys, and a queue of them in the order they were learned.
 *
 * An account is (vault, system, account); an alias has an id of another kind, so that counts as well. A note
 * says one thing, so there is nothing to it but its key. Notes have no age: what an account has changes
 * rarely, and the next check-out puts it right.
 */
#include "broker/lists/ssh_key_accounts.h"

#include "base/uthash_nofail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct key_note_id {
    const struct vault *vault;
    int64_t system_id, account_id, alias; /* no padding: compared as bytes */
};

struct key_note {
    UT_hash_handle hh;
    TAILQ_ENTRY(key_note) link;
    struct key_note_id id;
};

struct ssh_key_accounts {
    size_t max, n;
    struct key_note *by_id;
    TAILQ_HEAD(, key_note) learned; /* oldest first */
};

struct ssh_key_accounts *ssh_key_accounts_new(size_t max)
{
    struct ssh_key_accounts *notes = calloc(1, sizeof(*notes));

    if (!notes)
        return NULL;
    notes->max = max;
    TAILQ_INIT(&notes->learned);
    return notes;
}

static void drop(struct ssh_key_accounts *notes, struct key_note *note)
{
    HASH_DEL(notes->by_id, note);
    TAILQ_REMOVE(&notes->learned, note, link);
    notes->n--;
    free(note);
}

void ssh_key_accounts_free(struct ssh_key_accounts *notes)
{
    if (!notes)
        return;
    while (!TAILQ_EMPTY(&notes->learned))
        drop(notes, TAILQ_FIRST(&notes->learned));
    free(notes);
}

static struct key_note_id id_of(const struct vault *vault, const struct credential_ref *ref)
{
    return (struct key_note_id){vault, ref->system_id, ref->account_id, ref->kind == KIND_ALIAS};
}

static struct key_note *find(const struct ssh_key_accounts *notes, const struct vault *vault,
                             const struct credential_ref *ref)
{
    struct key_note_id id = id_of(vault, ref);
    struct key_note *note;

    HASH_FIND(hh, notes->by_id, &id, sizeof(id), note);
    return note;
}

void ssh_key_accounts_put(struct ssh_key_accounts *notes, const struct vault *vault,
                          const struct credential_ref *ref)
{
    struct key_note *note = find(notes, vault, ref);

    if (note) {
        TAILQ_REMOVE(&notes->learned, note, link);
        TAILQ_INSERT_TAIL(&notes->learned, note, link);
        return;
    }
    note = notes->max ? calloc(1, sizeof(*note)) : NULL;
    if (!note)
        return;
    if (notes->n >= notes->max)
        drop(notes, TAILQ_FIRST(&notes->learned));
    note->id = id_of(vault, ref);
    HASH_ADD(hh, notes->by_id, id, sizeof(note->id), note);
    if (!note->hh.tbl) {
        free(note);
        return;
    }
    TAILQ_INSERT_TAIL(&notes->learned, note, link);
    notes->n++;
}

void ssh_key_accounts_drop(struct ssh_key_accounts *notes, const struct vault *vault,
                           const struct credential_ref *ref)
{
    struct key_note *note = find(notes, vault, ref);

    if (note)
        drop(notes, note);
}

bool ssh_key_accounts_has(const struct ssh_key_accounts *notes, const struct vault *vault,
                          const struct credential_ref *ref)
{
    return find(notes, vault, ref) != NULL;
}
