tocsin_bench(NAME decode_bench SOURCES decode_bench.cc LIBS tocsin::ingest simdjson::simdjson)
tocsin_bench(NAME protobuf_bench SOURCES protobuf_bench.cc
             LIBS tocsin::ingest protozero::protozero Snappy::snappy)
