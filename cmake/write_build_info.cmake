# Writes OUTPUT from SOURCE_DIR, VERSION, COMPILER, BUILD_TYPE and LIBRARIES. crescendo_version() runs it at every build.
find_package(Git QUIET)
set(commit "unknown")
if(GIT_FOUND AND EXISTS ${SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty=-modified --abbrev=12 --exclude=*
                  WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
// Facts about this build. Written by cmake/write_build_info.cmake.
#pragma once

namespace crescendo::build_info {

inline constexpr char kVersion[] = "@VERSION@";
inline constexpr char kCommit[] = "@commit@";
inline constexpr char kCompiler[] = "@COMPILER@";
inline constexpr char kBuildType[] = "@BUILD_TYPE@";
inline constexpr char kLibraries[] = "@LIBRARIES@";

}  // namespace crescendo::build_info
]])
