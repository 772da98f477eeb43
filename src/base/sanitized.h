/*
 * sanitized.h - SANITIZED: whether this is a build with AddressSanitizer, of gcc or of clang.
 */
#ifndef JG_BASE_SANITIZED_H
#define JG_BASE_SANITIZED_H

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
