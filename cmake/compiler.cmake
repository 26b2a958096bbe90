# Flags that every target shares. Optimisation, assertions and sanitizers are the presets' matter.
include(CheckLinkerFlag)

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor)

# Replaying a log must give the same bits on every CPU, so a*b+c is never fused.
add_compile_options(-ffp-contract=off)

# What is delivered reads bytes from strangers. The other presets find the same faults themselves.
add_compile_options($<$<CONFIG:Release>:-fstack-protector-strong>
                    $<$<CONFIG:Release>:-fstack-clash-protection>)
add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
add_link_options(LINKER:-z,relro,-z,now)

if(TOCSIN_WERROR)
  add_compile_options(-Werror)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety -Werror=thread-safety)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: false positives from std::string's operator+ and moves.
  add_compile_options(-Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()

find_program(TOCSIN_CCACHE ccache)
if(TOCSIN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers ask for the first (ccache's manual); the second saves a run of the
  # preprocessor for each file that is not in the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1 ${TOCSIN_CCACHE})
endif()

find_program(TOCSIN_MOLD mold)
if(TOCSIN_MOLD)
  check_linker_flag(CXX -fuse-ld=mold TOCSIN_LINKS_WITH_MOLD)
  if(TOCSIN_LINKS_WITH_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
