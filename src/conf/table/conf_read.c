/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_read.c - from the bytes of the file to sections and values.
 *
 * inih splits a line into key and value. It gets one line at a time (read_line), so the number of the line is
 * always known. Section headers are read here, because inih cuts their names short and does not report a
 * section without keys. inih gets lines without leading blanks and comments: a value ends with its line
 * whatever the indentation, and both # and ; start a comment at the beginning of a line or after a blank.
 *
 * Every mistake is noted, and reading continues. The keys of a section with a mistake are checked as well;
 * only the keys of an unknown kind of section are skipped, because no row describes them.
 */
#include "base/did_you_mean.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "conf/table/conf_draft.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 4096 /* with line end and NUL, as inih counts */
#define SECTIONS_MAX   1000
#define MANY_MAX       20000 /* of the kinds that have `many` */
#define NAME_LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

struct reader {
    struct conf_draft *draft;
    const char *next, *end; /* text not yet read */
    unsigned line;
    bool key_expected; /* inih has not yet reported the last line as a key */
    size_t few, many;  /* sections so far */
    bool too_many;
    bool outside;           /* before the first section */
    struct conf_part *part; /* the present section; NULL = its keys are skipped */
};

/* ---- sections ---- */

static int section_kind(const struct conf_table *table, const char *word)
{
    for (size_t i = 0; i < table->nsections; i++)
        if (strcmp(table->sections[i].name, word) == 0)
            return (int)i;
    return -1;
}

static void unknown_section(struct reader *r, const char *word)
{
    const struct conf_table *table = r->draft->table;
    struct did_you_mean near = DID_YOU_MEAN(word);
    char hint[80];

    for (size_t i = 0; i < table->nstrangers; i++)
        if (strcmp(table->strangers[i].name, word) == 0) {
            conf_error(r->draft, r->line, "section [%s] %s", word, table->strangers[i].belongs);
            return;
        }
    for (size_t i = 0; i < table->nsections; i++)
        did_you_mean_offer(&near, table->sections[i].name);
    conf_error(r->draft, r->line, "unknown section [%.64s]%s", word,
               did_you_mean_hint(&near, hint, sizeof(hint)));
}

static bool too_many(struct reader *r, unsigned kind)
{
    bool many = r->draft->table->sections[kind].many;
    size_t max = many ? MANY_MAX : SECTIONS_MAX, n = many ? r->many++ : r->few++;

    if (n < max)
        return false;
    if (!r->too_many)
        conf_error(r->draft, r->line, "more than %zu sections; this one and those after it are not read",
                   max);
    r->too_many = true;
    return true;
}

/* False when its mistake has been noted. */
static bool section_sound(struct reader *r, unsigned kind, const char *name)
{
    const struct conf_section_info *info = &r->draft->table->sections[kind];
    const struct conf_part *twin;

    if (!info->named && *name)
        conf_error(r->draft, r->line, "section [%s] takes no name", info->name);
    else if (info->named && !*name)
        conf_error(r->draft, r->line, "section [%s] needs a name: [%s NAME]", info->name, info->name);
    else if (info->named && (strlen(name) >= CONF_NAME_MAX || !text_only(name, NAME_LETTERS)))
        conf_error(r->draft, r->line, "the name of a section has 1 to 63 letters of A-Z a-z 0-9 . _ -");
    else if ((twin = conf_draft_find(r->draft, kind, name)))
        conf_error(r->draft, r->line, "section [%s%s%s] occurs twice; first in line %u", info->name,
                   *name ? " " : "", name, twin->line);
    else
        return true;
    return false;
}

/* `text`: between the brackets. */
static void section_open(struct reader *r, char *text)
{
    char *word = text + strspn(text, " \t"), *name;
    int kind;
    bool sound;

    r->part = NULL;
    r->outside = false;
    for (size_t n = strlen(word); n && (word[n - 1] == ' ' || word[n - 1] == '\t'); n--)
        word[n - 1] = '\0';
    name = word + strcspn(word, " \t");
    if (*name)
        *name++ = '\0';
    name += strspn(name, " \t");
    kind = section_kind(r->draft->table, word);
    if (kind < 0) {
        unknown_section(r, word);
        return;
    }
    if (too_many(r, (unsigned)kind))
        return;
    sound = section_sound(r, (unsigned)kind, name);
    r->part = conf_draft_add(r->draft, (unsigned)kind, sound ? name : "", r->line);
    if (r->part)
        r->part->spare = !sound;
}

/* ---- keys ---- */

static void unknown_key(struct reader *r, const char *key)
{
    const struct conf_table *table = r->draft->table;
    struct did_you_mean near = DID_YOU_MEAN(key);
    char hint[80], title[CONF_TITLE_SIZE];

    (void)conf_part_title(r->part, title);
    for (size_t i = 0; i < table->ntraps; i++)
        if (table->traps[i].section == r->part->section && text_equal_nocase(table->traps[i].key, key)) {
            conf_error(r->draft, r->line, "`%s` in %s would put a secret into this file: %s", key, title,
                       table->traps[i].instead);
            return;
        }
    for (size_t i = 0; i < table->nrows; i++)
        if (table->rows[i].section == r->part->section)
            did_you_mean_offer(&near, table->rows[i].name);
    for (unsigned i = 0; !did_you_mean(&near) && i < table->nsections; i++)
        if (conf_row_find(table, i, key)) {
            conf_error(r->draft, r->line, "unknown key `%.64s` in %s; it belongs into [%s]", key, title,
                       table->sections[i].name);
            return;
        }
    conf_error(r->draft, r->line, "unknown key `%.64s` in %s%s", key, title,
               did_you_mean_hint(&near, hint, sizeof(hint)));
}

/* A URL with an @ may hold a password. */
static bool may_be_secret(const struct conf_row *row, const char *value)
{
    return row->flags & CONF_SECRET ||
           ((row->type == &conf_url || row->type == &conf_proxy) && strchr(value, '@'));
}

/* The message repeats the value, unless it may be a secret. */
static void bad_value(struct reader *r, const struct conf_row *row, const char *value, const char *why)
{
    if (may_be_secret(row, value))
        conf_error(r->draft, r->line, "`%s` %s", row->name, why);
    else
        conf_error(r->draft, r->line, "`%s` %s; found `%.80s`", row->name, why, value);
}

static int parse_value(struct reader *r, const struct conf_row *row, const char *value,
                       char why[CONF_WHY_SIZE])
{
    const struct conf_draft *d = r->draft;

    if (row->flags & CONF_FILE && d->uses_file && !d->uses_file(row))
        return conf_text_set(row, r->part->object, value);
    return row->type->parse(row, value, r->part->object, why);
}

static void key_set(struct reader *r, const char *key, const char *value)
{
    const struct conf_row *row = conf_row_find(r->part->table, r->part->section, key);
    char why[CONF_WHY_SIZE] = "";
    unsigned *at;
    int err;

    if (!row) {
        unknown_key(r, key);
        return;
    }
    at = &r->part->at[row - r->part->table->rows];
    if (*at) {
        conf_error(r->draft, r->line, "`%s` is set twice in this section; first in line %u", row->name, *at);
        return;
    }
    *at = r->line;
    if (!*value && !(row->flags & CONF_EMPTY)) {
        conf_error(r->draft, r->line, "`%s` has no value; leave the line out for the default", row->name);
        return;
    }
    err = parse_value(r, row, value, why);
    if (err == -ENOMEM)
        r->draft->nomem = true;
    else if (err)
        bad_value(r, row, value, why);
}

/* inih's handler. Its `section` is not used, see above. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;

    (void)section;
    r->key_expected = false;
    if (r->outside)
        conf_error(r->draft, r->line, "`%.64s` stands before the first section", name);
    else if (r->part)
        key_set(r, name, value);
    return 1;
}

/* ---- lines ---- */

/* Cuts a comment (# or ; at the start or after a blank) and blanks at the end. */
static void line_trim(char *line)
{
    size_t n;

    for (char *p = line; *p; p++)
        if ((*p == '#' || *p == ';') && (p == line || p[-1] == ' ' || p[-1] == '\t')) {
            *p = '\0';
            break;
        }
    for (n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
        line[n - 1] = '\0';
}

static const char *line_fault(const char *bytes, size_t n, size_t room)
{
    if (n + 3 > room)
        return "the line is longer than 4090 bytes";
    if (!utf8_valid(bytes, n))
        return "the line is not valid UTF-8";
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
            return "the line holds a control character";
    return NULL;
}

/* The next line of the text, without its end. False when there is none. */
static bool line_take(struct reader *r, const char **bytes, size_t *n)
{
    const char *eol;

    if (r->next == r->end)
        return false;
    eol = memchr(r->next, '\n', (size_t)(r->end - r->next));
    *bytes = r->next;
    *n = (size_t)((eol ? eol : r->end) - r->next);
    r->next = eol ? eol + 1 : r->end;
    if (*n && (*bytes)[*n - 1] == '\r')
        (*n)--;
    r->line++;
    return true;
}

/* inih must have reported the line before this one as a key, if it was one. */
static void line_settle(struct reader *r)
{
    if (r->key_expected)
        conf_error(r->draft, r->line, "neither a [section], a key = value, nor a comment");
    r->key_expected = false;
}

/* Reads a section header and leaves an empty line; any other line that is not empty must be a key. */
static void line_sort(struct reader *r, char *line)
{
    size_t len = strlen(line);

    if (line[0] != '[') {
        r->key_expected = len > 0;
        return;
    }
    if (line[len - 1] == ']') {
        line[len - 1] = '\0';
        section_open(r, line + 1);
    } else {
        conf_error(r->draft, r->line, "the section header has no closing bracket");
        r->part = NULL; /* its keys belong to no section */
        r->outside = false;
    }
    line[0] = '\0';
}

/* inih's reader, with the interface of fgets(): one line, or an empty one in place of a line read here. */
static char *read_line(char *to, int room, void *stream)
{
    struct reader *r = stream;
    const char *bytes, *fault;
    size_t n;

    line_settle(r);
    if (room < 3 || !line_take(r, &bytes, &n))
        return NULL;
    to[0] = '\0';
    fault = line_fault(bytes, n, (size_t)room);
    if (fault) {
        conf_error(r->draft, r->line, "%s", fault);
        return to;
    }
    for (; n && (*bytes == ' ' || *bytes == '\t'); n--)
        bytes++;
    memcpy(to, bytes, n);
    to[n] = '\0';
    line_trim(to);
    line_sort(r, to);
    return to;
}

void conf_read(struct conf_draft *d, const char *text, size_t len)
{
    struct reader r = {.draft = d, .next = text, .end = text + len, .outside = true};

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.next += 3;
    /* A heap buffer of one fixed size, the only combination in which inih's limits agree with each other. */
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_max_line = ini_initial_alloc = LINE_MAX_BYTES;
    if (ini_parse_stream(read_line, &r, on_key, &r) == -2)
        d->nomem = true;
}
