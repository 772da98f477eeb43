set(upstream_rig test_upstream_certs.c test_upstream_peer.c test_upstream_rig.c)
jg_test(test_exchange SOURCES test_exchange.c DEPENDS jg_audit jg_loop)
foreach(part upstream upstream_time upstream_stale upstream_faults upstream_tls upstream_resume upstream_owners
             upstream_age)
  jg_test(test_${part} SOURCES test_${part}.c ${upstream_rig} DEPENDS jg_audit jg_loop)
endforeach()
