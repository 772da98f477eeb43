/*
 * conf_rules.h - rules about the keys of a section, for the checks of a program.
 */
#ifndef JG_CONF_TABLE_CONF_RULES_H
#define JG_CONF_TABLE_CONF_RULES_H

#include "base/address.h"
#include "conf/table/conf_draft.h"

/* The sound sections of a kind, in the order of the file. */
#define CONF_FOR_EACH(draft, kind, part)                                                                     \
    for (struct conf_part *part = conf_draft_next((draft), (kind), NULL); part;                              \
         part = conf_draft_next((draft), (kind), part))

/* Equal, or both NULL. */
bool conf_same_text(const char *, const char *);
/* Every key that the section must have is there. */
void conf_check_required(struct conf_draft *, const struct conf_part *);
/* Two keys that are set together or not at all; the message names the missing one. */
void conf_check_couple(struct conf_draft *, const struct conf_part *, const char *a, const char *b);
/* Calls `twin` for the sections before this one, up to the first that it reports as the same. */
void conf_check_twins(struct conf_draft *, const struct conf_part *,
                      bool (*twin)(struct conf_draft *, const struct conf_part *, const struct conf_part *));
/* The key `url`: plain http only to this machine, and only with `insecure`. */
void conf_check_https(struct conf_draft *, unsigned line, const struct address_url *, bool insecure);
/* The same, of a url without a path, which the section may lack. `example` is for who wrote one with a path.
 */
void conf_check_bare_url(struct conf_draft *, const struct conf_part *, const char *url, bool insecure,
                         const char *example);

#endif
