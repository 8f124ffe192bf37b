# crescendo_version(TARGET) gives TARGET the header build_info.h, with the version, git commit, compiler, build type and
# versions of libraries. Every build looks up the commit, and rewrites the header only if its contents change.
set(CRESCENDO_BUILD_INFO_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/write_build_info.cmake)

function(crescendo_version target)
  set(folder ${PROJECT_BINARY_DIR}/generated/build_info)
  if(NOT TARGET crescendo_build_info)
    set(libraries "Eigen ${Eigen3_VERSION}, fmt ${fmt_VERSION}, CLI11 ${CLI11_VERSION}")
    string(APPEND libraries ", nlohmann_json ${nlohmann_json_VERSION}, xxHash ${XXHash_VERSION}")
    if(OpenCV_FOUND)
      string(APPEND libraries ", OpenCV ${OpenCV_VERSION}")
    endif()
    if(TARGET crescendo_mpi)
      set(mpi "MPI ${MPI_CXX_VERSION}")
      file(STRINGS ${MPI_CXX_HEADER_DIR}/mpi.h numbers REGEX "#define OMPI_(MAJOR|MINOR|RELEASE)_VERSION")
      if(numbers)
        list(TRANSFORM numbers REPLACE ".* " "")
        list(JOIN numbers "." numbers)
        set(mpi "Open MPI ${numbers}")
      endif()
      string(APPEND libraries ", ${mpi}")
    endif()
    if(CRESCENDO_WITH_CUDA)
      string(APPEND libraries ", CUDA ${CMAKE_CUDA_COMPILER_VERSION}")
    endif()
    if(TARGET crescendo_onnx)
      string(APPEND libraries ", ONNX ${ONNX_VERSION}, Protobuf ${Protobuf_VERSION}")
    endif()
    add_custom_target(crescendo_build_info BYPRODUCTS ${folder}/build_info.h COMMENT ""
      COMMAND ${CMAKE_COMMAND} -D OUTPUT=${folder}/build_info.h -D SOURCE_DIR=${PROJECT_SOURCE_DIR}
              -D VERSION=${PROJECT_VERSION} "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
              "-DBUILD_TYPE=${CMAKE_BUILD_TYPE}" "-DLIBRARIES=${libraries}" -P ${CRESCENDO_BUILD_INFO_SCRIPT}
      VERBATIM)
  endif()
  add_dependencies(${target} crescendo_build_info)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
