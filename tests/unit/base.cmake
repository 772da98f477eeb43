jg_test(test_base SOURCES test_base.c DEPENDS jg_base)
jg_test(test_json SOURCES test_json.c DEPENDS jg_base)
jg_test(test_log SOURCES test_log.c DEPENDS jg_base)
