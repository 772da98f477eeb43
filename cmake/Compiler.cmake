# Warnings are errors, for gcc and clang alike; hardening flags in every build.
add_library(jg_flags INTERFACE)
target_compile_definitions(jg_flags INTERFACE _GNU_SOURCE JG_VERSION="${PROJECT_VERSION}"
  $<$<CONFIG:Debug>:JG_CRASH_POINTS>) # places where crash tests end the process; never in a release
target_compile_options(jg_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough
  -Werror -fno-omit-frame-pointer -fstack-protector-strong)

if(JG_SANITIZE)
  target_compile_options(jg_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(jg_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT JG_FUZZ)
  target_compile_options(jg_flags INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
  target_link_options(jg_flags INTERFACE -Wl,-z,relro,-z,now)
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
