/*
 * vault_kinds.h - the kinds of vault: the values of `type` in [vault NAME], and how a vault of each is
 * opened, reloaded and closed. No other file names them all.
 */
#ifndef JG_COMMANDS_VAULT_KINDS_H
#define JG_COMMANDS_VAULT_KINDS_H

#include "backends/backend.h"
#include "loop/loop.h"

/* What a reload has prepared for one vault. */
struct vault_next;

struct vault_kind {
    const char *type;
    /* NULL and `why` on failure. Both configurations outlive the vault; the second is one of the first's. */
    struct vault *(*open)(struct loop *, const struct conf *, const struct conf_vault *, char why[256]);
    /* A reload has two steps, of which only the first can fail. prepare() reads what the next configuration
     * names, and is what `check` tries. reload() takes it over, once the values of that configuration have
     * replaced the old ones (conf/conf_change.h). */
    struct vault_next *(*prepare)(const struct conf *next, const struct conf_vault *, char why[256]);
    void (*discard)(struct vault_next *); /* NULL is fine */
    void (*reload)(struct vault *, struct vault_next *);
    /* Ends calls, signs out, frees; `closed` when nothing is left. */
    void (*close)(struct vault *, void (*closed)(void *arg), void *arg);
};

/* NULL = there is no such kind. */
const struct vault_kind *vault_kind_of(const char *type);

#endif
