# Debian packages: `cpack` in a build of the preset `release`; `scripts/package` does all of it (docs/packaging.md).
# One install component is one package. A further one is one call of jg_package() and the component's install rules.
#
# The packages of two builds are the same bytes: CPack takes every time from SOURCE_DATE_EPOCH.
if(CMAKE_BUILD_TYPE STREQUAL Debug)
  return()
endif()

set(JG_MAINTAINER "jumpgate maintainers <maintainers@jumpgate.invalid>" CACHE STRING "Maintainer: of the packages")

set(JG_PACKAGE_VERSION ${PROJECT_VERSION}${JG_VERSION_SUFFIX})

# jg_package(COMPONENT NAME section summary text [variable value]...) - the package NAME of an install component;
# the variables are those of CPack's DEB generator, less CPACK_DEBIAN_COMPONENT_.
set(CPACK_COMPONENTS_ALL)
function(jg_package component name section summary text)
  string(TOUPPER ${component} upper)
  set(prefix CPACK_DEBIAN_${upper})
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
  set(${prefix}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(${prefix}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(${prefix}_DESCRIPTION "${summary}\n${text}" PARENT_SCOPE)
  while(ARGN)
    list(POP_FRONT ARGN variable value)
    set(${prefix}_${variable} "${value}" PARENT_SCOPE)
  endwhile()
endfunction()

set(JG_SYSTEMD_TOOLS
  "systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles")

jg_package(jumpgate jumpgate net "gateway from Privileged Remote Access to Password Safe"
"jumpgate lists the credentials that a user of BeyondTrust Privileged Remote
Access may use on an endpoint, checks one out of BeyondTrust Password Safe so
that it is injected into the session, and checks it in when the session ends.
Each check-out is held by a lease that survives a restart, and is on disk in
a hash-chained audit trail before the secret leaves the gateway."
  PACKAGE_SHLIBDEPS ON
  PACKAGE_DEPENDS ${JG_SYSTEMD_TOOLS}
  PACKAGE_RECOMMENDS "ca-certificates, logrotate"
  PACKAGE_SUGGESTS "jumpgate-ecm-plugin, jumpgate-reports, prometheus")

jg_package(jumpgate-reports jumpgate-reports net "reports on the sessions of Privileged Remote Access sites"
"jumpgate-reports collects what BeyondTrust Privileged Remote Access sites
report about sessions into a database (SQLite, PostgreSQL or SQL Server), shows
it on a page with charts, tables and exports, and passes it on to a SIEM. With
the audit trail of a jumpgate gateway it also shows which credential of
Password Safe each session used. It needs no gateway."
  PACKAGE_SHLIBDEPS ON
  PACKAGE_DEPENDS ${JG_SYSTEMD_TOOLS}
  PACKAGE_RECOMMENDS "ca-certificates, logrotate"
  PACKAGE_SUGGESTS "jumpgate, odbc-postgresql, tdsodbc, prometheus")

foreach(package jumpgate jumpgate-reports)
  set(scripts ${CMAKE_SOURCE_DIR}/packaging/debian/${package})
  string(TOUPPER ${package} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    ${scripts}/preinst ${scripts}/postinst ${scripts}/prerm ${scripts}/postrm ${scripts}/conffiles)
endforeach()

jg_package(dbgsym jumpgate-dbgsym debug "debug symbols for jumpgate"
"gdb and the like find the symbols of the programs by their build ids."
  PACKAGE_DEPENDS "jumpgate (= ${JG_PACKAGE_VERSION}) | jumpgate-reports (= ${JG_PACKAGE_VERSION})")

jg_package(ecm-plugin jumpgate-ecm-plugin net "plug-in of the Endpoint Credential Manager for jumpgate (sources)"
"The plug-in lets the vendor's ECM service, which connects to a Privileged
Remote Access site, ask jumpgate for credentials. It is built with the
vendor's SDK, which may not be passed on, so the package has the sources;
/usr/share/jumpgate/ecm-plugin/INSTALL.md says how to build and install it."
  PACKAGE_ARCHITECTURE all
  PACKAGE_ENHANCES jumpgate)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME jumpgate)
set(CPACK_PACKAGE_VERSION ${JG_PACKAGE_VERSION})
set(CPACK_PACKAGE_CONTACT ${JG_MAINTAINER})
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # the configuration is not under the prefix
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES OFF) # cmake/PackageFiles.cmake splits the symbols off
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/PackageFiles.cmake)
set(CPACK_JG_SOURCE_DIR ${CMAKE_SOURCE_DIR})
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
