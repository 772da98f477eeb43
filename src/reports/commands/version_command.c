/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version_command.c - `version`: this build and the libraries that it runs with; see commands.h.
 */
#include "reports/commands/commands.h"

#include <cJSON.h>
#include <curl/curl.h>
#include <expat.h>
#include <glib.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>
#include <zip.h>

int reports_version(const struct command_args *args)
{
    XML_Expat_Version expat = XML_ExpatVersionInfo();

    (void)args;
    puts("jumpgate-reports " JG_VERSION "\n");
    printf("OpenSSL  %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    printf("libuv    %s\n", uv_version_string());
    printf("libcurl  %s\n", curl_version_info(CURLVERSION_NOW)->version);
    printf("SQLite   %s\n", sqlite3_libversion());
    printf("cJSON    %s\n", cJSON_Version());
    printf("expat    %d.%d.%d\n", expat.major, expat.minor, expat.micro);
    printf("libzip   %s\n", zip_libzip_version());
    printf("GLib     %u.%u.%u\n", glib_major_version, glib_minor_version, glib_micro_version);
    return command_finish_output();
}
