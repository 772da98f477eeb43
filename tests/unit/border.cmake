jg_test(test_conf_change SOURCES test_conf_change.c conf_fixture.c DEPENDS jg_conf jg_base)
jg_test(test_peers SOURCES test_peers.c fake_clock.c DEPENDS jg_handlers jg_loop jg_audit jg_conf jg_base)
