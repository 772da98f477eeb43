/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_control.c - loads what a command needs to reach a gateway: the [gateway] section, and the type of its
 * store.
 *
 * A command that asks a running gateway needs `state_dir` and no secret. So no file is looked at but the
 * configuration itself, credentials need not be there, and mistakes in other keys and sections do not matter:
 * a gateway runs on after its file was spoilt, and `jumpgate reload` must reach it to learn what is wrong.
 */
#include "conf/conf_checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Mistakes between the section's header and the next one; with `key` those about it alone. */
static bool has_mistake(const struct conf_draft *d, const struct conf_part *gateway, const char *key)
{
    const struct conf_part *next = gateway ? TAILQ_NEXT(gateway, link) : NULL;

    for (size_t i = 0; gateway && i < d->nnotes; i++) {
        const struct conf_note *note = &d->notes[i];

        if (!note->warning && note->line >= gateway->line && (!next || note->line < next->line) &&
            (!key || strstr(note->text, key)))
            return true;
    }
    return false;
}

static struct conf_part *gateway_part(struct conf_draft *d)
{
    struct conf_part *part = conf_draft_next(d, SECTION_GATEWAY, NULL);

    return part ? part : conf_draft_add(d, SECTION_GATEWAY, "", 0);
}

int conf_control_take(struct conf_draft *d, struct conf **out, bool *sound, struct buf *errors)
{
    const struct conf_part *in_file = conf_draft_next(d, SECTION_GATEWAY, NULL);
    struct conf_part *part = gateway_part(d);

    *sound = in_file ? !has_mistake(d, in_file, NULL) : !d->errors; /* its header may be misspelt */
    if (d->nomem || !part)
        return -ENOMEM;
    bool usable = !has_mistake(d, in_file, "`state_dir`");
    size_t before = d->errors;
    conf_check_paths(d);
    if (!usable || d->errors != before) {
        conf_draft_print(d, errors);
        return -EINVAL;
    }
    struct conf *conf = calloc(1, sizeof(*conf));
    if (!conf)
        return -ENOMEM;
    const struct conf_part *store = conf_draft_next(d, SECTION_STORE, NULL);
    if (store)
        conf->store.type = ((const struct conf_store *)store->object)->type;
    memcpy(&conf->gateway, part->object, sizeof(conf->gateway));
    free(part->object);
    part->object = NULL;
    *out = conf;
    return 0;
}
