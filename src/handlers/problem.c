/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.c - writes a fault for the caller.
 *
 * `code` is for programs, `title` for people, `detail` is the step an operator can take. Where a vault has
 * answered, its status and sub-code are copied (code null without one). Nothing else of a vault's answer is
 * copied: faults are made where the answer's meaning is known, without secrets.
 */
#include "handlers/problem.h"

#include "base/jsonw.h"

#include <stdio.h>

static void write_vault(struct jsonw *w, const struct fault *f)
{
    jsonw_object(w, "vault");
    jsonw_int(w, "status", f->vault_status);
    jsonw_int_or_null(w, "code", f->vault_code, !f->vault_code);
    if (f->vault_request_id)
        jsonw_int(w, "request_id", f->vault_request_id);
    jsonw_end(w);
}

void problem_write(struct buf *buf, const struct fault *f, const char *request_id)
{
    const struct fault_row *row = fault_row(f->code);
    char type[80];
    struct jsonw w = jsonw_start(buf);

    snprintf(type, sizeof(type), "urn:jumpgate:error:%s", row->code);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "type", type);
    jsonw_str(&w, "title", row->title);
    jsonw_int(&w, "status", fault_status(f));
    jsonw_str(&w, "detail", f->whole_detail ? f->whole_detail : f->detail);
    jsonw_str(&w, "code", row->code);
    jsonw_str(&w, "request_id", request_id);
    if (f->vault_status)
        write_vault(&w, f);
    if (f->has_released)
        jsonw_int(&w, "released", f->released);
    jsonw_end(&w);
}

unsigned problem_retry_after(const struct fault *f)
{
    return f->retry_after_s ? f->retry_after_s : fault_row(f->code)->retry_after_s;
}
