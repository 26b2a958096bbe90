# Under preset tsan, tells the sanitizer what a program's libraries hide from it: see the file.
function(tocsin_annotate_threads program)
  if(NOT CMAKE_CXX_FLAGS MATCHES fsanitize=thread)
    return()
  endif()
  target_sources(${program} PRIVATE ${PROJECT_SOURCE_DIR}/tests/tsan/annotations.cc)
  target_link_libraries(${program} PRIVATE absl::synchronization)
  foreach(function IN ITEMS 4LockEv 6UnlockEv 5AwaitERKNS0_9ConditionE
                            16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)
    target_link_options(${program} PRIVATE LINKER:--wrap=_ZN4absl7debian35Mutex${function})
  endforeach()
endfunction()

# tocsin_test(NAME time_test SOURCES time_test.cc LIBS tocsin::core
#             [LABELS unit] [TIMEOUT 120] [ARGS ...] [ENV KEY=VALUE ...] [OPTIMISED])
#
# A GoogleTest program with GoogleMock's main, and one ctest entry for it (listing its cases at
# build time would cost a run of each program). It runs in the root of the source tree, so that
# tests/golden/... and examples/... are found; it writes only to testing::TempDir().
function(tocsin_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "OPTIMISED" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS;ARGS;ENV")
  tocsin_check_arguments(tocsin_test "${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()

  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS} GTest::gmock_main)
  tocsin_annotate_threads(${arg_NAME})
  if(NOT arg_OPTIMISED)
    tocsin_compile_quickly(${arg_NAME})
    target_precompile_headers(${arg_NAME} REUSE_FROM tocsin_test_headers)
  endif()
  # Not tests/ itself: the folders of the build tree are there.
  set_target_properties(${arg_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)

  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${arg_ARGS}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${arg_NAME} PROPERTIES
    LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${arg_ENV}")
endfunction()

# The own code of most tests runs for a moment; compiling it is what takes time. OPTIMISED are those
# that compute.
function(tocsin_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
endfunction()

# tocsin_bench(NAME decode_bench SOURCES decode_bench.cc LIBS tocsin::ingest)
#
# A Google Benchmark program at build/<preset>/bench/<NAME>. It is no test: timings assert nothing.
function(tocsin_bench)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS")
  tocsin_check_arguments(tocsin_bench "${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")

  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS} benchmark::benchmark_main)
  set_target_properties(${arg_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  if(NOT TARGET benchmarks)
    add_custom_target(benchmarks)
  endif()
  add_dependencies(benchmarks ${arg_NAME})
endfunction()

# tocsin_fuzz(NAME decode_json_fuzz SOURCES decode_json_fuzz.cc LIBS tocsin::ingest
#             CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/decode_json)
#
# A program around LLVMFuzzerTestOneInput at build/<preset>/fuzz/<NAME>. Under the preset `fuzz` it
# is a fuzzer; elsewhere it replays its corpus as a ctest labelled `fuzz`, and an empty corpus fails.
# CORPUS is relative to the calling CMakeLists.txt. `./dev fuzz` reads it from <NAME>.corpus.
function(tocsin_fuzz)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;CORPUS" "SOURCES;LIBS")
  tocsin_check_arguments(tocsin_fuzz "${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")
  if(NOT arg_CORPUS)
    message(FATAL_ERROR "tocsin_fuzz(${arg_NAME}): CORPUS is missing")
  endif()
  cmake_path(ABSOLUTE_PATH arg_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})

  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS})
  set_target_properties(${arg_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)

  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers ${arg_NAME})

  if(TOCSIN_FUZZ)
    target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
    file(WRITE ${PROJECT_BINARY_DIR}/fuzz/${arg_NAME}.corpus "${arg_CORPUS}\n")
  else()
    if(NOT TARGET fuzz_replay_main)
      add_library(fuzz_replay_main OBJECT ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    endif()
    target_link_libraries(${arg_NAME} PRIVATE fuzz_replay_main)
    tocsin_compile_quickly(${arg_NAME})
    target_precompile_headers(${arg_NAME} REUSE_FROM tocsin_test_headers)
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${arg_CORPUS})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()

function(tocsin_check_arguments caller unparsed name sources)
  if(unparsed)
    message(FATAL_ERROR "${caller}(${name}): unknown arguments: ${unparsed}")
  endif()
  if(NOT name OR NOT sources)
    message(FATAL_ERROR "${caller}(${name}): NAME and SOURCES are required")
  endif()
endfunction()
