# Half of the time of a compilation without this is the parsing of the same headers. A file still
# includes what it uses; what stands here is only parsed once. Every target takes part
# (tocsin_precompile_all), so a file that forgot an include cannot build here and fail elsewhere.

set(tocsin_precompiled
  <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <compare> <condition_variable>
  <cstddef> <cstdint> <cstdio> <cstdlib> <cstring> <deque> <filesystem> <fstream> <functional>
  <iterator> <limits> <map> <memory> <mutex> <optional> <set> <span> <sstream> <stdexcept> <string>
  <string_view> <system_error> <thread> <tuple> <type_traits> <unordered_map> <utility> <variant>
  <vector>
  <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/status.h>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/strings/str_format.h>
  <absl/strings/str_split.h> <absl/synchronization/mutex.h> <absl/time/clock.h>
  $<$<CXX_COMPILER_ID:Clang>:<simdjson.h$<ANGLE-R>>)

# A precompiled header serves only those that see the same macros. We never throw, and all translation
# units must agree on simdjson's interface.
add_compile_options(-pthread)
add_compile_definitions(SIMDJSON_EXCEPTIONS=0 SIMDJSON_THREADS_ENABLED=1 GTEST_HAS_PTHREAD=1)

# tocsin_precompiled_target(<name> <headers...>) parses headers for the targets that reuse <name>.
function(tocsin_precompiled_target name)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.cc)
  target_precompile_headers(${name} PRIVATE ${ARGN})
  target_link_libraries(${name} PRIVATE absl::flat_hash_map absl::statusor absl::str_format
                        absl::synchronization simdjson::simdjson)
endfunction()

tocsin_precompiled_target(tocsin_headers ${tocsin_precompiled})
if(TOCSIN_TESTS)
  tocsin_precompiled_target(tocsin_test_headers ${tocsin_precompiled} <gmock/gmock.h>)
  target_link_libraries(tocsin_test_headers PRIVATE GTest::gmock)
  tocsin_compile_quickly(tocsin_test_headers)
endif()

# Lets every target of these folders, and of the folders below, use the headers of tocsin_headers,
# but for those that use others.
function(tocsin_precompile_all)
  foreach(folder IN LISTS ARGN)
    get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS targets)
      get_target_property(type ${target} TYPE)
      get_target_property(others ${target} PRECOMPILE_HEADERS_REUSE_FROM)
      if(NOT others AND type MATCHES "STATIC_LIBRARY|OBJECT_LIBRARY|EXECUTABLE")
        target_precompile_headers(${target} REUSE_FROM tocsin_headers)
      endif()
    endforeach()
    get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
    if(below)
      tocsin_precompile_all(${below})
    endif()
  endforeach()
endfunction()
