/* SPDX-License-Identifier: Apache-2.0 */
/*
 * month_events.c - kinds of events, and in which order a session has them; see month_events.h.
 */
#include "pra-sim/month_events.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum purpose {
    FOR_EVENTS = 100,
    FOR_INJECTION,
    FOR_KEY,
    FOR_REQUEST,
    FOR_ENDING,
    FOR_INFORMATION,
    FOR_MIDDLE,
    FOR_TEXT,
    FOR_REASON
};

enum kind {
    KIND_START,
    KIND_PRE_START,
    KIND_CUSTOMER_ADDED,
    KIND_USER_ADDED,
    KIND_OWNER,
    KIND_STATE,
    KIND_REQUEST,
    KIND_INJECTION,
    KIND_INJECTION_FAILED,
    KIND_INJECTION_AGAIN,
    KIND_EXTERNAL_KEY,
    KIND_INFORMATION,
    KIND_SHELL,
    KIND_SECOND_ADDED,
    KIND_THIRD_ADDED,
    KIND_CHAT,
    KIND_UPLOAD,
    KIND_UPLOAD_FAILED,
    KIND_DOWNLOAD,
    KIND_DOWNLOAD_FAILED,
    KIND_DELETED,
    KIND_MOVED,
    KIND_DIRECTORY,
    KIND_TRANSFERRED,
    KIND_FILES,
    KIND_WINDOW,
    KIND_MOUSE,
    KIND_CLOSED,
    KIND_ACTION,
    KIND_SCREENSHOT,
    KIND_NOTE,
    KIND_REGISTRY,
    KIND_SERVICE,
    KIND_REMOTE_SHELL,
    KIND_MONITORING,
    KIND_UNHEARD,
    KIND_CORRECTION,
    KIND_SCREEN_RECORDING,
    KIND_SECOND_DEPARTED,
    KIND_USER_DEPARTED,
    KIND_CUSTOMER_DEPARTED,
    KIND_END,
    KIND_COUNT
};

struct writing { /* one event being filled in */
    const struct month_script *script;
    struct month_event *event;
    uint64_t chance;
};

/* ---- texts ---- */

static const char *keep(struct month_event *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *keep(struct month_event *e, const char *fmt, ...)
{
    char *at = e->store + e->stored;
    size_t room = EVENT_STORE - e->stored;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(at, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room)
        return "";
    e->stored += (size_t)n + 1;
    return at;
}

static void value(struct month_event *e, const char *name, const char *text)
{
    if (e->nvalues < EVENT_VALUES)
        e->value[e->nvalues++] = (struct event_value){name, text};
}

static unsigned long long below(const struct writing *w, uint64_t n)
{
    return (w->chance >> 16) % n;
}

/* ---- people ---- */

static void fill_system(struct writing *w)
{
    w->event->by = ACTOR_SYSTEM;
    w->event->to = ACTOR_NONE;
}

static void fill_pre_start(struct writing *w)
{
    w->event->by = ACTOR_SYSTEM;
    w->event->to = ACTOR_PRE_START;
}

static void fill_customer(struct writing *w)
{
    w->event->by = ACTOR_CUSTOMER;
    w->event->to = ACTOR_EVERYONE;
}

static void fill_everyone(struct writing *w)
{
    w->event->to = ACTOR_EVERYONE;
}

static void fill_second(struct writing *w)
{
    w->event->to = ACTOR_EVERYONE;
    w->event->by_user = 1;
}

static void fill_third(struct writing *w)
{
    w->event->to = ACTOR_EVERYONE;
    w->event->by_user = 2;
}

static void fill_owner(struct writing *w)
{
    w->event->by = ACTOR_SYSTEM;
    w->event->to = ACTOR_USER;
}

static void fill_state(struct writing *w)
{
    w->event->by = ACTOR_CUSTOMER;
    value(w->event, "state", "connected");
}

/* ---- beginnings ---- */

static void fill_request(struct writing *w)
{
    const struct month_script *s = w->script;
    struct month_event *e = w->event;

    value(e, "request_id", keep(e, "%llu", (unsigned long long)s->session->index + 1));
    value(e, "request_start_time", keep(e, "%lld", (long long)e->at_s - 120));
    value(e, "request_duration", "7200");
    value(e, "jump_policy_name", "Working hours & approval");
    value(e, "jump_item_type", item_types[s->item.type]);
    value(e, "jump_item_name", s->item.name);
    value(e, "requesting_user", s->user[0].username);
    value(e, "requesting_user_id", keep(e, "%lld", (long long)s->user[0].id));
    value(e, "approver_name", "Unknown");
}

static void put_credential(struct writing *w, unsigned attempt)
{
    const struct month_script *s = w->script;
    unsigned long long account = s->item.number * 3 + month_chance(s->session->key, FOR_INJECTION) % 3;

    value(w->event, "attempt_id", keep(w->event, "%llu-%u", (unsigned long long)s->session->index, attempt));
    value(w->event, "credential_id", keep(w->event, "%llu", account + 1000));
    value(w->event, "credential_name", keep(w->event, "ACME\\svc-%05llu", account));
}

static void fill_injection(struct writing *w)
{
    put_credential(w, 1);
}

static void fill_again(struct writing *w)
{
    put_credential(w, 2);
}

static void fill_failure(struct writing *w)
{
    static const char *const reasons[] = {"The credential could not be retrieved.",
                                          "Access denied",
                                          "Logon failure: unknown user name or bad password.",
                                          "Timed out waiting for the log-in prompt",
                                          "The account is locked out",
                                          "Unknown"};

    w->event->by = ACTOR_SYSTEM;
    put_credential(w, 1);
    value(w->event, "failure_reason",
          reasons[month_chance(w->script->session->key, FOR_REASON) % COUNT(reasons)]);
}

static void fill_key(struct writing *w)
{
    value(w->event, "external_key", w->script->external_key);
}

static void fill_information(struct writing *w)
{
    w->event->by = ACTOR_CUSTOMER;
    w->event->system_information = true;
}

/* ---- work ---- */

static void fill_chat(struct writing *w)
{
    static const char *const lines[] = {"Good morning, I am looking at the event log now.",
                                        "=2+5 is what the cell shows, and -1 in the next one",
                                        "Please restart <nginx> & check \"/var/log/nginx\"",
                                        "Das Röntgengerät läuft wieder. 東京 / Москва ✓",
                                        "Thanks!",
                                        "first line\nsecond line\twith a tab",
                                        "The \xe2\x80\xaetxt.exe\xe2\x80\xac file is gone",
                                        "@all: done at 14:05, please test"};

    w->event->to = ACTOR_EVERYONE;
    if (below(w, 3) == 0) {
        w->event->by = ACTOR_CUSTOMER;
        w->event->to = ACTOR_USER;
    }
    w->event->encoded = (w->chance >> 40) % 50 == 0;
    w->event->body =
        w->event->encoded ? "bell \x07 and escape \x1b[0m" : lines[(w->chance >> 24) % COUNT(lines)];
}

static void fill_file(struct writing *w)
{
    switch (w->chance % 4) {
    case 0: w->event->filename = keep(w->event, "C:\\Temp\\report-%llu.xlsx", below(w, 1000)); break;
    case 1: w->event->filename = keep(w->event, "/tmp/dump-%llu.tar.gz", below(w, 1000)); break;
    case 2: w->event->filename = keep(w->event, "Übersicht %llu.pdf", below(w, 1000)); break;
    default: w->event->filename = keep(w->event, "setup-%llu.exe", below(w, 1000)); break;
    }
    w->event->filesize = (int64_t)((w->chance >> 20) % 50000000);
    w->event->to = ACTOR_CUSTOMER;
}

static void fill_moved(struct writing *w)
{
    fill_file(w);
    value(w->event, "new_name", "C:\\Archive\\moved.bin");
}

static void fill_transferred(struct writing *w)
{
    fill_file(w);
    value(w->event, "filename", w->event->filename);
    value(w->event, "sha256",
          keep(w->event, "%016llx%016llx%016llx%016llx", (unsigned long long)w->chance,
               (unsigned long long)month_chance(w->chance, 1), (unsigned long long)month_chance(w->chance, 2),
               (unsigned long long)month_chance(w->chance, 3)));
}

static void fill_files(struct writing *w)
{
    w->event->to = ACTOR_CUSTOMER;
    w->event->files = 2 + (unsigned)below(w, 3);
}

static void fill_directory(struct writing *w)
{
    w->event->to = ACTOR_CUSTOMER;
    w->event->filename = keep(w->event, "C:\\Temp\\new folder %llu", below(w, 100));
}

static void fill_window(struct writing *w)
{
    static const char *const windows[] = {"Services",
                                          "Event Viewer",
                                          "Untitled - Notepad",
                                          "SQL Server <prod>",
                                          "Administrator: Windows PowerShell",
                                          "Task Manager"};
    static const char *const programs[] = {"mmc.exe", "notepad.exe", "ssms.exe", "powershell.exe"};

    w->event->by = ACTOR_CUSTOMER;
    value(w->event, "window_name", windows[below(w, COUNT(windows))]);
    value(w->event, "executable", programs[(w->chance >> 32) % COUNT(programs)]);
}

static void fill_mouse(struct writing *w)
{
    w->event->to = ACTOR_CUSTOMER;
    value(w->event, "x", keep(w->event, "%llu", below(w, 1920)));
    value(w->event, "y", keep(w->event, "%llu", (unsigned long long)(w->chance >> 40) % 1080));
}

static void fill_action(struct writing *w)
{
    static const char *const actions[] = {"Control Panel", "Run As", "Command Prompt", "Services", "Lock"};

    w->event->to = ACTOR_CUSTOMER;
    value(w->event, "action_name", actions[below(w, COUNT(actions))]);
}

static void fill_note(struct writing *w)
{
    w->event->body = keep(w->event, "Note %llu: see change CHG%05llu", below(w, 90), below(w, 99999));
}

static void fill_registry(struct writing *w)
{
    w->event->to = ACTOR_CUSTOMER;
    value(w->event, "path", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme");
    value(w->event, "name", "Timeout");
    value(w->event, "value", keep(w->event, "%llu", below(w, 600)));
}

static void fill_shell_text(struct writing *w)
{
    static const char *const lines[] = {"systemctl status nginx",
                                        "tail -n 50 /var/log/syslog",
                                        "df -h",
                                        "sudo apt-get update && sudo apt-get upgrade",
                                        "show running-config",
                                        "psql -c 'select count(*) from \"orders\" where total > 100'"};

    w->event->to = ACTOR_CUSTOMER;
    value(w->event, "text", lines[below(w, COUNT(lines))]);
}

static void fill_correction(struct writing *w)
{
    w->event->body = keep(w->event, "Reviewed, revision %u", w->script->session->revision);
}

static void fill_plain(struct writing *w)
{
    w->event->to = ACTOR_CUSTOMER;
}

static const struct kind_row {
    const char *type;
    unsigned weight; /* in the middle of a session */
    void (*fill)(struct writing *);
} kinds[KIND_COUNT] = {
    [KIND_START] = {"Session Start", 0, fill_system},
    [KIND_PRE_START] = {"Conference Owner Changed", 0, fill_pre_start},
    [KIND_CUSTOMER_ADDED] = {"Conference Member Added", 0, fill_customer},
    [KIND_USER_ADDED] = {"Conference Member Added", 0, fill_everyone},
    [KIND_OWNER] = {"Conference Owner Changed", 0, fill_owner},
    [KIND_STATE] = {"Conference Member State Changed", 20, fill_state},
    [KIND_REQUEST] = {"Jump Item Authorization Request Utilized", 0, fill_request},
    [KIND_INJECTION] = {"Credential Injection Attempt", 0, fill_injection},
    [KIND_INJECTION_FAILED] = {"Credential Injection Attempt Failed", 0, fill_failure},
    [KIND_INJECTION_AGAIN] = {"Credential Injection Attempt", 0, fill_again},
    [KIND_EXTERNAL_KEY] = {"External Key", 0, fill_key},
    [KIND_INFORMATION] = {"System Information Retrieved", 0, fill_information},
    [KIND_SHELL] = {"Command Shell Session Started", 0, fill_plain},
    [KIND_SECOND_ADDED] = {"Conference Member Added", 0, fill_second},
    [KIND_THIRD_ADDED] = {"Conference Member Added", 0, fill_third},
    [KIND_CHAT] = {"Chat Message", 140, fill_chat},
    [KIND_UPLOAD] = {"File Upload", 45, fill_file},
    [KIND_UPLOAD_FAILED] = {"File Upload Failed", 6, fill_file},
    [KIND_DOWNLOAD] = {"File Download", 45, fill_file},
    [KIND_DOWNLOAD_FAILED] = {"File Download Failed", 6, fill_file},
    [KIND_DELETED] = {"File Deleted", 18, fill_file},
    [KIND_MOVED] = {"File Moved", 18, fill_moved},
    [KIND_DIRECTORY] = {"Directory Created", 10, fill_directory},
    [KIND_TRANSFERRED] = {"File Transfer Complete", 20, fill_transferred},
    [KIND_FILES] = {"Files Shared", 8, fill_files},
    [KIND_WINDOW] = {"Session Foreground Window Changed", 250, fill_window},
    [KIND_MOUSE] = {"Session Mouse Left Clicked", 150, fill_mouse},
    [KIND_CLOSED] = {"Session Window Closed", 50, fill_window},
    [KIND_ACTION] = {"Special Action Executed", 40, fill_action},
    [KIND_SCREENSHOT] = {"Screenshot Captured", 30, fill_plain},
    [KIND_NOTE] = {"Session Note Added", 12, fill_note},
    [KIND_REGISTRY] = {"Registry Value Modified", 15, fill_registry},
    [KIND_SERVICE] = {"Service Access Allowed", 10, fill_plain},
    [KIND_REMOTE_SHELL] = {"Remote Shell Event", 100, fill_shell_text},
    [KIND_MONITORING] = {"Representative Monitoring Started", 5, fill_plain},
    [KIND_UNHEARD] = {"Session Telemetry Sampled", 2, fill_plain}, /* a type of a release to come */
    [KIND_CORRECTION] = {"Session Note Added", 0, fill_correction},
    [KIND_SCREEN_RECORDING] = {"Screen Recording", 0, fill_system},
    [KIND_SECOND_DEPARTED] = {"Conference Member Departed", 0, fill_second},
    [KIND_USER_DEPARTED] = {"Conference Member Departed", 0, fill_everyone},
    [KIND_CUSTOMER_DEPARTED] = {"Conference Member Departed", 0, fill_customer},
    [KIND_END] = {"Session End", 0, fill_system},
};

/* ---- order ---- */

static unsigned all_weight(void)
{
    unsigned sum = 0;

    for (int i = 0; i < KIND_COUNT; i++)
        sum += kinds[i].weight;
    return sum;
}

static enum kind middle_kind(uint64_t chance)
{
    static unsigned all;
    unsigned at, k = 0;

    if (!all)
        all = all_weight();
    at = (unsigned)((chance >> 8) % all);
    while (at >= kinds[k].weight)
        at -= kinds[k++].weight;
    return (enum kind)k;
}

static void first(struct month_script *s, bool wanted, enum kind k)
{
    if (wanted && s->nfirst < EVENT_EDGE)
        s->first[s->nfirst++] = (unsigned char)k;
}

static void last(struct month_script *s, bool wanted, enum kind k)
{
    if (wanted && s->nlast < EVENT_EDGE)
        s->last[s->nlast++] = (unsigned char)k;
}

static void order_first(struct month_script *s)
{
    uint64_t key = s->session->key, injection = month_chance(key, FOR_INJECTION) >> 8;
    bool injects = injection % 100 < 70 && s->item.type != ITEM_JUMP_CLIENT,
         fails = injects && injection / 100 % 12 == 0;

    first(s, true, KIND_START);
    first(s, true, KIND_PRE_START);
    first(s, true, KIND_CUSTOMER_ADDED);
    first(s, true, KIND_USER_ADDED);
    first(s, true, KIND_OWNER);
    first(s, true, KIND_STATE);
    first(s, month_chance(key, FOR_REQUEST) % 5 == 0, KIND_REQUEST);
    first(s, injects, KIND_INJECTION);
    first(s, fails, KIND_INJECTION_FAILED);
    first(s, fails && injection / 1200 % 2 == 0, KIND_INJECTION_AGAIN);
    first(s, s->keyed, KIND_EXTERNAL_KEY);
    first(s, month_chance(key, FOR_INFORMATION) % 10 < 3, KIND_INFORMATION);
    first(s, s->shell, KIND_SHELL);
    first(s, s->session->npeople > 1, KIND_SECOND_ADDED);
    first(s, s->session->npeople > 2, KIND_THIRD_ADDED);
}

/* How many of them are corrections. */
static unsigned order_last(struct month_script *s)
{
    const struct month_session *one = s->session;
    bool silent = one->times.abnormal && month_chance(one->key, FOR_ENDING) % 2;
    unsigned usual;

    last(s, one->recording && !silent, KIND_SCREEN_RECORDING);
    last(s, one->npeople > 1 && !silent, KIND_SECOND_DEPARTED);
    last(s, !silent, KIND_USER_DEPARTED);
    last(s, !silent, KIND_CUSTOMER_DEPARTED);
    last(s, !silent, KIND_END);
    usual = s->nlast;
    for (unsigned i = 1; i < one->revision; i++)
        last(s, true, KIND_CORRECTION);
    return s->nlast - usual;
}

static enum kind kind_at(const struct month_script *s, uint64_t position, uint64_t *chance)
{
    *chance = month_chance(s->session->key + position, FOR_MIDDLE);
    if (position < s->nfirst)
        return (enum kind)s->first[position];
    if (position >= s->n - s->nlast)
        return (enum kind)s->last[position - (s->n - s->nlast)];
    return middle_kind(*chance);
}

/* The beginning takes half a second for each event, the middle the rest, the ending is at the end. */
static int64_t time_at(const struct month_script *s, uint64_t position)
{
    const struct month_times *t = &s->session->times;
    int64_t length = t->planned_s - t->start_s, begin = (int64_t)s->nfirst / 2;

    if (begin > length)
        begin = length;
    if (position < s->nfirst)
        return t->start_s + ((int64_t)position / 2 < begin ? (int64_t)position / 2 : begin);
    if (position >= s->n - s->nlast)
        return t->closed_s;
    return t->start_s + begin +
           (int64_t)((double)(length - begin) * (double)(position - s->nfirst + 1) /
                     (double)(s->planned + 1));
}

/* An end that a test made leaves out what had not happened yet. */
static void cut_at_end(struct month_script *s)
{
    s->planned = s->n - s->nfirst - s->nlast;
    while (s->n > s->nfirst + s->nlast && time_at(s, s->n - s->nlast - 1) > s->session->times.closed_s)
        s->n--;
}

static void count(struct month_script *s)
{
    for (s->shown = 0; s->shown < s->n && time_at(s, s->shown) <= s->session->now_s; s->shown++) {
        uint64_t chance;
        enum kind k = kind_at(s, s->shown, &chance);
        s->transfers += k == KIND_UPLOAD || k == KIND_DOWNLOAD;
        s->moves += k == KIND_MOVED;
        s->deletes += k == KIND_DELETED;
    }
}

static void choose_external_key(struct month_script *s)
{
    uint64_t chance = month_chance(s->session->key, FOR_KEY);

    s->external_key = "";
    s->keyed = chance % 10 < 4;
    if (!s->keyed && s->session->revision == 1)
        return;
    (void)snprintf(s->external_store, sizeof(s->external_store), chance % 10 < 3 ? "INC%07llu" : "CHG%07llu",
                   (unsigned long long)(chance >> 20) % 10000000);
    s->external_key = s->external_store;
}

void month_script(const struct month *m, const struct month_session *one, struct month_script *s)
{
    uint64_t wanted = m->opts.events, edges, corrections;

    *s = (struct month_script){.month = m, .session = one};
    month_item(m, one->item, &s->item);
    for (unsigned i = 0; i < one->npeople; i++)
        month_user(m, one->user[i], &s->user[i]);
    s->shell = s->item.type == ITEM_SHELL;
    choose_external_key(s);
    order_first(s);
    corrections = order_last(s);
    edges = s->nfirst + s->nlast - corrections;
    wanted = wanted / 2 + month_chance(one->key, FOR_EVENTS) % (wanted + 1);
    s->n = (wanted > edges ? wanted : edges) + corrections;
    cut_at_end(s);
    count(s);
}

const char *month_event_type(const struct month_script *s, uint64_t position)
{
    uint64_t chance;

    return kinds[kind_at(s, position, &chance)].type;
}

void month_event(const struct month_script *s, uint64_t position, struct month_event *e)
{
    struct writing w = {.script = s, .event = e};
    enum kind k = kind_at(s, position, &w.chance);

    memset(e, 0, offsetof(struct month_event, store));
    e->stored = 0;
    e->type = kinds[k].type;
    e->at_s = time_at(s, position);
    e->by = ACTOR_USER;
    kinds[k].fill(&w);
}
