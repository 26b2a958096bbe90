tocsin_bench(NAME decode_bench SOURCES decode_bench.cc LIBS tocsin::ingest simdjson::simdjson)
tocsin_bench(NAME protobuf_bench SOURCES protobuf_bench.cc
             LIBS tocsin::ingest protozero::protozero Snappy::snappy)
tocsin_bench(NAME formats_bench SOURCES formats_bench.cc LIBS tocsin::ingest)
target_compile_definitions(formats_bench PRIVATE TOCSIN_FUZZ_CORPUS="${CMAKE_SOURCE_DIR}/tests/fuzz/corpus")
