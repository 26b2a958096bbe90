tocsin_bench(NAME decode_bench SOURCES decode_bench.cc LIBS tocsin::ingest simdjson::simdjson)
