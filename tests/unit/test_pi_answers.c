/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_answers.c - what the answers of Privileged Identity are worth: one row for each form, each class of
 * words and each answer that is not the service's own.
 */
#include "backends/privileged_identity/answers.h"
#include "base/utf8.h"
#include "check.h"
#include "conf_fixture.h"

#include <string.h>

#define JSON "application/json; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define XML  "text/xml"
#define SOAP(words)                                                                                          \
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client" \
    "</faultcode><faultstring xml:lang=\"en-US\">" words "</faultstring></s:Fault></s:Body></s:Envelope>"
#define FAULT(words)                                                                                         \
    "<Fault xmlns=\"http://schemas.microsoft.com/ws/2005/05/envelope/none\"><Code><Value>Receiver</Value>"   \
    "</Code><Reason><Text xml:lang=\"en-US\">" words "</Text></Reason></Fault>"
#define TEXT(words) "{\"OperationMessage\":\"" words "\",\"Password\":null}"
#define HELD        "The password of root on web1 is currently checked out by CORP\\\\ann."
#define TOKEN       "0f8fad5b-d9cb-469f-a165-70867728950e"

static struct pi_profile *profile;
static struct pi_answer answer;
static struct pi_http asked; /* what was sent, and whose sign-in name */

static int setup(void **state)
{
    profile = pi_profile_new("json-v2");
    asked = (struct pi_http){.status = 0};
    return fixture_setup(state);
}

static int teardown(void **state)
{
    pi_answer_free(&answer);
    pi_profile_free(profile);
    return fixture_teardown(state);
}

static void face(const char *name)
{
    pi_profile_free(profile);
    profile = pi_profile_new(name);
    assert_non_null(profile);
}

static void file(struct fixture *f, const char *text)
{
    face("json-v2");
    assert_int_equal(pi_profile_load(profile, fixture_file(f, "profile", text, 0600), &f->errors), 0);
}

static void read_bytes(enum pi_operation op, int status, const char *type, const char *body, size_t n)
{
    struct pi_http http = {.status = status,
                           .type = type,
                           .body = body,
                           .len = n,
                           .sent = asked.sent,
                           .login_name = asked.login_name,
                           .authenticator = asked.authenticator};

    pi_answer_free(&answer);
    pi_answer_read(profile, op, &http, &answer);
    bool works = answer.result == VAULT_OK || answer.result == VAULT_GONE;
    assert_int_equal(works, !fault_is_set(&answer.fault));
    assert_int_equal(answer.secret.len > 0,
                     answer.result == VAULT_OK &&
                         (op == PI_SIGN_IN || op == PI_CHECKOUT_STORED || op == PI_CHECKOUT_SHARED));
    if (works)
        assert_false(answer.unknown || answer.token_refused);
}

static void read(enum pi_operation op, int status, const char *type, const char *body)
{
    read_bytes(op, status, type, body, strlen(body));
}

/* ---- the classes of a failure's words ---- */

static const struct class_case {
    const char *words;
    enum pi_class class;
    enum vault_result result;
    enum fault_code code;
    bool certain, token;
} class_cases[] = {
    {"Multi-factor authentication is required", PI_CLASS_MFA, VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false,
     false},
    {"A one-time code is missing", PI_CLASS_MFA, VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false, false},
    {"No second factor given", PI_CLASS_MFA, VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false, false},
    {"MFA", PI_CLASS_MFA, VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false, false},
    {"The authentication token is invalid", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true,
     true},
    {"Invalid token", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true, true},
    {"token expired", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true, true},
    {"You are not logged in", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true, true},
    {"SESSION EXPIRED", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true, true},
    {"It is checked out by CORP/ann", PI_CLASS_CONFLICT, VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true, false},
    {"A check-out by ann lasts", PI_CLASS_CONFLICT, VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true, false},
    {"In use by ann", PI_CLASS_CONFLICT, VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true, false},
    {"You must request access first", PI_CLASS_APPROVAL, VAULT_PENDING, FAULT_APPROVAL_PENDING, true, false},
    {"Needs approval", PI_CLASS_APPROVAL, VAULT_PENDING, FAULT_APPROVAL_PENDING, true, false},
    {"The request is pending", PI_CLASS_APPROVAL, VAULT_PENDING, FAULT_APPROVAL_PENDING, true, false},
    {"Make a password request", PI_CLASS_APPROVAL, VAULT_PENDING, FAULT_APPROVAL_PENDING, true, false},
    {"The account root was not found", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true,
     false},
    {"The list does not exist", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true, false},
    {"No such account", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true, false},
    {"Unknown account root", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true, false},
    {"unknown system web1", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true, false},
    {"Access denied", PI_CLASS_DENIED, VAULT_DENIED, FAULT_NOT_ENTITLED, true, false},
    {"svc is not authorized", PI_CLASS_DENIED, VAULT_DENIED, FAULT_NOT_ENTITLED, true, false},
    {"lacks the permission", PI_CLASS_DENIED, VAULT_DENIED, FAULT_NOT_ENTITLED, true, false},
    {"That is not allowed", PI_CLASS_DENIED, VAULT_DENIED, FAULT_NOT_ENTITLED, true, false},
    {"The system cannot be reached", PI_CLASS_NONE, VAULT_FAILED, FAULT_VAULT_ERROR, false, false},
    {"Not checked out", PI_CLASS_CONFLICT, VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true, false},
    /* the order of the classes */
    {"MFA: the token expired", PI_CLASS_MFA, VAULT_REFUSED, FAULT_VAULT_REFUSED_USER, false, false},
    {"token expired while checked out", PI_CLASS_TOKEN, VAULT_FAILED, FAULT_VAULT_REFUSED_USER, true, true},
    {"checked out; needs approval", PI_CLASS_CONFLICT, VAULT_CONFLICT, FAULT_VAULT_CONFLICT, true, false},
    {"approval not found", PI_CLASS_APPROVAL, VAULT_PENDING, FAULT_APPROVAL_PENDING, true, false},
    {"permission not found", PI_CLASS_ABSENT, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, true, false},
};

/* In which a failure can come. */
static const struct {
    const char *name, *type, *before, *behind;
    int status;
} forms[] = {
    {"flag", JSON, "{\"OperationSucceeded\":false,\"OperationMessage\":\"", "\",\"Password\":null}", 200},
    {"no flag", JSON, "{\"OperationMessage\":\"", "\",\"Password\":\"\"}", 200},
    {"message", JSON, "{\"Message\":\"", "\"}", 200},
    {"json fault", JSON, "{\"Message\":\"", "\"}", 500},
    {"exception", JSON, "{\"Message\":\"An error has occurred.\",\"ExceptionMessage\":\"", "\"}", 400},
    {"detail", JSON, "{\"Detail\":\"", "\"}", 400},
    {"nested fault", JSON, "{\"Fault\":{\"Reason\":{\"Text\":\"", "\"}}}", 500},
    {"xml fault", "application/xml", "<Fault xmlns=\"urn:x\"><Reason><Text>", "</Text></Reason></Fault>",
     400},
    {"soap", XML, "\xef\xbb\xbf<?xml version=\"1.0\"?><s:Envelope><s:Body><s:Fault><faultstring>",
     "</faultstring></s:Fault></s:Body></s:Envelope>", 500},
    {"no content type", "", "{\"Message\":\"", "\"}", 500},
};

static void read_form(enum pi_operation op, size_t form, const char *words)
{
    char body[1024];

    (void)snprintf(body, sizeof(body), "%s%s%s", forms[form].before, words, forms[form].behind);
    read(op, forms[form].status, forms[form].type, body);
    assert_true(answer.own);
}

TEST(words_have_one_meaning_in_each_form_and_face)
{
    for (size_t name = 0; pi_profile_name(name); name++) {
        face(pi_profile_name(name));
        for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++)
            for (size_t i = 0; i < sizeof(class_cases) / sizeof(class_cases[0]); i++) {
                const struct class_case *c = &class_cases[i];

                case_label("%s, %s: %s", pi_profile_name(name), forms[form].name, c->words);
                read_form(PI_CHECKOUT_SHARED, form, c->words);
                assert_int_equal(answer.class, c->class);
                assert_int_equal(answer.result, c->result);
                assert_int_equal(answer.fault.code, c->code);
                assert_int_equal(answer.unknown, !c->certain);
                assert_int_equal(answer.token_refused, c->token);
                assert_int_equal(answer.fault.second_factor, c->class == PI_CLASS_MFA);
                assert_int_equal(answer.fault.vault_status, forms[form].status);
                /* without a sign of failure it may be a password */
                bool quoted = forms[form].status != 200 || answer.failed ||
                              (c->class != PI_CLASS_NONE && strchr(c->words, ' '));
                assert_true(!quoted || strstr(answer.fault.detail, c->words));
            }
    }
}

TEST(at_a_check_in_the_words_of_a_conflict_are_gone)
{
    static const struct {
        const char *words;
        enum vault_result result;
        bool unknown;
    } cases[] = {
        {"The password is not checked out", VAULT_GONE, false},
        {"No active check-out", VAULT_GONE, false},
        {"It was already checked in", VAULT_GONE, false},
        {"It is checked out by ann", VAULT_GONE, false},
        {"in use by ann; access denied", VAULT_GONE, false},
        {"Access denied", VAULT_DENIED, false},
        {"It was not found", VAULT_ABSENT, false},
        {"The system cannot be reached", VAULT_FAILED, true},
    };

    for (size_t form = 3; form < sizeof(forms) / sizeof(forms[0]); form++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            case_label("%s: %s", forms[form].name, cases[i].words);
            read_form(PI_CHECKIN_STORED, form, cases[i].words);
            assert_int_equal(answer.result, cases[i].result);
            assert_int_equal(answer.unknown, cases[i].unknown);
            read_form(PI_SPIN_STORED, form, "It is checked out by ann");
            assert_int_equal(answer.result, VAULT_CONFLICT);
        }
}

/* ---- the check-in, and the spin ---- */

static const struct done_case {
    const char *body;
    enum vault_result result;
} done_cases[] = {
    {"", VAULT_OK},
    {" \r\n", VAULT_OK},
    {"true", VAULT_OK},
    {"null", VAULT_OK},
    {"{}", VAULT_OK},
    {"{\"OperationMessage\":null}", VAULT_OK},
    {"{\"OperationMessage\":\"\",\"ErrorCode\":0,\"HasError\":false,\"ErrorText\":null}", VAULT_OK},
    {"{\"OperationMessage\":\"The operation completed successfully.\"}", VAULT_OK},
    {"{\"OperationMessage\":\"SUCCESS\"}", VAULT_OK},
    {"{\"OperationMessage\":\"Completed\"}", VAULT_OK},
    {"{\"Message\":\"root was checked in\"}", VAULT_OK},
    {"{\"operationmessage\":\"ok\"}", VAULT_OK},
    {"{\"OperationSucceeded\":true,\"OperationMessage\":\"Released.\"}", VAULT_OK},
    {"{\"d\":1,\"IsSuccessful\":true}", VAULT_OK},
    {"{\"d\":{\"OperationSucceeded\":true,\"OperationMessage\":\"Released.\"}}", VAULT_OK},
    {"{\"Errors\":[],\"Fault\":null,\"Exceptions\":{}}", VAULT_OK},
    /* not confirmed */
    {"{\"d\":{\"OperationMessage\":\"Released.\"}}", VAULT_FAILED},
    {"{\"Success\":\"False\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"Released.\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"not ok\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"The check-in was unsuccessful\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"It could not be completed\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"Incomplete data\"}", VAULT_FAILED},
    {"{\"OperationMessage\":\"Check-in failed: success is 0\"}", VAULT_FAILED},
    {"\"OK\"", VAULT_FAILED},
    {"false", VAULT_FAILED},
    {"0", VAULT_FAILED},
    {"[]", VAULT_FAILED},
    /* signs of failure */
    {"{\"Success\":false}", VAULT_FAILED},
    {"{\"operationsucceeded\":false,\"OperationMessage\":\"completed\"}", VAULT_FAILED},
    {"{\"HasError\":true}", VAULT_FAILED},
    {"{\"ErrorCode\":5}", VAULT_FAILED},
    {"{\"ErrorText\":\"Failed\",\"OperationSucceeded\":true}", VAULT_FAILED},
    {"{\"FaultCode\":1}", VAULT_FAILED},
    {"{\"InnerException\":\"x\"}", VAULT_FAILED},
    {"{\"d\":{\"OperationSucceeded\":false}}", VAULT_FAILED},
    {"{\"Items\":[{\"HasError\":true}]}", VAULT_FAILED},
    {"{\"Errors\":[\"x\"]}", VAULT_FAILED},
    {"{\"Fault\":{\"Code\":0}}", VAULT_FAILED},
    /* no JSON, or none that can be trusted */
    {"{\"OperationMessage\":\"ok\"", VAULT_FAILED},
    {"{\"a\":1,\"a\":2}", VAULT_FAILED},
    {"{} {}", VAULT_FAILED},
    {"ok", VAULT_FAILED},
};

TEST(a_check_in_is_done_only_where_the_answer_says_so)
{
    static const enum pi_operation ops[] = {PI_CHECKIN_STORED, PI_CHECKIN_SHARED, PI_SPIN_STORED,
                                            PI_SPIN_SHARED};

    for (size_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
        for (size_t i = 0; i < sizeof(done_cases) / sizeof(done_cases[0]); i++) {
            case_label("%s: %s", pi_operation_name(ops[k]), done_cases[i].body);
            read(ops[k], 200, JSON, done_cases[i].body);
            assert_int_equal(answer.result, done_cases[i].result);
            assert_int_equal(answer.unknown, done_cases[i].result != VAULT_OK);
        }
}

TEST(depth_is_limited_to_thirty_two)
{
    char body[256];

    for (size_t depth = 31; depth <= 33; depth++) {
        memset(body, '[', depth);
        memset(body + depth, ']', depth);
        (void)snprintf(body + 2 * depth, 8, "%s", "");
        char object[300];
        (void)snprintf(object, sizeof(object), "{\"x\":%s}", body);
        case_label("%zu", depth + 1);
        read(PI_CHECKIN_STORED, 200, JSON, object);
        assert_int_equal(answer.own, depth + 1 <= 32);
        assert_int_equal(answer.result, depth + 1 <= 32 ? VAULT_OK : VAULT_FAILED);
    }
}

TEST(words_of_the_file_count_as_they_are_written)
{
    file(*state, "[texts]\ndone = \"not held\"\ngone = \"long over\"\nconflict = \"is with\"\n");
    read(PI_CHECKIN_SHARED, 200, JSON, "{\"Message\":\"It is not held any more\"}");
    assert_int_equal(answer.result, VAULT_OK);
    read(PI_CHECKIN_SHARED, 200, JSON, "{\"Message\":\"completed\"}");
    assert_int_equal(answer.result, VAULT_FAILED);
    read(PI_CHECKIN_SHARED, 500, JSON, "{\"Message\":\"LONG OVER\"}");
    assert_int_equal(answer.result, VAULT_GONE);
    read(PI_CHECKIN_SHARED, 500, JSON, "{\"Message\":\"It is with ann\"}");
    assert_int_equal(answer.result, VAULT_GONE);
    read(PI_CHECKIN_SHARED, 500, JSON, "{\"Message\":\"not checked out\"}");
    assert_int_equal(answer.result, VAULT_FAILED);
}

/* ---- the check-out ---- */

static void assert_secret(const char *wanted)
{
    assert_int_equal(answer.result, VAULT_OK);
    assert_true(secret_equal(&answer.secret, wanted, strlen(wanted)));
}

TEST(a_check_out_has_its_password)
{
    static const char *const names[] = {"json-v2", "rest", "json-v1"};

    for (size_t i = 0; i < 3; i++) {
        face(names[i]);
        case_label("%s", names[i]);
        read(PI_CHECKOUT_STORED, 200, JSON,
             "{\"OperationSucceeded\":true,\"Password\":\"W\\/h\\u00e9el\\\\=9 \"}");
        assert_secret("W/h\xc3\xa9"
                      "el\\=9 ");
        read(PI_CHECKOUT_SHARED, 200, "",
             "{\"OperationMessage\":\"" HELD "\",\"Password\":\"x\",\"ErrorCode\":0}");
        assert_secret("x");
        read(PI_CHECKOUT_SHARED, 200, JSON, "\"x\"");
        assert_int_equal(answer.result, VAULT_FAILED);
        assert_true(answer.unknown && answer.own);
        assert_null(strstr(answer.fault.detail, "x\""));
    }
}

TEST(a_bare_string_is_a_password_only_where_the_file_says_so)
{
    file(*state, "[checkout_stored]\nanswer =\n[checkout_shared]\nanswer = Result.Data.Secret\n");
    read(PI_CHECKOUT_STORED, 200, JSON, "\"denied1\"");
    assert_secret("denied1");
    read(PI_CHECKOUT_STORED, 200, JSON, "{\"Password\":\"x\"}");
    assert_int_equal(answer.result, VAULT_FAILED);
    read(PI_CHECKOUT_SHARED, 200, JSON, "{\"Result\":{\"Data\":{\"Secret\":\"s\"},\"Success\":true}}");
    assert_secret("s");
    read(PI_CHECKOUT_SHARED, 200, JSON,
         "{\"Result\":{\"Data\":{\"Secret\":\"\"},\"Success\":false,\"Message\":\"" HELD "\"}}");
    assert_int_equal(answer.result, VAULT_CONFLICT);
    read(PI_CHECKOUT_SHARED, 200, JSON, "{\"Result\":{\"Data\":{\"Secret\":\"s\"},\"Success\":false}}");
    assert_int_equal(answer.result, VAULT_FAILED);
    assert_true(answer.unknown);
    file(*state, "[checkout_shared]\nanswer = Secret\n");
    read(PI_CHECKOUT_SHARED, 200, JSON, "{\"Secret\":\"s\",\"Success\":false,\"Message\":\"" HELD "\"}");
    assert_int_equal(answer.result, VAULT_FAILED);
    assert_true(answer.unknown);
    assert_null(strstr(answer.fault.detail, "web1"));
}

static const char *const no_password[] = {
    "",
    "null",
    "true",
    "[]",
    "{}",
    "{\"Password\":null}",
    "{\"Password\":\"\"}",
    "{\"Password\":5}",
    "{\"Password\":[\"x\"]}",
    "{\"password\":\"x\"}",
    "{\"OperationMessage\":\"done\",\"Password\":\"\"}",
    "{\"Password\":\"x\",\"Password\":\"x\"}",
    "{\"Password\":\"x\"} {\"Password\":\"x\"}",
    "{\"Password\":\"x\"",
    "{\"Password\":\"\\ud800\"}",
    "{\"Password\":\"a\\u0000b\"}",
    "{\"Password\":\"\xff\"}",
    "{\"Password\":\"x\",\"HasError\":true}",
    "{\"Password\":\"x\",\"Success\":false,\"OperationMessage\":\"" HELD "\"}",
};

TEST(without_a_password_the_outcome_is_unknown)
{
    for (size_t i = 0; i < sizeof(no_password) / sizeof(no_password[0]); i++) {
        case_label("%s", no_password[i]);
        read(PI_CHECKOUT_STORED, 200, JSON, no_password[i]);
        assert_int_equal(answer.result, VAULT_FAILED);
        assert_int_equal(answer.fault.code, FAULT_VAULT_ERROR);
        assert_true(answer.unknown);
        assert_int_equal(answer.class, PI_CLASS_NONE);
    }
}

TEST(a_password_has_at_most_4096_bytes)
{
    static char body[8192];

    for (size_t n = 4095; n <= 4097; n++) {
        (void)snprintf(body, sizeof(body), "{\"Password\":\"%*s\"}", (int)n, "x");
        case_label("%zu", n);
        read(PI_CHECKOUT_STORED, 200, JSON, body);
        assert_int_equal(answer.result, n <= 4096 ? VAULT_OK : VAULT_FAILED);
        assert_int_equal(answer.unknown, n > 4096);
    }
}

TEST(ok_of_the_row_must_hold)
{
    static const struct {
        const char *ok, *body;
        bool good;
    } cases[] = {
        {"Status", "{\"Password\":\"x\",\"status\":true}", true},
        {"Status", "{\"Password\":\"x\",\"Status\":2}", true},
        {"Status", "{\"Password\":\"x\",\"Status\":\"fine\"}", true},
        {"Status", "{\"Password\":\"x\"}", false},
        {"Status", "{\"Password\":\"x\",\"Status\":false}", false},
        {"Status", "{\"Password\":\"x\",\"Status\":0}", false},
        {"Status", "{\"Password\":\"x\",\"Status\":\"\"}", false},
        {"Status", "{\"Password\":\"x\",\"Status\":null}", false},
        {"Status", "{\"Password\":\"x\",\"Status\":{}}", false},
        {"Status=0", "{\"Password\":\"x\",\"Status\":0}", true},
        {"Status=0", "{\"Password\":\"x\",\"Status\":\"0\"}", true},
        {"Status=0", "{\"Password\":\"x\",\"Status\":1}", false},
        {"Status=1.5", "{\"Password\":\"x\",\"Status\":1.5}", true},
        {"Status=true", "{\"Password\":\"x\",\"Status\":true}", true},
        {"Status=true", "{\"Password\":\"x\",\"Status\":false}", false},
        {"Status=Done", "{\"Password\":\"x\",\"Status\":\"done\"}", true},
        {"Status=Done", "{\"Password\":\"x\",\"Status\":\"undone\"}", false},
        {"R.Status=0", "{\"Password\":\"x\",\"R\":{\"Status\":0}}", true},
        {"R.Status=0", "{\"Password\":\"x\",\"Status\":0}", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];

        case_label("%s: %s", cases[i].ok, cases[i].body);
        (void)snprintf(text, sizeof(text), "[checkout_stored]\nok = %s\n[checkin_stored]\nok = %s\n",
                       cases[i].ok, cases[i].ok);
        file(*state, text);
        read(PI_CHECKOUT_STORED, 200, JSON, cases[i].body);
        assert_int_equal(answer.result, cases[i].good ? VAULT_OK : VAULT_FAILED);
        read(PI_CHECKIN_STORED, 200, JSON, cases[i].body);
        assert_int_equal(answer.result, cases[i].good ? VAULT_OK : VAULT_FAILED);
    }
    file(*state, "[checkin_stored]\nok = Status\n");
    read(PI_CHECKIN_STORED, 200, JSON, "");
    assert_int_equal(answer.result, VAULT_FAILED);
    read(PI_CHECKIN_STORED, 200, JSON, "{\"Status\":true,\"OperationMessage\":\"Released.\"}");
    assert_int_equal(answer.result, VAULT_OK);
}

/* ---- the sign-in ---- */

static const struct token_case {
    const char *face, *body, *token; /* NULL = refused */
} token_cases[] = {
    {"json-v2", "{\"OperationMessage\":\"" TOKEN "\"}", TOKEN},
    {"json-v2", "{\"OperationSucceeded\":true,\"OperationMessage\":\"a+/=b~!#\"}", "a+/=b~!#"},
    {"rest", "\"" TOKEN "\"", TOKEN},
    {"json-v1", "\"12345678\"", "12345678"},
    {"json-v2", "\"" TOKEN "\"", NULL},
    {"rest", "{\"OperationMessage\":\"" TOKEN "\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"1234567\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"with a blank\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"12345678\\u00e9\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"12345678\\t\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"12345678\\u007f\"}", NULL},
    {"json-v2", "{\"OperationMessage\":12345678}", NULL},
    {"json-v2", "{\"OperationSucceeded\":false,\"OperationMessage\":\"" TOKEN "\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"" TOKEN "\",\"ErrorText\":\"x\"}", NULL},
    {"json-v2", "{\"OperationMessage\":\"Login failed. The password is incorrect.\"}", NULL},
    {"json-v2", "{\"OperationMessage\":null}", NULL},
    {"json-v2", "", NULL},
    {"rest", "\"Login failed.\"", NULL},
    {"rest", "\"\"", NULL},
    {"rest", "null", NULL},
};

TEST(a_token_is_8_to_4096_letters_without_a_sign_of_failure)
{
    static char body[8192];

    for (size_t i = 0; i < sizeof(token_cases) / sizeof(token_cases[0]); i++) {
        const struct token_case *c = &token_cases[i];

        case_label("%s: %s", c->face, c->body);
        face(c->face);
        read(PI_SIGN_IN, 200, JSON, c->body);
        if (c->token) {
            assert_secret(c->token);
            continue;
        }
        assert_int_equal(answer.result, VAULT_REFUSED);
        assert_int_equal(answer.fault.code, FAULT_VAULT_REFUSED_USER);
        assert_true(answer.own && !answer.unknown && !answer.token_refused && !answer.fault.second_factor);
        assert_null(strstr(answer.fault.detail, TOKEN));
        assert_null(strstr(answer.fault.detail, "with a blank"));
    }
    face("rest");
    for (size_t n = 4096; n <= 4097; n++) {
        memset(body, 'x', n + 1);
        body[0] = body[n + 1] = '"';
        read_bytes(PI_SIGN_IN, 200, JSON, body, n + 2);
        assert_int_equal(answer.result, n == 4096 ? VAULT_OK : VAULT_REFUSED);
    }
}

TEST(a_refused_sign_in_is_another_thing_than_a_lost_one)
{
    static const struct {
        int status;
        const char *type, *body;
        bool refused, second_factor;
        const char *quoted;
    } cases[] = {
        {401, JSON, "", true, false, NULL},
        {403, "", "whatever", true, false, NULL},
        {401, JSON, "{\"Message\":\"locked out\"}", true, false, "locked out"},
        {401, JSON, "{\"Message\":\"MFA is enforced\"}", true, true, "MFA is enforced"},
        {500, JSON, "{\"Message\":\"bad password\"}", true, false, "bad password"},
        {400, XML, SOAP("bad password"), true, false, "bad password"},
        {500, XML, FAULT("second factor needed"), true, true, NULL},
        {200, JSON, "{\"OperationSucceeded\":false,\"OperationMessage\":\"locked out\"}", true, false,
         "locked out"},
        {200, JSON, "{\"OperationMessage\":\"A multi-factor code is required\"}", true, true, NULL},
        {401, HTML, "<html>", false, false, NULL},
        {403, JSON, "<html>", false, false, NULL},
        {200, HTML, "<html>", false, false, NULL},
        {200, HTML, "{\"OperationMessage\":\"" TOKEN "\"}", false, false, NULL},
        {200, JSON, "{\"OperationMessage\":\"" TOKEN "\"", false, false, NULL},
        {500, JSON, "", false, false, NULL},
        {503, JSON, "{\"Message\":\"busy\"}", false, false, NULL},
        {404, JSON, "{\"Message\":\"no\"}", false, false, NULL},
        {302, JSON, "", false, false, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%d %s: %s", cases[i].status, cases[i].type, cases[i].body);
        face("json-v2");
        read(PI_SIGN_IN, cases[i].status, cases[i].type, cases[i].body);
        assert_int_equal(answer.result, cases[i].refused ? VAULT_REFUSED : VAULT_FAILED);
        assert_int_equal(answer.own, cases[i].refused);
        assert_int_equal(answer.fault.second_factor, cases[i].second_factor);
        if (cases[i].quoted)
            assert_non_null(strstr(answer.fault.detail, cases[i].quoted));
    }
    face("rest");
    read(PI_SIGN_IN, 200, JSON, "\"A one-time code is required\"");
    assert_true(answer.fault.second_factor);
    assert_null(strstr(answer.fault.detail, "is required"));
}

/* ---- what is not the service's word ---- */

static const struct foreign_case {
    int status;
    const char *type, *body;
    enum fault_code code;
    bool page;
} foreign_cases[] = {
    {200, HTML, "<!DOCTYPE html><html><body>denied</body></html>", FAULT_VAULT_ERROR, true},
    {200, HTML, "{\"Password\":\"x\"}", FAULT_VAULT_ERROR, true},
    {200, HTML, "", FAULT_VAULT_ERROR, true},
    {200, "application/xhtml+xml", "true", FAULT_VAULT_ERROR, true},
    {200, JSON, " <html>", FAULT_VAULT_ERROR, true},
    {200, XML, FAULT(HELD), FAULT_VAULT_ERROR, false},
    {500, HTML, FAULT(HELD), FAULT_VAULT_ERROR, true},
    {500, XML, "<html><body>" HELD "</body></html>", FAULT_VAULT_ERROR, true},
    {500, XML, "<Error><Message>" HELD "</Message></Error>", FAULT_VAULT_ERROR, true},
    {500, XML, "<!DOCTYPE Fault [<!ENTITY a \"b\">]><Fault><Text>" HELD "</Text></Fault>", FAULT_VAULT_ERROR,
     true},
    {500, XML, "<Fault><Text>" HELD "</Text>", FAULT_VAULT_ERROR, true},
    {500, JSON, "\"" HELD "\"", FAULT_VAULT_ERROR, false},
    {500, JSON, "[{\"Message\":\"" HELD "\"}]", FAULT_VAULT_ERROR, false},
    {500, JSON, "{\"error\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {500, JSON, "{\"Message\":\"" HELD "\"", FAULT_VAULT_ERROR, false},
    {500, JSON, "", FAULT_VAULT_ERROR, false},
    {400, "text/plain", HELD, FAULT_VAULT_ERROR, false},
    {404, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {404, HTML, "<html>", FAULT_VAULT_ERROR, true},
    {405, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {409, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {413, JSON, "", FAULT_VAULT_ERROR, false},
    {302, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {429, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_UNAVAILABLE, false},
    {503, HTML, "<html>", FAULT_VAULT_UNAVAILABLE, true},
    {502, JSON, "{\"Message\":\"" HELD "\"}", FAULT_VAULT_ERROR, false},
    {504, HTML, "<html>", FAULT_VAULT_ERROR, true},
    {401, HTML, "<html>", FAULT_VAULT_ERROR, true},
    {403, HTML, "<html>", FAULT_VAULT_ERROR, true},
    {200, JSON, "{\"Password\":\"x\",", FAULT_VAULT_ERROR, false},
    {200, JSON, "{\"Password\":\"x\",\"a\":1,\"a\":1}", FAULT_VAULT_ERROR, false},
};

TEST(an_answer_of_another_form_is_of_unknown_outcome)
{
    for (size_t i = 0; i < sizeof(foreign_cases) / sizeof(foreign_cases[0]); i++) {
        const struct foreign_case *c = &foreign_cases[i];
        static const enum pi_operation ops[] = {PI_CHECKOUT_STORED, PI_CHECKIN_SHARED, PI_SPIN_STORED,
                                                PI_LIST_STORED};

        for (size_t k = 0; k < 4; k++) {
            case_label("%s %d %s: %s", pi_operation_name(ops[k]), c->status, c->type, c->body);
            read(ops[k], c->status, c->type, c->body);
            assert_int_equal(answer.result, VAULT_FAILED);
            assert_int_equal(answer.fault.code, c->code);
            assert_int_equal(answer.fault.foreign, c->page);
            assert_int_equal(answer.fault.vault_status, c->status);
            assert_int_equal(answer.unknown, ops[k] != PI_LIST_STORED);
            assert_false(answer.own);
            assert_null(strstr(answer.fault.detail, "web1"));
        }
    }
}

TEST(a_refused_token_has_done_nothing)
{
    static const struct {
        int status;
        const char *type, *body;
    } cases[] = {
        {401, JSON, ""},
        {403, "", ""},
        {403, JSON, "{\"Message\":\"Access denied\"}"},
        {401, XML, FAULT("whatever")},
        {500, JSON, "{\"Message\":\"The authentication token has expired\"}"},
        {200, JSON, TEXT("Not logged in")},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (enum pi_operation op = PI_CHECKOUT_STORED; op < PI_NOPERATIONS; op++) {
            case_label("%s %d %s", pi_operation_name(op), cases[i].status, cases[i].body);
            read(op, cases[i].status, cases[i].type, cases[i].body);
            assert_true(answer.token_refused && answer.own && !answer.unknown);
            assert_int_equal(answer.result, VAULT_FAILED);
            assert_int_equal(answer.fault.code, FAULT_VAULT_REFUSED_USER);
        }
}

/* ---- words in faults ---- */

TEST(words_are_quoted_clean_and_short_and_never_beside_a_password)
{
    static const char *const secret[] = {
        "{\"Message\":\"quoted\",\"Password\":\"x\"}",
        "{\"Message\":\"quoted\",\"Inner\":[{\"password\":5}]}",
        "{\"Message\":\"quoted\",\"Detail\":{\"Password\":\"x\"}}",
    };
    char body[1024];

    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        for (int status = 200; status <= 500; status += 300) {
            case_label("%d %s", status, secret[i]);
            read(PI_CHECKIN_STORED, status, JSON, secret[i]);
            assert_null(strstr(answer.fault.detail, "quoted"));
        }
    read(PI_CHECKOUT_STORED, 500, XML, "<Fault><Text>quoted</Text><Password>x</Password></Fault>");
    assert_null(strstr(answer.fault.detail, "quoted"));
    read(PI_CHECKIN_STORED, 500, JSON, "{\"Message\":\"qu\\n\\u001b[1moted\\u202e!\"}");
    assert_non_null(strstr(answer.fault.detail, "qu\xef\xbf\xbd\xef\xbf\xbd[1moted\xef\xbf\xbd!"));
    (void)snprintf(body, sizeof(body), "{\"Message\":\"%0300d\"}", 0);
    read(PI_CHECKIN_STORED, 500, JSON, body);
    assert_int_equal(strspn(strchr(answer.fault.detail, '0'), "0"), 200);
    assert_true(utf8_valid(answer.fault.detail, strlen(answer.fault.detail)));
}

/* It may be the password, in a member that the row does not name. */
TEST(the_text_of_a_check_out_that_may_have_worked_is_not_quoted)
{
    static const struct {
        const char *body;
        enum vault_result result;
        bool quoted;
    } cases[] = {
        {"{\"OperationMessage\":\"Sesame\"}", VAULT_FAILED, false},
        {"{\"Message\":\"Sesame\"}", VAULT_FAILED, false},
        {"{\"OperationMessage\":\"Open Sesame\"}", VAULT_FAILED, false},
        {"{\"OperationMessage\":\"Sesamemfa\"}", VAULT_REFUSED, false},
        {"{\"OperationMessage\":\"Sesame denied\"}", VAULT_DENIED, true},
        {"{\"Success\":true,\"OperationMessage\":\"Sesame denied\"}", VAULT_FAILED, false},
        {"{\"Success\":true,\"OperationMessage\":\"Sesame mfa\"}", VAULT_FAILED, false},
        {"{\"Success\":true,\"OperationMessage\":\"Sesame: session expired\"}", VAULT_FAILED, false},
        {"{\"Success\":true,\"OperationMessage\":\"Sesame is checked out\"}", VAULT_CONFLICT, true},
        {"{\"Success\":true,\"OperationMessage\":\"Sesame checked out, complete\"}", VAULT_FAILED, false},
        {"{\"Success\":false,\"OperationMessage\":\"Sesame\"}", VAULT_FAILED, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%s", cases[i].body);
        read(PI_CHECKOUT_SHARED, 200, JSON, cases[i].body);
        assert_int_equal(answer.result, cases[i].result);
        assert_int_equal(strstr(answer.fault.detail, "Sesame") != NULL, cases[i].quoted);
        assert_int_equal(answer.unknown, cases[i].result == VAULT_FAILED || cases[i].result == VAULT_REFUSED);
        assert_false(answer.token_refused);
    }
}

TEST(words_that_echo_what_was_sent_are_not_quoted)
{
    static const struct {
        const char *sent, *words;
        bool quoted;
    } cases[] = {
        {TOKEN, "Invalid token " TOKEN, false},
        {TOKEN, "Invalid token {0F8FAD5B-D9CB-469F", true}, /* another one */
        {TOKEN, "Invalid token {0f8fad5b-d9cb-469f...", false},
        {TOKEN, "0f8f ad5b: invalid token", true},
        {"ab/cd+ef=", "Invalid token: ab\\\\/cd+ef=", false},
        {"????????", "Invalid token: ???????", true},
        {"????????", "Invalid token: ????????.", false},
        {NULL, "Invalid token", true},
    };
    char body[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%s", cases[i].words);
        asked.sent = cases[i].sent;
        (void)snprintf(body, sizeof(body), "{\"Message\":\"%s\"}", cases[i].words);
        read(PI_CHECKIN_STORED, 500, JSON, body);
        assert_int_equal(strstr(strchr(answer.fault.detail, ' '), "nvalid") != NULL, cases[i].quoted);
        read(PI_SIGN_IN, 500, JSON, body);
        assert_int_equal(strstr(answer.fault.detail, "nvalid") != NULL, cases[i].quoted);
    }
}

TEST(a_conflict_may_name_the_sign_in_name)
{
    static const struct {
        const char *login_name, *authenticator, *holder;
        bool own;
    } cases[] = {
        {"svc-gate", NULL, "svc-gate.", true},
        {"svc-gate", NULL, "SVC-Gate", true},
        {"svc-gate", NULL, "'svc-gate' since noon", true},
        {"svc-gate", NULL, "svc-gate2", false},
        {"svc-gate", NULL, "my-svc-gate", false},
        {"svc-gate", NULL, "my.svc-gate", false},
        {"svc-gate", NULL, "svc-gate.old", false},
        {"svc-gate", NULL, "svc-gate@corp.test", false},
        {"svc-gate", NULL, "CORP\\\\svc-gate", false},
        {"svc-gate", "CORP", "CORP\\\\svc-gate", true},
        {"svc-gate", "CORP", "corp\\\\svc-gate", true},
        {"svc-gate", "CORP", "EXT\\\\svc-gate", false},
        {"svc-gate", "CORP", "svc-gate\\\\ann", false},
        {"svc-gate", NULL, "svc-gate2 and not svc-gate", true},
        {"svc-gate", NULL, "ann", false},
        {NULL, NULL, "ann", false},
    };
    char body[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%s: %s", cases[i].login_name, cases[i].holder);
        asked.login_name = cases[i].login_name;
        asked.authenticator = cases[i].authenticator;
        (void)snprintf(body, sizeof(body), "{\"Message\":\"It is checked out by %s\"}", cases[i].holder);
        read(PI_CHECKOUT_STORED, 500, JSON, body);
        assert_int_equal(answer.result, VAULT_CONFLICT);
        assert_int_equal(answer.holder_is_own, cases[i].own);
        read(PI_CHECKIN_STORED, 500, JSON, body); /* another's is no more the gateway's */
        assert_int_equal(answer.result, cases[i].own ? VAULT_FAILED : VAULT_GONE);
        assert_int_equal(answer.unknown, cases[i].own);
        (void)snprintf(body, sizeof(body), "{\"Message\":\"It is not checked out by %s\"}", cases[i].holder);
        read(PI_CHECKIN_STORED, 500, JSON, body);
        assert_int_equal(answer.result, VAULT_GONE);
    }
    asked.login_name = "svc-gate";
    read(PI_CHECKOUT_STORED, 500, JSON, "{\"Message\":\"svc-gate needs approval\"}");
    assert_false(answer.holder_is_own);
}

/* ---- lists ---- */

static void assert_names(const char *body, const char *wanted)
{
    char names[128] = "";

    case_label("%s", body);
    read(PI_LIST_STORED, 200, JSON, body);
    assert_int_equal(answer.result, wanted ? VAULT_OK : VAULT_FAILED);
    assert_false(answer.unknown);
    for (size_t i = 0; i < answer.names.n; i++)
        (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s,", answer.names.item[i]);
    if (wanted)
        assert_string_equal(names, wanted);
}

TEST(a_list_is_an_array_of_names)
{
    static const char row[] = "[list_stored]\npath = L\nbody = {\"t\":\"{token}\",\"s\":\"{system}\"}\n";
    char text[256];

    file(*state, row);
    assert_names("[]", "");
    assert_names("[\"root\",\"CORP\\\\adm\"]", "root,CORP\\adm,");
    assert_names("[{\"AccountName\":\"root\",\"x\":1},{\"accountname\":\"b\"}]", "root,b,");
    assert_names("[\"a\xff\"]", "a\xef\xbf\xbd,");
    assert_names("[\"root\",5]", NULL);
    assert_names("[{\"Name\":\"root\"}]", NULL);
    assert_names("[null]", NULL);
    assert_names("{\"List\":[\"root\"]}", NULL);
    assert_names("", NULL);
    (void)snprintf(text, sizeof(text), "%sanswer = D.List\n", row);
    file(*state, text);
    assert_names("{\"D\":{\"List\":[\"root\"]}}", "root,");
    assert_names("{\"D\":{\"List\":[\"root\"],\"Success\":false}}", NULL);
    assert_names("[\"root\"]", NULL);
    read(PI_LIST_STORED, 200, JSON, "{\"D\":{\"List\":null,\"Message\":\"Access denied\"}}");
    assert_int_equal(answer.result, VAULT_DENIED);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(words_have_one_meaning_in_each_form_and_face),
        ROW(at_a_check_in_the_words_of_a_conflict_are_gone),
        ROW(a_check_in_is_done_only_where_the_answer_says_so),
        ROW(depth_is_limited_to_thirty_two),
        ROW(words_of_the_file_count_as_they_are_written),
        ROW(a_check_out_has_its_password),
        ROW(a_bare_string_is_a_password_only_where_the_file_says_so),
        ROW(without_a_password_the_outcome_is_unknown),
        ROW(a_password_has_at_most_4096_bytes),
        ROW(ok_of_the_row_must_hold),
        ROW(a_token_is_8_to_4096_letters_without_a_sign_of_failure),
        ROW(a_refused_sign_in_is_another_thing_than_a_lost_one),
        ROW(an_answer_of_another_form_is_of_unknown_outcome),
        ROW(a_refused_token_has_done_nothing),
        ROW(words_are_quoted_clean_and_short_and_never_beside_a_password),
        ROW(the_text_of_a_check_out_that_may_have_worked_is_not_quoted),
        ROW(words_that_echo_what_was_sent_are_not_quoted),
        ROW(a_conflict_may_name_the_sign_in_name),
        ROW(a_list_is_an_array_of_names),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
