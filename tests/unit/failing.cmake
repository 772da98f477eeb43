# Every call fails once (failing_calls.h).
#
# failing_test(NAME TABLES table... SOURCES file... DEPENDS library...) - a program in which the calls of failing_TABLE.def
# can fail: those of the libraries, while the sources are compiled with plain_NAME for each NAME of a table. The test NAME
# is its quick form, NAME_all the whole one (scripts/test --all, as are quick forms that take longer).
set(failing_programs)
function(failing_test name)
  list(APPEND failing_programs $<TARGET_FILE:${name}>)
  set(failing_programs ${failing_programs} PARENT_SCOPE)
  cmake_parse_arguments(TEST "" "" "TABLES;SOURCES;DEPENDS" ${ARGN})
  set(plain)
  set(wraps)
  set(tables)
  foreach(table ${TEST_TABLES})
    set(rows ${CMAKE_CURRENT_SOURCE_DIR}/failing_${table}.def)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${rows})
    file(STRINGS ${rows} lines REGEX "^[A-Z]+\\(")
    foreach(line ${lines})
      string(REGEX MATCH "^([A-Z]+)\\(([^,()]*, )?([A-Za-z0-9_]+)[,)]" matched "${line}")
      set(kind ${CMAKE_MATCH_1})
      set(call ${CMAKE_MATCH_3})
      if(NOT kind MATCHES "^(NEVER|MACRO)$")
        list(APPEND plain ${call}=plain_${call})
      endif()
      if(NOT kind MATCHES "^(NEVER|QUIET)$")
        list(APPEND wraps -Wl,--wrap=${call})
      endif()
    endforeach()
    list(APPEND tables failing_${table}.c)
  endforeach()
  add_library(${name}_sources OBJECT ${TEST_SOURCES})
  target_include_directories(${name}_sources PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name}_sources PRIVATE ${TEST_DEPENDS} PkgConfig::CMOCKA)
  target_compile_definitions(${name}_sources PRIVATE ${plain})
  jg_test(${name} SOURCES failing_calls.c ${tables} DEPENDS ${TEST_DEPENDS})
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:${name}_sources>)
  target_link_options(${name} PRIVATE ${wraps})
  add_test(NAME ${name}_all COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  set_tests_properties(${name}_all PROPERTIES LABELS long TIMEOUT 3600 ENVIRONMENT JG_FAILING_CALLS=all)
endfunction()

failing_test(test_failing_broker TABLES libc crypto base fakes
  SOURCES test_failing_broker.c fake_clock.c fake_vault.c fake_store.c fake_store_shared.c broker_rig.c DEPENDS jg_broker)
failing_test(test_failing_store TABLES libc crypto sqlite uv SOURCES test_failing_store.c
  DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
failing_test(test_failing_copy TABLES libc crypto base sqlite SOURCES test_failing_copy.c copy_rig.c fake_etcd.c
  DEPENDS jg_commands)
failing_test(test_failing_etcd TABLES libc crypto etcd
  SOURCES test_failing_etcd.c cluster_scenarios.c cluster_rig.c fake_etcd.c fake_clock.c DEPENDS jg_stores jg_base)
failing_test(test_failing_vault TABLES libc crypto base answers SOURCES test_failing_vault.c ps_rig.c vault_rig.c fake_clock.c
  DEPENDS jg_backends jg_conf jg_base)
failing_test(test_failing_pi TABLES libc crypto base answers SOURCES test_failing_pi.c pi_rig.c vault_rig.c fake_clock.c
  DEPENDS jg_privileged_identity jg_conf jg_base)
failing_test(test_failing_tls TABLES libc crypto ssl base http SOURCES test_failing_tls.c http_rig.c tls_files.c
  DEPENDS jg_loop jg_audit jg_conf jg_base)
failing_test(test_failing_upstream TABLES libc crypto ssl curl base
  SOURCES test_failing_upstream.c upstream_rig.c upstream_peer.c upstream_certs.c DEPENDS jg_loop jg_audit jg_base)
failing_test(test_failing_handlers TABLES libc crypto base
  SOURCES test_failing_handlers.c fake_gateway.c fake_http.c fake_clock.c DEPENDS jg_handlers jg_backends jg_conf jg_base)
failing_test(test_failing_control TABLES libc crypto curl base SOURCES test_failing_control.c DEPENDS jg_commands)
failing_test(test_failing_setup TABLES libc crypto base SOURCES test_failing_setup.c DEPENDS jg_commands)
failing_test(test_failing_conf TABLES libc crypto ssl base SOURCES test_failing_conf.c conf_fixture.c tls_files.c
  DEPENDS jg_conf jg_base)
failing_test(test_failing_hashes TABLES libc crypto ssl base SOURCES test_failing_hashes.c tls_files.c
  DEPENDS jumpgate_reports_password jg_conf jg_base)
failing_test(test_failing_trail TABLES libc crypto base SOURCES test_failing_trail.c audit_trail.c
  DEPENDS jumpgate_reports_collect jg_loop jg_audit jg_conf jg_base)

set_tests_properties(test_failing_broker_all PROPERTIES LABELS "") # it is quick
set_tests_properties(test_failing_tls test_failing_upstream test_failing_conf test_failing_hashes PROPERTIES LABELS long)

# The archives of a folder and of those below it.
function(failing_archives found folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  set(all)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL STATIC_LIBRARY)
      list(APPEND all $<TARGET_FILE:${target}>)
    endif()
  endforeach()
  foreach(next ${below})
    failing_archives(more ${next})
    list(APPEND all ${more})
  endforeach()
  set(${found} ${all} PARENT_SCOPE)
endfunction()

failing_archives(archives ${CMAKE_SOURCE_DIR}/src)
find_library(JG_CURL_FILE curl REQUIRED)
add_test(NAME failing_tables COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/failing_tables failing_ssl.def=${OPENSSL_SSL_LIBRARY}
    failing_crypto.def=${OPENSSL_CRYPTO_LIBRARY} failing_curl.def=${JG_CURL_FILE} -- ${archives}
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
file(GLOB failing_defs RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS failing_*.def)
add_test(NAME failing_reached COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/failing_reached ${failing_defs} -- ${failing_programs}
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(failing_reached PROPERTIES TIMEOUT 900)
