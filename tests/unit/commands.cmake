jg_test(test_command_table SOURCES test_command_table.c DEPENDS jg_commands jg_base)
