jg_test(test_reports_conf
  SOURCES test_reports_conf.c conf_table_rules.c tls_files.c
  DEPENDS jumpgate_reports_conf jg_conf_table jg_base OpenSSL::Crypto)
