/*
 * conf_checks.h - what the gateway's configuration is held against, once it is read into a draft.
 */
#ifndef JG_CONF_CONF_CHECKS_H
#define JG_CONF_CONF_CHECKS_H

#include "conf/conf_sections.h"
#include "conf/table/conf_draft.h"

/* conf_check.c: missing keys and sections, contradictions. */
void conf_check(struct conf_draft *);
/* Two sections are one vault: the same `url` in any spelling; the message for two with one sign-in. */
bool conf_same_vault_url(const struct conf_vault *, const struct conf_vault *);
void conf_vault_twin_error(struct conf_draft *, const struct conf_part *, const struct conf_part *other);
/* conf_access.c: a vault of Privileged Identity; the [access] sections; the keys of a vault of each type, and
 * defaults that differ. */
void conf_check_vault_keys(struct conf_draft *, struct conf_part *);
void conf_check_privileged_identity(struct conf_draft *, const struct conf_part *);
void conf_check_accesses(struct conf_draft *);
/* conf_store.c: what the keys of [store] have to do with each other. */
void conf_check_store(struct conf_draft *);
/* The name of this host as a node's name. 0, -EINVAL where it is none, or -ENOMEM. */
int conf_store_default_node(struct conf_store *);
/* conf_files.c: existence, contents and permissions of the named files. */
void conf_check_files(struct conf_draft *, enum conf_files);
void conf_check_paths(
    struct conf_draft *); /* only: who could change the configuration or the state directory */
/* conf_own_places.c: no file that is written is another file of the gateway. */
void conf_check_places(struct conf_draft *);
/* conf_control.c: the [gateway] section as a struct conf without other sections; see conf_load_control(). */
int conf_control_take(struct conf_draft *, struct conf **out, bool *sound, struct buf *errors);

#endif
