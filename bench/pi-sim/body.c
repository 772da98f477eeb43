/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body.c - members of a call's body: texts, numbers, and the names of a credential; see dispatch.h.
 */
#include "pi-sim/dispatch.h"

#include "base/json.h"
#include "base/text.h"

const char *dispatch_text(const cJSON *object, const char *member)
{
    const cJSON *v = json_get(object, member);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

bool dispatch_number(const cJSON *object, const char *member, bool quoted, int64_t *out)
{
    const cJSON *v = json_get(object, member);

    if (cJSON_IsString(v))
        return quoted && text_int(v->valuestring, INT32_MIN, INT32_MAX, out);
    return v && json_int(v, out);
}

bool dispatch_name_shared(struct dispatch *d)
{
    const cJSON *names = json_get(d->body, "SharedCredentialIdentifier");

    d->name = (struct credential_name){.kind = KIND_SHARED,
                                       .account = dispatch_text(names, "AccountName"),
                                       .list = dispatch_text(names, "SharedCredentialListName"),
                                       .system = dispatch_text(names, "SystemName")};
    return d->name.account && d->name.list && d->name.system;
}

bool dispatch_name_stored(struct dispatch *d)
{
    const cJSON *info = json_get(d->body, "AccountIdentificationInfo"),
                *store = json_get(info, "AccountStore");
    bool optional = d->vault->settings.knob[KNOB_EMPTY_MEMBERS] == 0;
    int64_t type = 0;

    d->name = (struct credential_name){.kind = KIND_STORED,
                                       .account = dispatch_text(info, "AccountName"),
                                       .system = dispatch_text(store, "TargetName"),
                                       .custom_type = dispatch_text(store, "CustomTypeName")};
    if (!d->name.account || !d->name.system || !dispatch_number(store, "Type", true, &type) || type < 0 ||
        type > INT32_MAX)
        return false;
    d->name.type = (int)type;
    return optional || (d->name.custom_type && dispatch_text(info, "PasswordList"));
}
