/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_control.c - loads what a command needs to reach a gateway or its store: the [gateway] section alone.
 *
 * A command that asks a running gateway needs `state_dir` and no secret. So no file is looked at but the
 * configuration itself, credentials need not be there, and mistakes in other keys and sections do not matter:
 * a gateway runs on after its file was spoilt, and `jumpgate reload` must reach it to learn what is wrong.
 */
#include "conf/conf_draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Notes about the section: those from its header to the next one. */
static bool section_is_sound(const struct conf_draft *d, const struct conf_part *gateway)
{
    const struct conf_part *next = gateway ? TAILQ_NEXT(gateway, link) : NULL;

    for (size_t i = 0; gateway && i < d->nnotes; i++)
        if (!d->notes[i].warning && d->notes[i].line >= gateway->line &&
            (!next || d->notes[i].line < next->line))
            return false;
    return true;
}

static bool line_is_sound(const struct conf_draft *d, unsigned line)
{
    for (size_t i = 0; i < d->nnotes; i++)
        if (!d->notes[i].warning && d->notes[i].line == line)
            return false;
    return true;
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

    *sound = section_is_sound(d, in_file);
    if (d->nomem || !part)
        return -ENOMEM;
    bool usable = !conf_part_has(part, "state_dir") || line_is_sound(d, conf_part_line(part, "state_dir"));
    size_t before = d->errors;
    conf_check_paths(d);
    if (!usable || d->errors != before) {
        conf_draft_print(d, errors);
        return -EINVAL;
    }
    struct conf *conf = calloc(1, sizeof(*conf));
    if (!conf)
        return -ENOMEM;
    memcpy(&conf->gateway, part->object, sizeof(conf->gateway));
    free(part->object);
    part->object = NULL;
    *out = conf;
    return 0;
}
