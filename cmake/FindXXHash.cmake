# Finds xxHash, which computes the checksums of tensors and data sets. Defines the target XXHash::XXHash and
# XXHash_VERSION.
find_path(XXHash_INCLUDE_DIR xxhash.h)
find_library(XXHash_LIBRARY xxhash)
mark_as_advanced(XXHash_INCLUDE_DIR XXHash_LIBRARY)

if(XXHash_INCLUDE_DIR)
  set(XXHash_VERSION "")
  foreach(part MAJOR MINOR RELEASE)
    file(STRINGS ${XXHash_INCLUDE_DIR}/xxhash.h line REGEX "^#define XXH_VERSION_${part} +[0-9]+")
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND XXHash_VERSION ${number})
  endforeach()
  list(JOIN XXHash_VERSION "." XXHash_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XXHash REQUIRED_VARS XXHash_LIBRARY XXHash_INCLUDE_DIR
                                  VERSION_VAR XXHash_VERSION)

if(XXHash_FOUND AND NOT TARGET XXHash::XXHash)
  add_library(XXHash::XXHash UNKNOWN IMPORTED)
  set_target_properties(XXHash::XXHash PROPERTIES IMPORTED_LOCATION ${XXHash_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${XXHash_INCLUDE_DIR})
endif()
