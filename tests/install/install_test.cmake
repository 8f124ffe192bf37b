# Installs BUILD below SCRATCH, moves it, builds consumer/ against it, and runs both programs. ctest runs this script.
set(staged ${SCRATCH}/staged)
set(prefix ${SCRATCH}/moved)
set(outside ${SCRATCH}/outside)
file(REMOVE_RECURSE ${staged} ${prefix} ${outside} ${SCRATCH}/run ${SCRATCH}/exported)

# run(VARIABLE command...): its output in VARIABLE; the test fails when it does.
function(run variable)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\n${output}\nended with ${status}")
  endif()
  message("${output}")
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

run(ignored ${CMAKE_COMMAND} --install ${BUILD} --prefix ${staged})
file(RENAME ${staged} ${prefix})  # an installation must not know where it was made
run(ignored ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${outside} -G Ninja
    -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${COMPILER}
    "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(ignored ${CMAKE_COMMAND} --build ${outside})
run(losses ${outside}/consumer)
if(NOT losses MATCHES "^loss [0-9.]+ before the step, [0-9.]+ after it\n$")
  message(FATAL_ERROR "the consumer printed: ${losses}")
endif()

run(version ${prefix}/bin/crescendo --version)
string(FIND "${version}" "${EXPECTED_VERSION}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "crescendo --version does not name ${EXPECTED_VERSION}: ${version}")
endif()
run(recipes ${prefix}/bin/crescendo train --recipe list)
if(recipes STREQUAL "")
  message(FATAL_ERROR "the installed program lists no recipes")
endif()
# Where OpenCV was found, its module is found too.
if(EXISTS ${prefix}/${LIBDIR}/crescendo/libcrescendo_opencv.so)
  run(ignored ${prefix}/bin/crescendo train --model wrn-10-1 --data shapes --train-images 64 --batch 32 --epochs 1
      --milestones none --ghost-batch 32 --run-dir ${SCRATCH}/run --max-updates 1 --quiet)
  run(classes ${prefix}/bin/crescendo predict ${SCRATCH}/run ${CMAKE_CURRENT_LIST_DIR}/../../docs/report.png)
  if(NOT classes MATCHES "report.png")
    message(FATAL_ERROR "the installed program predicts: ${classes}")
  endif()
endif()
# Where ONNX was found, so is its module.
if(EXISTS ${prefix}/${LIBDIR}/crescendo/libcrescendo_onnx.so)
  run(ignored ${prefix}/bin/crescendo train --model wrn-10-1 --data shapes --train-images 64 --batch 32 --epochs 1
      --milestones none --ghost-batch 32 --run-dir ${SCRATCH}/exported --max-updates 1 --quiet)
  run(ignored ${prefix}/bin/crescendo export ${SCRATCH}/exported -o ${SCRATCH}/exported.onnx)
endif()
