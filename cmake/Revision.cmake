# The revision of the source for `jumpgate version`: JG_REVISION, else that of the git checkout, else none.
set(JG_REVISION "" CACHE STRING "revision of the source; empty: that of the git checkout, where it is one")

set(jg_revision "${JG_REVISION}")
if(NOT jg_revision AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  find_package(Git QUIET)
  if(GIT_FOUND)
    execute_process(
      COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
      OUTPUT_VARIABLE jg_revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
