// Limits the cost of decoding one payload beyond reading its bytes once, so that work and memory
// stay linear in the payload's size whatever it contains.
//
//   PayloadBudget budget;
//   budget.Begin(record.size());                        // of each payload
//   if (!budget.TakeNames(outer.size() + inner.size())) return budget_fault::kNames;
//
// Most work that a payload could multiply is done only once and needs no budget: labels are read
// once for all samples of a series, all quantiles of a point and all fields of a measurement, and
// the attributes of a resource once for all of its logs. Before doing the rest, a decoder takes its
// cost in bytes from one of these budgets:
//
//   names      names joined from the keys of nested maps, such as "http.request.method"
//   resources  strings repeated for every record of a resource and every point of a metric
//   series     strings repeated for every sample of a series, quantile of a point and field of a
//              measurement; they cost the receiver of the events work
//   unpacked   output of decompressing data within the payload
//
// Each budget grows with the payload and is far above what a well-behaved sender needs
// (core/limits.h). If the budget does not suffice, nothing is taken and the name or event that
// needed it is undecodable, for a reason in budget_fault. Not thread-safe.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/limits.h"

namespace tocsin {

namespace budget_fault {

inline constexpr std::string_view kName = "an attribute name longer than 1 KiB";
inline constexpr std::string_view kNames =
    "joined attribute names exceed 16 times the payload's size";
inline constexpr std::string_view kResources =
    "repeated resource attributes exceed 64 times the payload's size";
inline constexpr std::string_view kSeries =
    "repeated series labels exceed 256 times the payload's size";
inline constexpr std::string_view kUnpacked =
    "decompressed data exceeds 8 MiB plus 32 times the payload's size";
static_assert(limits::kNameBytesMax == 1 << 10 && limits::kNamesFactor == 16 &&
              limits::kResourcesFactor == 64 && limits::kSeriesFactor == 256 &&
              limits::kUnpackedFactor == 32 && limits::kPayloadBytesMax == 8 << 20);

}  // namespace budget_fault

class PayloadBudget {
 public:
  void Begin(std::size_t payload_bytes) {
    names_ = limits::kNamesFactor * payload_bytes;
    resources_ = limits::kResourcesFactor * payload_bytes;
    series_ = limits::kSeriesFactor * payload_bytes;
    unpacked_ = limits::kPayloadBytesMax + limits::kUnpackedFactor * payload_bytes;
  }

  bool TakeNames(std::size_t bytes) { return Take(bytes, &names_); }
  bool TakeResources(std::size_t bytes) { return Take(bytes, &resources_); }
  bool TakeSeries(std::size_t bytes) { return Take(bytes, &series_); }
  bool TakeUnpacked(std::size_t bytes) { return Take(bytes, &unpacked_); }
  std::size_t unpacked_left() const { return unpacked_; }

 private:
  static bool Take(std::size_t bytes, std::size_t* left) {
    if (bytes > *left) return false;
    *left -= bytes;
    return true;
  }

  std::size_t names_ = 0;
  std::size_t resources_ = 0;
  std::size_t series_ = 0;
  std::size_t unpacked_ = 0;
};

// Empties a list for the next record or payload. Frees the memory of a large list.
template <typename Element>
void ClearAndShrink(std::vector<Element>* list) {
  constexpr std::size_t kKept = 4'096;
  if (list->capacity() > kKept) {
    std::vector<Element>().swap(*list);
  } else {
    list->clear();
  }
}

// Total size of an event's strings.
inline std::size_t TextBytesOf(const Event& event) {
  std::size_t bytes = 0;
  for (const std::string_view text : event.text) bytes += text.size();
  for (const auto& [name, value] : event.labels) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace tocsin
