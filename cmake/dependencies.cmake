# Everything comes from the distribution (Debian 12 or newer). Versions are floors, compared here
# because several packages' own version files refuse a newer major version. A library that is
# missing or too old stops the configuration with the name of the package that brings it.
#
# Imported targets are SYSTEM: their headers raise no warnings.

function(tocsin_missing what floor found apt)
  if(found)
    set(state "found ${found}")
  else()
    set(state "not found")
  endif()
  message(FATAL_ERROR "tocsin needs ${what} ${floor} (${state}). On Debian: apt-get install ${apt}")
endfunction()

# tocsin_find(<package> <floor or ""> <apt package> [find_package arguments...])
macro(tocsin_find package floor apt)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    tocsin_missing("${package}" "${floor}" "" ${apt})
  elseif(NOT "${floor}" STREQUAL "" AND NOT "${${package}_VERSION}" STREQUAL "" AND
         "${${package}_VERSION}" VERSION_LESS "${floor}")
    tocsin_missing("${package}" "${floor}" "${${package}_VERSION}" ${apt})
  endif()
endmacro()

# tocsin_pkg(<prefix> <module> <floor> <apt package>) makes the target PkgConfig::<prefix>.
macro(tocsin_pkg prefix module floor apt)
  pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
  if(NOT ${prefix}_FOUND)
    tocsin_missing("${module}" "${floor}" "" ${apt})
  elseif(${prefix}_VERSION VERSION_LESS "${floor}")
    tocsin_missing("${module}" "${floor}" "${${prefix}_VERSION}" ${apt})
  endif()
endmacro()

# tocsin_header(<target> <header> <apt package>) makes an interface target of a header-only library.
macro(tocsin_header target header apt)
  string(MAKE_C_IDENTIFIER "TOCSIN_${header}_DIR" variable)
  find_path(${variable} ${header})
  mark_as_advanced(${variable})
  if(NOT ${variable})
    tocsin_missing("<${header}>" "" "" ${apt})
  endif()
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED)
    target_include_directories(${target} SYSTEM INTERFACE ${${variable}})
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
tocsin_find(Threads "" libc6-dev)
tocsin_find(PkgConfig "" pkg-config)

tocsin_find(absl 20220623 libabsl-dev CONFIG)
tocsin_find(simdjson 3.0.1 libsimdjson-dev CONFIG)
tocsin_find(TBB 2021.8 libtbb-dev CONFIG)
tocsin_find(prometheus-cpp 1.0.1 prometheus-cpp-dev CONFIG)
tocsin_find(spdlog 1.10 libspdlog-dev CONFIG)
tocsin_find(CLI11 2.1.2 libcli11-dev CONFIG)
tocsin_find(Boost 1.81 libboost1.81-dev CONFIG)
tocsin_find(CURL 7.88 libcurl4-openssl-dev)
tocsin_find(OpenSSL 3.0 libssl-dev)
tocsin_find(ZLIB 1.2.13 zlib1g-dev)
tocsin_find(Snappy 1.1.9 libsnappy-dev CONFIG)
tocsin_find(GTest 1.12 "libgtest-dev libgmock-dev" CONFIG)
if(TOCSIN_BENCH)
  tocsin_find(benchmark 1.7 libbenchmark-dev CONFIG)
endif()

tocsin_pkg(rdkafka rdkafka 2.0.2 librdkafka-dev)
tocsin_pkg(re2 re2 0 libre2-dev)
tocsin_pkg(sqlite3 sqlite3 3.40 libsqlite3-dev)
tocsin_pkg(xxhash libxxhash 0.8.1 libxxhash-dev)
tocsin_pkg(zstd libzstd 1.5.4 libzstd-dev)

# What a program that is to be fast adds to its libraries (docs/decisions/007).
add_library(tocsin_malloc INTERFACE)
add_library(tocsin::malloc ALIAS tocsin_malloc)
if(TOCSIN_JEMALLOC)
  tocsin_pkg(jemalloc jemalloc 5.3 libjemalloc-dev)
  target_link_libraries(tocsin_malloc INTERFACE PkgConfig::jemalloc)
endif()

tocsin_header(kainjow::mustache kainjow/mustache.hpp libkainjow-mustache-dev)
tocsin_header(protozero::protozero protozero/pbf_reader.hpp libprotozero-dev)

# yaml-cpp's target was renamed to yaml-cpp::yaml-cpp in 0.8; ours works with both.
tocsin_find(yaml-cpp 0.7 libyaml-cpp-dev CONFIG)
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
