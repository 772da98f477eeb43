# Warnings are errors for developers (JG_WERROR), for gcc and clang alike; hardening flags in every build.
include(CheckCCompilerFlag)
include(CheckPIESupported)

add_library(jg_flags INTERFACE)
target_compile_definitions(jg_flags INTERFACE _GNU_SOURCE JG_VERSION="${PROJECT_VERSION}${JG_VERSION_SUFFIX}"
  $<$<CONFIG:Debug>:JG_CRASH_POINTS>) # places where crash tests end the process; never in a release
target_compile_options(jg_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough
  $<$<BOOL:${JG_WERROR}>:-Werror> -fno-omit-frame-pointer -fstack-protector-strong)

if(JG_SANITIZE)
  target_compile_options(jg_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(jg_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT JG_FUZZ)
  target_link_options(jg_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

if(CMAKE_BUILD_TYPE STREQUAL Release)
  check_pie_supported(LANGUAGES C)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  foreach(flag -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "JG_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      add_compile_options(${flag})
    endif()
  endforeach()
  # Symbols for debuggers, which change no code; cmake/PackageFiles.cmake splits them off. The same source makes the same
  # bytes in every folder, since no path of this machine is in a program. The last map that fits counts, and the build
  # folder may be in the source folder.
  add_compile_options(-g -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
endif()
if(JG_FUZZ)
  target_compile_options(jg_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(jg_flags INTERFACE -fsanitize=address,undefined)
endif()

# jg_room(NAME DEPENDS... SOURCES file...) - one room of the house as a static library.
function(jg_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC jg_flags ${ROOM_DEPENDS})
endfunction()
