jg_test(test_command_table SOURCES test_command_table.c DEPENDS jg_commands jg_base)
jg_test(test_setup_plan SOURCES test_setup_plan.c DEPENDS jg_commands jg_conf jg_base)
jg_test(test_command_parts SOURCES test_command_parts.c DEPENDS jg_commands jg_base)
jg_test(test_doctor_table SOURCES test_doctor_table.c DEPENDS jg_commands jg_base)
