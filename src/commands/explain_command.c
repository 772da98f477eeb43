/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_command.c - `jumpgate explain ID`: why a list came back as it did; see commands.h.
 *
 * The record is GET /v1/explain/ID of the control socket, with the gateway's own conclusions; here it becomes
 * a page. With --json it is printed as the gateway answers it.
 */
#include "commands/commands.h"

#include "base/text.h"
#include "commands/control_command.h"
#include "commands/print_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_FORGOTTEN 4

#define NOT_FOUND    404
#define ENCODED_SIZE 2048
#define COLUMNS_MAX  12

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_MS, CELL_OUTCOME };

struct part {
    const char *member, *heading;
    size_t columns;
    const char *titles[COLUMNS_MAX];
    struct {
        const char *member;
        enum cell_kind kind;
    } cells[COLUMNS_MAX];
};

/* clang-format off */
static const struct part parts[] = {
    { "users", "vault users tried", 4, {"VAULT", "USER", "OUTCOME", "DETAIL"},
      {{"vault", CELL_TEXT}, {"user", CELL_TEXT}, {"outcome", CELL_OUTCOME}, {"detail", CELL_TEXT}} },
    { "names", "names of the endpoint", 3, {"VAULT", "FORM", "NAME"},
      {{"vault", CELL_TEXT}, {"form", CELL_TEXT}, {"value", CELL_TEXT}} },
    { "sections", "sections that name the user", 2, {"VAULT", "SECTION"},
      {{"vault", CELL_TEXT}, {"section", CELL_TEXT}} },
    { "calls", "calls to the vault", 11,
      {"VAULT", "USER", "CALL", "KIND", "NAME", "RESULT", "STATUS", "ROWS", "TOOK", "SOURCE", "DETAIL"},
      {{"vault", CELL_TEXT}, {"user", CELL_TEXT}, {"call", CELL_TEXT}, {"kind", CELL_TEXT}, {"value", CELL_TEXT},
       {"result", CELL_OUTCOME}, {"status", CELL_NUMBER}, {"rows", CELL_NUMBER}, {"took_ms", CELL_MS},
       {"source", CELL_TEXT}, {"detail", CELL_TEXT}} },
    { "filters", "rows removed", 6, {"VAULT", "FILTER", "VALUE", "REMOVED", "LEFT", "DETAIL"},
      {{"vault", CELL_TEXT}, {"filter", CELL_TEXT}, {"value", CELL_TEXT}, {"removed", CELL_NUMBER}, {"left", CELL_NUMBER},
       {"detail", CELL_TEXT}} },
    { "partial", "vaults without an answer", 3, {"VAULT", "CODE", "DETAIL"},
      {{"vault", CELL_TEXT}, {"code", CELL_OUTCOME}, {"detail", CELL_TEXT}} },
    { "pending", "the person's requests that wait for an approver", 6,
      {"SYSTEM", "ACCOUNT", "VAULT USER", "REQUEST", "SINCE", "CREDENTIAL"},
      {{"system", CELL_TEXT}, {"account", CELL_TEXT}, {"user", CELL_TEXT}, {"request_id", CELL_NUMBER},
       {"created_at", CELL_TEXT}, {"credential_id", CELL_TEXT}} },
};
/* clang-format on */

static void write_cell(struct print_table *t, const cJSON *value, enum cell_kind kind)
{
    const char *text = cJSON_IsString(value) ? value->valuestring : "";
    int64_t number = 0;

    if (kind == CELL_NUMBER || kind == CELL_MS) {
        if (json_int_exact(value, &number))
            print_table_cellf(t, STYLE_PLAIN, "%" PRId64 "%s", number, kind == CELL_MS ? " ms" : "");
        else
            print_table_cell(t, STYLE_PLAIN, NULL);
        return;
    }
    bool good = strcmp(text, "ok") == 0 || strcmp(text, "accepted") == 0;
    print_table_cell(t, kind == CELL_TEXT ? STYLE_PLAIN : good ? STYLE_GOOD : STYLE_BAD, text);
}

static int print_part(const struct part *part, const cJSON *record)
{
    const cJSON *rows = json_get(record, part->member), *row;
    struct print_table t = print_table_start(part->titles, part->columns);

    t.indent = 2;
    if (!cJSON_GetArraySize(rows))
        return 0;
    printf("\n%s:\n", part->heading);
    cJSON_ArrayForEach(row, rows) for (size_t i = 0; i < part->columns; i++)
        write_cell(&t, json_get(row, part->cells[i].member), part->cells[i].kind);
    return print_table_end(&t, stdout);
}

static void print_line(const char *title, const char *text)
{
    printf("%-10s", title);
    terminal_text(stdout, *text ? text : "-");
    fputc('\n', stdout);
}

static void print_outcome(const cJSON *record)
{
    const char *outcome = json_text(record, "outcome");
    int64_t rows = json_number(record, "rows");

    fputs("result    ", stdout);
    terminal_styled(stdout, strcmp(outcome, "ok") == 0 && rows ? STYLE_GOOD : STYLE_BAD, outcome);
    printf(", %" PRId64 " %s in %" PRId64 " ms\n", rows, rows == 1 ? "row" : "rows",
           json_number(record, "took_ms"));
    if (*json_text(record, "detail"))
        print_line("", json_text(record, "detail"));
}

static void print_head(const cJSON *record)
{
    const char *domain = json_text(record, "domain");
    const cJSON *cache = json_get(record, "cache");

    print_line("request", json_text(record, "request_id"));
    print_line("operation", json_text(record, "operation"));
    print_line("at", json_text(record, "at"));
    fputs("user      ", stdout);
    terminal_text(stdout, domain);
    fputs(*domain ? "\\" : "", stdout);
    terminal_text(stdout, json_text(record, "username"));
    fputc('\n', stdout);
    print_line("session", json_text(record, "session"));
    print_outcome(record);
    printf("answers   %" PRId64 " from the vault, %" PRId64 " from the cache, %" PRId64
           " shared with other requests\n",
           json_number(cache, "from_vault"), json_number(cache, "from_cache"), json_number(cache, "shared"));
}

static void print_likely(const cJSON *record)
{
    const cJSON *likely = json_get(record, "likely"), *one;

    if (cJSON_GetArraySize(likely))
        puts("\nlikely causes:");
    cJSON_ArrayForEach(one, likely) print_line("  -", cJSON_IsString(one) ? one->valuestring : "");
    if (cJSON_IsTrue(json_get(record, "cut")))
        puts("\nsome notes did not fit and are left out");
}

static int print_page(const cJSON *record)
{
    int err = 0;

    print_head(record);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !err; i++)
        err = print_part(&parts[i], record);
    print_likely(record);
    return err ? command_failed("out of memory") : EXIT_DONE;
}

static int show_answer(struct control_command *c, const struct control_answer *answer)
{
    if (answer->status != 200 && answer->status != NOT_FOUND)
        return control_refused(answer);
    cJSON *record = control_answer_json(answer);
    int code = !record ? EXIT_FAILED : EXIT_DONE;

    if (record && answer->status == NOT_FOUND) {
        (void)command_failed(json_text(record, "detail"));
        code = EXIT_FORGOTTEN;
    } else if (record && args_given(c->args, "--json"))
        printf("%.*s\n", (int)answer->body.len, answer->body.data);
    else if (record)
        code = print_page(record);
    cJSON_Delete(record);
    return code;
}

static int explain(struct control_command *c)
{
    char target[ENCODED_SIZE + 16], encoded[ENCODED_SIZE];
    struct control_answer answer;

    if (!text_url_encode(encoded, sizeof(encoded), c->args->words[0]))
        return command_failed("the id is too long");
    (void)snprintf(target, sizeof(target), "/v1/explain/%s", encoded);
    int code = control_ask(c, "GET", target, NULL, &answer);

    if (code == -ECONNREFUSED)
        code = control_not_running(c);
    else if (!code)
        code = show_answer(c, &answer);
    control_answer_free(&answer);
    return code;
}

int command_explain(const struct command_args *args)
{
    return control_command(args, explain);
}
