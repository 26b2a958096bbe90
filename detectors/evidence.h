// Builds the list that explains a signal. Kinds add in this order: window, samples, baseline,
// threshold, evidence_floor, label and missing (of a storm), top …, panes.
//
//   return EvidenceList().Text("window", "duration", "5m").Number("baseline", "rate", p0)
//       .Top("endpoint", failing, 5).Json("panes", "rate", ring.RatesJson()).Take();
//
// Numbers print with 9 significant digits. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/signal.h"
#include "core/space_saving.h"

namespace tocsin {

class EvidenceList {
 public:
  EvidenceList& Number(std::string_view kind, std::string_view name, double value);
  EvidenceList& Int(std::string_view kind, std::string_view name, std::int64_t value);
  EvidenceList& Text(std::string_view kind, std::string_view name, std::string_view text);
  EvidenceList& Json(std::string_view kind, std::string_view name, std::string json);
  // [{"key":"10.0.0.7","count":812,"share":0.61}, …]; nothing when the sketch is empty.
  EvidenceList& Top(std::string_view name, const SpaceSaving& top, std::size_t n);
  std::vector<Evidence> Take() { return std::exchange(list_, {}); }

 private:
  std::vector<Evidence> list_;
};

}  // namespace tocsin
