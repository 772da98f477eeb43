jg_test(test_conf_table SOURCES test_conf_table.c conf_fixture.c DEPENDS jg_conf jg_base)
jg_test(test_conf SOURCES test_conf.c conf_fixture.c DEPENDS jg_conf jg_base)
jg_test(test_conf_mistakes SOURCES test_conf_mistakes.c conf_fixture.c DEPENDS jg_conf jg_base)
jg_test(test_conf_files SOURCES test_conf_files.c conf_fixture.c DEPENDS jg_conf jg_base OpenSSL::Crypto)
