tocsin_bench(NAME detect_bench SOURCES detect_bench.cc allocated_bytes.cc detect_cases.cc sampling.cc LIBS
                 tocsin::detectors tocsin::malloc)
