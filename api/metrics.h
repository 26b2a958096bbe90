// The program's own metrics in Prometheus text format, collected when somebody scrapes.
//
//   std::string text = MetricsText(pipeline.Snapshot());
//
// Nothing on the hot path knows about metrics: the counters are read from a PipelineStatus and
// handed to prometheus-cpp's core library for serialisation. Names begin with tocsin_; counters end
// in _total. Thread-safe: pure.
#pragma once

#include <string>

#include "service/pipeline.h"

namespace tocsin {

std::string MetricsText(const PipelineStatus& status);

}  // namespace tocsin
