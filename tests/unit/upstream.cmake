set(upstream_rig upstream_certs.c upstream_peer.c upstream_rig.c)
jg_test(test_exchange SOURCES test_exchange.c DEPENDS jg_audit jg_loop)
foreach(part upstream upstream_time upstream_stale upstream_faults upstream_tls upstream_owners upstream_age
             upstream_single upstream_may_send)
  jg_test(test_${part} SOURCES test_${part}.c ${upstream_rig} DEPENDS jg_audit jg_loop)
endforeach()
jg_test(test_tls_session_cache SOURCES test_tls_session_cache.c ${upstream_rig} DEPENDS jg_audit jg_loop)

# The same through libcurl alone, as a build with JG_CURL_IO: this vault_conn.o stands before the library's.
set(curl_io ${CMAKE_SOURCE_DIR}/src/loop/upstream/vault_conn.c)
set_source_files_properties(${curl_io} PROPERTIES COMPILE_DEFINITIONS JG_CURL_IO)
foreach(part upstream upstream_stale upstream_faults upstream_tls upstream_single
             upstream_may_send)
  jg_test(test_${part}_curl_io SOURCES test_${part}.c ${upstream_rig} ${curl_io} DEPENDS jg_audit jg_loop)
endforeach()
