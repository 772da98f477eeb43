# Man pages and completion, which the program itself writes: man/ and completion/ of the build folder.
set(JG_PAGES)

# jg_page(FILE WORD...) - what `jumpgate WORD...` prints. A command that fails leaves no file.
function(jg_page file)
  set(path ${CMAKE_BINARY_DIR}/${file})
  get_filename_component(folder ${path} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${path}
    COMMAND jumpgate ${ARGN} > ${path}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${path}.new ${path}
    DEPENDS jumpgate COMMENT "Writing ${file}")
  set(JG_PAGES ${JG_PAGES} ${path} PARENT_SCOPE)
endfunction()

if(NOT JG_FUZZ)
  jg_page(man/jumpgate.1 help --man)
  jg_page(man/jumpgate.conf.5 config --man)
  jg_page(completion/jumpgate help --completion bash)
  jg_page(completion/_jumpgate help --completion zsh)
  jg_page(completion/jumpgate.fish help --completion fish)
  add_custom_target(pages ALL DEPENDS ${JG_PAGES})
endif()
