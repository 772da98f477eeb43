jg_test(test_explain SOURCES test_explain.c fake_clock.c DEPENDS jg_lists jg_conf jg_base)
