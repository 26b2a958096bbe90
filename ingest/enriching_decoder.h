// Wraps a decoder and fills fields and labels of its events from lookup tables
// (config/enrichment.h).
//
//   std::unique_ptr<Decoder> enriched = Enrich(std::move(decoder), config.enrichment);
//
// `env` counts as absent while it has the default, "prod". An event that already has 64 labels gets
// no more. Lookups of values of up to 1 KiB are cached, up to 4,096 values per table. Not
// thread-safe.
#pragma once

#include <memory>

#include "config/enrichment.h"
#include "ingest/decoder.h"

namespace tocsin {

// Returns `decoder` itself when it is null or `enrichment` is null or empty.
std::unique_ptr<Decoder> Enrich(std::unique_ptr<Decoder> decoder,
                                std::shared_ptr<const Enrichment> enrichment);

}  // namespace tocsin
