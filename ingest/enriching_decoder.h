// Fills in what tables know (config/enrichment.h) behind any decoder.
//
//   std::unique_ptr<Decoder> enriched = Enrich(std::move(decoder), config.enrichment);
//
// `env` counts as absent where it is the default, "prod". An event that has 64 labels already gets
// no more. What a value of up to 1 KiB was found to fit is remembered for 4,096 values a table.
#pragma once

#include <memory>

#include "config/enrichment.h"
#include "ingest/decoder.h"

namespace tocsin {

// `decoder` itself where there is nothing to fill in.
std::unique_ptr<Decoder> Enrich(std::unique_ptr<Decoder> decoder,
                                std::shared_ptr<const Enrichment> enrichment);

}  // namespace tocsin
