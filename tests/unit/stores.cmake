jg_test(test_store SOURCES test_store.c fake_clock.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_move SOURCES test_move.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_copy SOURCES test_copy.c copy_rig.c fake_etcd.c failing_calls.c DEPENDS jg_commands)
jg_test(test_store_contract SOURCES test_store_contract.c store_contract.c store_contract_finishes.c fake_store.c fake_store_shared.c fake_clock.c
  DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd SOURCES test_etcd.c store_contract.c store_contract_finishes.c strange_rows.c etcd_rig.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_txn SOURCES test_etcd_txn.c DEPENDS jg_stores jg_base)
jg_test(test_etcd_hints SOURCES test_etcd_hints.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_members SOURCES test_etcd_members.c fake_etcd.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_cases SOURCES test_etcd_cases.c cluster_rig.c fake_etcd.c fake_clock.c DEPENDS jg_stores jg_base)
jg_test(test_etcd_ends SOURCES test_etcd_ends.c cluster_rig.c cluster_scenarios.c fake_etcd.c fake_clock.c
  DEPENDS jg_stores jg_base)
jg_test(test_etcd_kept SOURCES test_etcd_kept.c store_contract.c strange_rows.c cluster_rig.c cluster_scenarios.c
  fake_etcd.c fake_clock.c DEPENDS jg_stores jg_base)
jg_test(test_fake_etcd SOURCES test_fake_etcd.c fake_etcd.c etcd_rig.c DEPENDS jg_base)
jg_test(test_etcd_cluster SOURCES test_etcd_cluster.c etcd_rig.c
  DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
jg_test(test_etcd_order SOURCES test_etcd_order.c etcd_rig.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
set_tests_properties(test_etcd_order PROPERTIES LABELS long) # scripts/test --all
jg_test(test_etcd_answers SOURCES test_etcd_answers.c cluster_scenarios.c cluster_rig.c fake_etcd.c fake_clock.c
  DEPENDS jg_stores jg_base)
jg_test(test_etcd_broken SOURCES test_etcd_broken.c cluster_scenarios.c cluster_rig.c fake_etcd.c fake_clock.c
  DEPENDS jg_stores jg_base)
jg_test(test_etcd_strange SOURCES test_etcd_strange.c cluster_scenarios.c cluster_rig.c fake_etcd.c fake_clock.c
  DEPENDS jg_stores jg_base)
