jg_test(test_store SOURCES test_store.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_store_contract SOURCES test_store_contract.c store_contract.c fake_store.c fake_store_shared.c fake_clock.c
  DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd SOURCES test_etcd.c store_contract.c etcd_rig.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_cluster SOURCES test_etcd_cluster.c etcd_rig.c
  DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_order SOURCES test_etcd_order.c etcd_rig.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
set_tests_properties(test_etcd_order PROPERTIES LABELS long) # scripts/test --all
