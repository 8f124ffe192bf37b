# Installs the program, the layers as static libraries, their headers, and the files that find_package(Crescendo) reads.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Crescendo)

install(TARGETS crescendo RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(module crescendo_cuda crescendo_mpi crescendo_opencv crescendo_onnx)
  if(TARGET ${module})
    install(TARGETS ${module} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/crescendo)
  endif()
endforeach()
install(TARGETS crescendo_base crescendo_kernels crescendo_engine crescendo_models crescendo_data crescendo_trainer
        EXPORT CrescendoTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY base kernels engine models data trainer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/crescendo
        FILES_MATCHING PATTERN "*.h" PATTERN kernels/cpu EXCLUDE PATTERN kernels/cuda EXCLUDE PATTERN kernels/mpi EXCLUDE
        PATTERN engine/ops EXCLUDE
        PATTERN data/decoder EXCLUDE PATTERN trainer/cli EXCLUDE PATTERN trainer/recipes EXCLUDE)

install(EXPORT CrescendoTargets NAMESPACE Crescendo:: DESTINATION ${package_dir})
configure_package_config_file(cmake/CrescendoConfig.cmake.in ${PROJECT_BINARY_DIR}/CrescendoConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/CrescendoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/CrescendoConfig.cmake ${PROJECT_BINARY_DIR}/CrescendoConfigVersion.cmake
        cmake/FindXXHash.cmake DESTINATION ${package_dir})
