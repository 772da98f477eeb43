# Finds llhttp in either of its two Debian forms and offers it as llhttp::llhttp:
#   libllhttp-dev  a shared library with pkg-config file (Debian 13 and later)
#   node-llhttp    the generated C sources in /usr/share/llhttp (Debian 12), compiled here
#
# The sources are compiled in strict mode: lenient parsing is how requests are smuggled.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp)
endif()

if(LLHTTP_FOUND)
  set(llhttp_FOUND TRUE)
  if(NOT TARGET llhttp::llhttp)
    add_library(llhttp::llhttp ALIAS PkgConfig::LLHTTP)
  endif()
else()
  find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
  find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp /usr/include/llhttp NO_DEFAULT_PATH)
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(llhttp REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR)
  if(llhttp_FOUND AND NOT TARGET llhttp::llhttp)
    add_library(jg_llhttp STATIC
      ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
    target_include_directories(jg_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(jg_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_compile_options(jg_llhttp PRIVATE -O2 -w -fstack-protector-strong)
    add_library(llhttp::llhttp ALIAS jg_llhttp)
  endif()
endif()
