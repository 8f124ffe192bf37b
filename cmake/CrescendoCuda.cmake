# Looks for nvcc, the CUDA toolkit and cuDNN 9, which the CUDA backend needs, and sets CRESCENDO_WITH_CUDA.
set(CRESCENDO_CUDA AUTO CACHE STRING
    "the CUDA backend: AUTO (built if nvcc, the toolkit and cuDNN are found), ON (an error if not) or OFF")
set_property(CACHE CRESCENDO_CUDA PROPERTY STRINGS AUTO ON OFF)
set(CRESCENDO_CUDA_HINTS "" CACHE STRING
    "folders to search first: each has CUDA's bin, include and lib, or subfolders that have them (pip's .../nvidia)")

# Lists folders that CUDA may be in, in order of preference. pip's packages put each library into its own folder, or all
# into one.
function(crescendo_cuda_roots result)
  set(pip_folders "")
  find_program(CRESCENDO_PYTHON python3 DOC "reports where pip installed CUDA's libraries")
  mark_as_advanced(CRESCENDO_PYTHON)
  if(CRESCENDO_PYTHON)
    execute_process(COMMAND ${CRESCENDO_PYTHON} -c "import nvidia; print(*nvidia.__path__, sep=';')"
                    OUTPUT_VARIABLE pip_folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  set(roots "")
  foreach(folder IN LISTS CRESCENDO_CUDA_HINTS ITEMS "$ENV{CUDA_PATH}" "$ENV{CUDA_HOME}" /usr/local/cuda /opt/cuda
                 LISTS pip_folders)
    if(IS_DIRECTORY "${folder}")
      file(GLOB inner LIST_DIRECTORIES true ${folder}/*/include)
      list(TRANSFORM inner REPLACE "/include$" "")
      list(APPEND roots ${folder} ${inner})
    endif()
  endforeach()
  set(${result} ${roots} PARENT_SCOPE)
endfunction()

# Sets CRESCENDO_CUDA_MISSING to a list of what was not found, for messages.
function(crescendo_find_cuda)
  crescendo_cuda_roots(roots)
  find_program(CRESCENDO_NVCC nvcc HINTS ${roots} PATH_SUFFIXES bin)
  if(CRESCENDO_NVCC)  # which may be a link into the toolkit
    file(REAL_PATH ${CRESCENDO_NVCC} nvcc)
    cmake_path(GET nvcc PARENT_PATH bin)
    cmake_path(GET bin PARENT_PATH toolkit)
    list(APPEND roots ${toolkit})
  endif()
  set(system ${CMAKE_SYSTEM_PROCESSOR}-linux)
  foreach(header cuda_runtime cublasLt cudnn)
    find_path(CRESCENDO_CUDA_${header}_INCLUDE ${header}.h HINTS ${roots}
              PATH_SUFFIXES include targets/${system}/include)
    mark_as_advanced(CRESCENDO_CUDA_${header}_INCLUDE)
  endforeach()
  # pip's packages have only versioned names.
  foreach(library cudart cublasLt cudnn)
    set(names ${library} lib${library}.so.13 lib${library}.so.12)
    if(library STREQUAL "cudnn")
      set(names cudnn lib${library}.so.9)
    endif()
    find_library(CRESCENDO_CUDA_${library}_LIBRARY NAMES ${names} NAMES_PER_DIR HINTS ${roots}
                 PATH_SUFFIXES lib64 lib targets/${system}/lib)
    mark_as_advanced(CRESCENDO_CUDA_${library}_LIBRARY)
  endforeach()

  set(missing "")
  if(NOT CRESCENDO_NVCC)
    list(APPEND missing nvcc)
  endif()
  if(NOT CRESCENDO_CUDA_cuda_runtime_INCLUDE OR NOT CRESCENDO_CUDA_cudart_LIBRARY)
    list(APPEND missing "the CUDA runtime")
  endif()
  if(NOT CRESCENDO_CUDA_cublasLt_INCLUDE OR NOT CRESCENDO_CUDA_cublasLt_LIBRARY)
    list(APPEND missing cuBLASLt)
  endif()
  if(NOT CRESCENDO_CUDA_cudnn_INCLUDE OR NOT CRESCENDO_CUDA_cudnn_LIBRARY)
    list(APPEND missing cuDNN)
  elseif(NOT EXISTS ${CRESCENDO_CUDA_cudnn_INCLUDE}/cudnn_graph.h)
    list(APPEND missing "cuDNN 9 (${CRESCENDO_CUDA_cudnn_INCLUDE} is older)")
  endif()
  set(CRESCENDO_CUDA_MISSING "${missing}" PARENT_SCOPE)
endfunction()

set(CRESCENDO_WITH_CUDA OFF)
if(CRESCENDO_DOUBLE AND CRESCENDO_CUDA AND NOT CRESCENDO_CUDA STREQUAL "AUTO")
  message(FATAL_ERROR "CRESCENDO_CUDA=ON and CRESCENDO_DOUBLE exclude each other: the CUDA backend has no double")
elseif(CRESCENDO_CUDA AND NOT CRESCENDO_DOUBLE)
  crescendo_find_cuda()
  if(NOT CRESCENDO_CUDA_MISSING)
    # Code for sm_80 and sm_90a, and PTX for later devices.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual)
    endif()
    set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # the module links it
    if(NOT DEFINED ENV{CUDACXX})
      set(ENV{CUDACXX} ${CRESCENDO_NVCC})
    endif()
    include(CheckLanguage)
    check_language(CUDA)
    if(NOT CMAKE_CUDA_COMPILER)
      set(CRESCENDO_CUDA_MISSING "an nvcc that works with this C++ compiler (${CRESCENDO_NVCC} does not)")
    endif()
  endif()
  if(NOT CRESCENDO_CUDA_MISSING)
    enable_language(CUDA)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # unknown to CMake 3.25
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
      set(CRESCENDO_CUDA_MISSING "nvcc 12 or later (${CMAKE_CUDA_COMPILER} is ${CMAKE_CUDA_COMPILER_VERSION})")
    endif()
  endif()
  list(JOIN CRESCENDO_CUDA_MISSING ", " CRESCENDO_CUDA_MISSING)
  if(NOT CRESCENDO_CUDA_MISSING)
    set(CRESCENDO_WITH_CUDA ON)
    message(STATUS "CUDA backend: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, ${CRESCENDO_CUDA_cudnn_LIBRARY}")
  elseif(CRESCENDO_CUDA STREQUAL "AUTO")
    message(STATUS "No CUDA backend: not found: ${CRESCENDO_CUDA_MISSING}")
  else()
    message(FATAL_ERROR "CRESCENDO_CUDA=ON, but not found: ${CRESCENDO_CUDA_MISSING} (see CRESCENDO_CUDA_HINTS)")
  endif()
endif()

# crescendo_cuda_module() adds the module crescendo_cuda, which the program loads when a GPU is used.
function(crescendo_cuda_module)
  # nvcc takes other options than the C++ compiler, so its files are a separate target.
  set(folder ${PROJECT_SOURCE_DIR}/kernels/cuda)
  file(GLOB kernels CONFIGURE_DEPENDS ${folder}/*.cu)
  add_library(crescendo_cuda_kernels OBJECT ${kernels})
  target_include_directories(crescendo_cuda_kernels PRIVATE ${PROJECT_SOURCE_DIR}
                             SYSTEM ${CRESCENDO_CUDA_cuda_runtime_INCLUDE})
  target_compile_options(crescendo_cuda_kernels PRIVATE --extended-lambda -lineinfo -Xcompiler=-Wall,-Wextra
                                                        $<$<BOOL:${CRESCENDO_WERROR}>:-Werror=all-warnings>)
  set_target_properties(crescendo_cuda_kernels PROPERTIES CUDA_STANDARD 20)

  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/backend\\.cpp$")  # belongs to the program
  add_library(crescendo_cuda MODULE ${sources} ${PROJECT_SOURCE_DIR}/kernels/host_exchange.cpp $<TARGET_OBJECTS:crescendo_cuda_kernels>)
  target_include_directories(crescendo_cuda PRIVATE ${PROJECT_SOURCE_DIR})
  foreach(library cuda_runtime cublasLt cudnn)
    target_include_directories(crescendo_cuda SYSTEM PRIVATE ${CRESCENDO_CUDA_${library}_INCLUDE})
  endforeach()
  foreach(library cudart cublasLt cudnn)
    target_link_libraries(crescendo_cuda PRIVATE ${CRESCENDO_CUDA_${library}_LIBRARY})
  endforeach()
  set_target_properties(crescendo_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                                                  INSTALL_RPATH_USE_LINK_PATH ON)
  crescendo_compile_options(crescendo_cuda)
endfunction()
