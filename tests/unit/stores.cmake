jg_test(test_store SOURCES test_store.c DEPENDS jg_stores jg_loop jg_audit jg_conf jg_base)
