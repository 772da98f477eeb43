/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_state.c - the state of an audit trail as JSON, the same for both programs; see audit_sink.h.
 */
#include "audit/audit_sink.h"

void audit_state_json(struct jsonw *w, const struct audit_state *s, bool strict)
{
    jsonw_str(w, "name", "audit");
    jsonw_str(w, "type", strict ? "strict" : "degraded");
    jsonw_str(w, "state", s->writable ? "writable" : "not_writable");
    jsonw_bool(w, "writable", s->writable);
    jsonw_str(w, "why", s->why);
    jsonw_int(w, "seq", (int64_t)s->seq);
    jsonw_int(w, "queued", (int64_t)s->queued);
    jsonw_int(w, "records", (int64_t)s->records);
    jsonw_int(w, "failures", (int64_t)s->failures);
    jsonw_int(w, "lost", (int64_t)s->lost);
    jsonw_int(w, "breaks", (int64_t)s->breaks);
}
