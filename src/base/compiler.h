/*
 * compiler.h - the compiler of this build, for the version and /status of either program.
 */
#ifndef JG_BASE_COMPILER_H
#define JG_BASE_COMPILER_H

#if defined(__clang__)
#define JG_COMPILER "clang " __clang_version__
#else
#define JG_COMPILER "gcc " __VERSION__
#endif

#endif
