// OpenTelemetry logs and metrics, independent of their encoding (protobuf or JSON).
//
//   class Visitor : public OtlpVisitor { … };            // such as ingest/formats/otlp_events.h
//   fault = ReadOtlpMetrics(bytes, &budget, &visitor);   // ingest/formats/otlp_proto.h
//
// https://opentelemetry.io/docs/specs/otlp/ and
// https://github.com/open-telemetry/opentelemetry-proto
//
// Views that a visitor is given are valid until its call returns. Not thread-safe.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/limits.h"
#include "core/time.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

// Attribute names and values, as strings. Nested maps are flattened: "Dimensions.TableName". Arrays
// and bytes are left out. Joined names count against the payload's budget; once one does not fit,
// fault() is set and further attributes are ignored.
class OtlpAttributes {
 public:
  explicit OtlpAttributes(PayloadBudget* budget) : budget_(*budget) {}

  void Clear() {
    ClearAndShrink(&pairs_);
    fault_ = {};
    // Frees the memory that a large record used.
    for (std::size_t i = 0; i < used_; ++i) {
      if (texts_[i].capacity() > 2 * limits::kNameBytesMax) std::string().swap(texts_[i]);
    }
    used_ = 0;
    if (texts_.size() > kTextsKept) texts_.resize(kTextsKept);
  }
  std::string_view fault() const { return fault_; }
  void Add(std::string_view name, std::string_view text) {
    if (fault_.empty()) pairs_.emplace_back(name, text);
  }
  void Add(std::string_view name, bool yes) { Add(name, std::string_view(yes ? "true" : "false")); }
  void Add(std::string_view name, std::int64_t number) { Add(name, Print(number)); }
  void Add(std::string_view name, double number) { Add(name, Print(number)); }
  // Copies the text; the copy is valid until Clear.
  std::string_view Keep(std::string_view text) {
    if (!fault_.empty()) return {};
    std::string& kept = Next();
    kept = text;
    return kept;
  }
  // The flattened name of a map's member; empty if it exceeds a limit.
  std::string_view Join(std::string_view outer, std::string_view inner) {
    const std::size_t size = outer.size() + 1 + inner.size();
    if (fault_.empty() && size > limits::kNameBytesMax) fault_ = budget_fault::kName;
    if (fault_.empty() && !budget_.TakeNames(size)) fault_ = budget_fault::kNames;
    if (!fault_.empty()) return {};
    std::string& joined = Next();
    joined.assign(outer).append(1, '.').append(inner);
    return joined;
  }
  template <typename Number>
  std::string_view Print(Number number) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return Keep({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

  const std::vector<LabelView>& pairs() const { return pairs_; }

 private:
  static constexpr std::size_t kTextsKept = 4'096;  // reused for the next record

  std::string& Next() {
    if (used_ == texts_.size()) texts_.emplace_back();
    return texts_[used_++];
  }

  PayloadBudget& budget_;
  std::string_view fault_;  // static string
  std::vector<LabelView> pairs_;
  std::deque<std::string> texts_;  // a deque, because its elements do not move
  std::size_t used_ = 0;
};

struct OtlpMetric {
  enum class Kind : std::uint8_t { kNone, kGauge, kSum, kHistogram, kSummary };
  std::string_view name, unit;
  Kind kind = Kind::kNone;
  bool cumulative = false;  // since the start of the process; always true for a summary
  bool monotonic = false;
};

// Histograms, exponential ones included, have only their totals here, not their buckets.
struct OtlpPoint {
  explicit OtlpPoint(PayloadBudget* budget) : attributes(budget) {}

  TimeUs time = kNoTime;
  std::optional<double> value;                       // gauge and sum
  std::optional<double> count, sum, min, max;        // histogram and summary
  std::vector<std::pair<double, double>> quantiles;  // summary: quantile and value
  bool absent = false;                               // the flag "no recorded value" is set
  OtlpAttributes attributes;
  std::string_view bytes;  // the encoded point, for reporting; empty if unknown

  void Clear();
};

struct OtlpLog {
  explicit OtlpLog(PayloadBudget* budget) : attributes(budget) {}

  TimeUs time = kNoTime;
  int severity_number = 0;  // 0: not set
  std::string_view severity_text;
  std::string_view event_name;
  std::string_view message;         // the body, if it is a string, number or boolean
  OtlpAttributes attributes;        // followed by the members of the body, if it is a map
  std::array<char, 32> trace_id{};  // hexadecimal
  bool has_trace_id = false;
  std::string_view bytes;

  void Clear();
  // Call after adding the body to the attributes; `before` is how many there were before it. A body
  // that is a string, number or boolean was added without a name and becomes the message.
  void TakeMessage(std::size_t before);
};

class OtlpVisitor {
 public:
  virtual ~OtlpVisitor() = default;
  // The resource of the points or logs that follow, until the next OnResource.
  virtual void OnResource(const OtlpAttributes& resource) = 0;
  virtual void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) = 0;
  virtual void OnLog(const OtlpLog& log) = 0;
};

// kNoTime for 0, which means "no time" in OTLP, and for a time out of range.
inline TimeUs OtlpTime(std::uint64_t nanoseconds) {
  constexpr auto kMax = static_cast<std::uint64_t>(kMaxTime);
  const std::uint64_t time = nanoseconds / 1'000;
  return nanoseconds == 0 || time > kMax ? kNoTime : static_cast<TimeUs>(time);
}

inline void OtlpPoint::Clear() {
  time = kNoTime;
  value = count = sum = min = max = std::nullopt;
  ClearAndShrink(&quantiles);
  absent = false;
  attributes.Clear();
  bytes = {};
}

inline void OtlpLog::TakeMessage(std::size_t before) {
  const std::vector<LabelView>& pairs = attributes.pairs();
  if (pairs.size() > before && pairs[before].first.empty()) message = pairs[before].second;
}

inline void OtlpLog::Clear() {
  time = kNoTime;
  severity_number = 0;
  severity_text = event_name = message = bytes = {};
  attributes.Clear();
  has_trace_id = false;
}

}  // namespace tocsin
