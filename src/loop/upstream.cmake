# The vault side of the loop: libcurl opens connections, the exchange runs on them.
set(upstream_sources dialer.c exchange.c pool.c upstream.c wire.c)
if(NOT TARGET jg_loop)
  jg_room(jg_loop SOURCES ${upstream_sources} DEPENDS jg_base PkgConfig::UV)
else()
  target_sources(jg_loop PRIVATE ${upstream_sources})
endif()
target_link_libraries(jg_loop PUBLIC PkgConfig::CURL llhttp::llhttp OpenSSL::SSL)
