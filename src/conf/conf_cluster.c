/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_cluster.c - what the gateways of one cluster compare of their configurations.
 *
 * The flags of a row say whether a key counts. A digest is made of the canonical texts of the values, as that
 * of the whole configuration is (table/conf_objects.c): the spelling does not matter.
 */
#include "base/address.h"
#include "base/digest.h"
#include "base/text.h"
#include "conf/conf_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1U << 22)

static void add_keys(struct buf *out, unsigned section, unsigned flag, const void *object)
{
    const struct conf_table *table = &conf_gateway_table;

    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];

        if (row->section != section || !(row->flags & flag))
            continue;
        (void)buf_printf(out, "%s=", row->name);
        row->type->print(row, object, out);
        (void)buf_char(out, '\n');
    }
}

/* Takes the text. */
static int digest_text(struct buf *text, char hex[CONF_DIGEST_SIZE])
{
    unsigned char sum[DIGEST_SIZE];
    int err = text->failed ? -ENOMEM : digest_sha256(text->data, text->len, sum);

    if (!err)
        text_hex(hex, sum, sizeof(sum));
    buf_free(text);
    return err;
}

/* Two spellings of one address are one vault. */
int conf_vault_digest(const struct conf_vault *v, char hex[CONF_DIGEST_SIZE])
{
    char identity[ADDRESS_IDENTITY_SIZE];
    struct buf text = BUF_INIT(TEXT_MAX);
    struct conf_vault same = *v; /* the printers change nothing */

    address_url_identity(v->url, identity);
    if (*identity)
        same.url = identity;
    add_keys(&text, SECTION_VAULT, CONF_SAME, &same);
    return digest_text(&text, hex);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct conf_vault *const *)a)->name, (*(const struct conf_vault *const *)b)->name);
}

int conf_cluster_digest(const struct conf *conf, char hex[CONF_DIGEST_SIZE])
{
    const struct conf_vault **vaults = calloc(conf->nvaults + 1, sizeof(*vaults));
    struct buf text = BUF_INIT(TEXT_MAX);

    if (!vaults)
        return -ENOMEM;
    for (size_t i = 0; i < conf->nvaults; i++)
        vaults[i] = &conf->vaults[i];
    qsort(vaults, conf->nvaults, sizeof(*vaults), by_name);
    add_keys(&text, SECTION_GATEWAY, CONF_ALIKE, &conf->gateway);
    add_keys(&text, SECTION_STORE, CONF_ALIKE, &conf->store);
    for (size_t i = 0; i < conf->nvaults; i++) {
        (void)buf_printf(&text, "[%s]\n", vaults[i]->name);
        add_keys(&text, SECTION_VAULT, CONF_ALIKE, vaults[i]);
    }
    free(vaults);
    return digest_text(&text, hex);
}
