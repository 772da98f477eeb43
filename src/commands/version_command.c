/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version_command.c - `jumpgate version`: this build and the libraries that it runs with; see commands.h.
 *
 * Each library tells its version while the program runs, which may be newer than the one of the build.
 * llhttp, inih and libsystemd have no such function: theirs is the version of the build.
 */
#include "base/compiler.h"
#include "commands/commands.h"

#include "base/buf.h"
#include "base/jsonw.h"
#include "commands/control_command.h"
#include "commands/print_table.h"

#include <curl/curl.h>
#include <expat.h>
#include <llhttp.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define OUTPUT_MAX   (1U << 16)
#define VERSION_SIZE 32
#define TEXT(x)      TEXT_OF(x)
#define TEXT_OF(x)   #x

static const char revision[] = JG_REVISION, build_type[] = JG_BUILD_TYPE;

static const char *openssl_version(char out[VERSION_SIZE])
{
    (void)out;
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

static const char *curl_version_text(char out[VERSION_SIZE])
{
    (void)out;
    return curl_version_info(CURLVERSION_NOW)->version;
}

static const char *cjson_version(char out[VERSION_SIZE])
{
    (void)out;
    return cJSON_Version();
}

static const char *uv_version_text(char out[VERSION_SIZE])
{
    (void)out;
    return uv_version_string();
}

static const char *sqlite_version_text(char out[VERSION_SIZE])
{
    (void)out;
    return sqlite3_libversion();
}

static const char *expat_version(char out[VERSION_SIZE])
{
    XML_Expat_Version v = XML_ExpatVersionInfo();

    (void)snprintf(out, VERSION_SIZE, "%d.%d.%d", v.major, v.minor, v.micro);
    return out;
}

static const char *seccomp_version_text(char out[VERSION_SIZE])
{
    const struct scmp_version *v = seccomp_version();

    (void)snprintf(out, VERSION_SIZE, "%u.%u.%u", v->major, v->minor, v->micro);
    return out;
}

static const struct library {
    const char *name, *built;
    const char *(*version)(char out[VERSION_SIZE]); /* NULL = it cannot tell */
} libraries[] = {
    {"OpenSSL", OPENSSL_VERSION_STR, openssl_version},
    {"libuv", TEXT(UV_VERSION_MAJOR) "." TEXT(UV_VERSION_MINOR) "." TEXT(UV_VERSION_PATCH), uv_version_text},
    {"libcurl", LIBCURL_VERSION, curl_version_text},
    {"SQLite", SQLITE_VERSION, sqlite_version_text},
    {"llhttp", TEXT(LLHTTP_VERSION_MAJOR) "." TEXT(LLHTTP_VERSION_MINOR) "." TEXT(LLHTTP_VERSION_PATCH),
     NULL},
    {"cJSON", TEXT(CJSON_VERSION_MAJOR) "." TEXT(CJSON_VERSION_MINOR) "." TEXT(CJSON_VERSION_PATCH),
     cjson_version},
    {"expat", TEXT(XML_MAJOR_VERSION) "." TEXT(XML_MINOR_VERSION) "." TEXT(XML_MICRO_VERSION), expat_version},
    {"libseccomp", TEXT(SCMP_VER_MAJOR) "." TEXT(SCMP_VER_MINOR) "." TEXT(SCMP_VER_MICRO),
     seccomp_version_text},
    {"libsystemd", JG_SYSTEMD_VERSION, NULL},
};

#define NLIBRARIES (sizeof(libraries) / sizeof(libraries[0]))

static int print_page(void)
{
    struct print_table t = print_table_start(NULL, 3);
    char text[VERSION_SIZE];

    puts("jumpgate " JG_VERSION);
    printf("revision  %s\nbuild     %s, %s\n\n", *revision ? revision : "not known", build_type, JG_COMPILER);
    for (size_t i = 0; i < NLIBRARIES; i++) {
        const struct library *l = &libraries[i];
        const char *version = l->version ? l->version(text) : l->built;

        print_table_cell(&t, STYLE_PLAIN, l->name);
        print_table_cell(&t, STYLE_PLAIN, version);
        if (l->version && strcmp(version, l->built) == 0)
            print_table_cell(&t, STYLE_DIM, "as built");
        else if (l->version)
            print_table_cellf(&t, STYLE_PLAIN, "built with %s", l->built);
        else
            print_table_cell(&t, STYLE_DIM, "version of the build");
    }
    return print_table_end(&t, stdout) ? command_failed("out of memory") : EXIT_DONE;
}

static int print_json(void)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);
    struct jsonw w = jsonw_start(&out);
    char text[VERSION_SIZE];

    jsonw_object(&w, NULL);
    jsonw_str(&w, "name", "jumpgate");
    jsonw_str(&w, "version", JG_VERSION);
    jsonw_str(&w, "revision", *revision ? revision : NULL);
    jsonw_str(&w, "build_type", build_type);
    jsonw_str(&w, "compiler", JG_COMPILER);
    jsonw_array(&w, "libraries");
    for (size_t i = 0; i < NLIBRARIES; i++) {
        jsonw_object(&w, NULL);
        jsonw_str(&w, "name", libraries[i].name);
        jsonw_str(&w, "version", libraries[i].version ? libraries[i].version(text) : NULL);
        jsonw_str(&w, "built_with", libraries[i].built);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    return command_print(&out);
}

int command_version(const struct command_args *args)
{
    int code = args_given(args, "--json") ? print_json() : print_page();

    return code ? code : command_finish_output();
}
