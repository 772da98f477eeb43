foreach(name test_top_model test_top_view)
  jg_test(${name} SOURCES ${name}.c top_fixture.c DEPENDS jg_top jg_base)
endforeach()
