tocsin_bench(NAME detect_bench SOURCES detect_bench.cc LIBS tocsin::detectors)
