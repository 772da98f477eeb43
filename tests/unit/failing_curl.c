/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_curl.c - libcurl's calls that can fail: the rows of failing_curl.def.
 *
 * The functions with a MACRO of curl.h in front take one argument behind the named ones, a pointer or a
 * number of the same size.
 *
 * libcurl gets its memory, by whichever functions: releases that are in use divide by zero and use what they
 * have freed when it runs out in the middle of a connect.
 */
#include "failing_table.h"

#include <curl/curl.h>
#include <curl/mprintf.h>
#include <stdlib.h>
#include <string.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#undef curl_share_setopt

#include "failing_curl.def"

_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *),
               "an argument of libcurl is handed on as a pointer");

#define WITH_ARGUMENT(result, name, handle_type, option_type, may_fail, failure)                             \
    result __real_##name(handle_type handle, option_type option, ...);                                       \
    result __wrap_##name(handle_type handle, option_type option, ...);                                       \
    result __wrap_##name(handle_type handle, option_type option, ...)                                        \
    {                                                                                                        \
        va_list args;                                                                                        \
                                                                                                             \
        va_start(args, option);                                                                              \
        void *argument = va_arg(args, void *);                                                               \
        va_end(args);                                                                                        \
        return (may_fail) && failing_call(#name) ? (failure) : __real_##name(handle, option, argument);      \
    }

WITH_ARGUMENT(CURLcode, curl_easy_setopt, CURL *, CURLoption, true, CURLE_OUT_OF_MEMORY)
/* What the gateway has put there comes back. */
WITH_ARGUMENT(CURLcode, curl_easy_getinfo, CURL *, CURLINFO, option != CURLINFO_PRIVATE,
              CURLE_BAD_FUNCTION_ARGUMENT)
WITH_ARGUMENT(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption, true, CURLM_OUT_OF_MEMORY)
WITH_ARGUMENT(CURLSHcode, curl_share_setopt, CURLSH *, CURLSHoption, true, CURLSHE_NOMEM)

char *__wrap_curl_maprintf(const char *form, ...);
char *__wrap_curl_maprintf(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    char *text = failing_call("curl_maprintf") ? NULL : curl_mvaprintf(form, args);
    va_end(args);
    return text;
}

static curl_realloc_callback given_realloc;

static void *memory_malloc(size_t n)
{
    failing_calls_pause();
    void *p = malloc(n);
    failing_calls_resume();
    return p;
}

static void *memory_calloc(size_t n, size_t size)
{
    failing_calls_pause();
    void *p = calloc(n, size);
    failing_calls_resume();
    return p;
}

static void *memory_realloc(void *old, size_t n)
{
    failing_calls_pause();
    void *p = given_realloc(old, n);
    failing_calls_resume();
    return p;
}

static char *memory_strdup(const char *text)
{
    failing_calls_pause();
    char *copy = strdup(text);
    failing_calls_resume();
    return copy;
}

CURLcode __real_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
                                     curl_realloc_callback r, curl_strdup_callback s, curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
                                     curl_realloc_callback r, curl_strdup_callback s, curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
                                     curl_realloc_callback r, curl_strdup_callback s, curl_calloc_callback c)
{
    (void)m;
    (void)s;
    (void)c;
    if (failing_call("curl_global_init_mem"))
        return CURLE_FAILED_INIT;
    given_realloc = r;
    return __real_curl_global_init_mem(flags, memory_malloc, f, memory_realloc, memory_strdup, memory_calloc);
}
