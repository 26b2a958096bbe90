// OpenTelemetry's logs and metrics as their two encodings, protobuf and JSON, both say them.
//
//   class Visitor : public OtlpVisitor { … };  // ingest/formats/otlp_events.h is one
//   fault = ReadOtlpMetrics(bytes, &budget, &visitor);          // ingest/formats/otlp_proto.h
//
// https://opentelemetry.io/docs/specs/otlp/ and
// https://github.com/open-telemetry/opentelemetry-proto
//
// Views live until the call that was given them returns. Not thread-safe.
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

// Names and values, all of them texts. Those of a map within are flattened: "Dimensions.TableName".
// Lists and bytes are left out. Joined names are drawn from the payload's budget; once one does not
// fit, all of it is faulty and takes no more.
class OtlpAttributes {
 public:
  explicit OtlpAttributes(PayloadBudget* budget) : budget_(*budget) {}

  void Clear() {
    ClearAndShrink(&pairs_);
    fault_ = {};
    // What a large record took is given back.
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
  // What stays until Clear.
  std::string_view Keep(std::string_view text) {
    if (!fault_.empty()) return {};
    std::string& kept = Next();
    kept = text;
    return kept;
  }
  // The name of what stands in a map; nothing where that does not fit.
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
  static constexpr std::size_t kTextsKept = 4'096;  // for the next record

  std::string& Next() {
    if (used_ == texts_.size()) texts_.emplace_back();
    return texts_[used_++];
  }

  PayloadBudget& budget_;
  std::string_view fault_;  // static text
  std::vector<LabelView> pairs_;
  std::deque<std::string> texts_;  // a deque, because its elements stay where they are
  std::size_t used_ = 0;
};

struct OtlpMetric {
  enum class Kind : std::uint8_t { kNone, kGauge, kSum, kHistogram, kSummary };
  std::string_view name, unit;
  Kind kind = Kind::kNone;
  bool cumulative = false;  // since the start of the process; a summary always is
  bool monotonic = false;
};

// Of histograms, exponential ones included, what the buckets add up to.
struct OtlpPoint {
  explicit OtlpPoint(PayloadBudget* budget) : attributes(budget) {}

  TimeUs time = kNoTime;
  std::optional<double> value;                       // of a gauge or a sum
  std::optional<double> count, sum, min, max;        // of the others
  std::vector<std::pair<double, double>> quantiles;  // of a summary: quantile and value
  bool absent = false;                               // "no recorded value"
  OtlpAttributes attributes;
  std::string_view bytes;  // as it stands, to be shown

  void Clear();
};

struct OtlpLog {
  explicit OtlpLog(PayloadBudget* budget) : attributes(budget) {}

  TimeUs time = kNoTime;
  int severity_number = 0;  // 0: not said
  std::string_view severity_text;
  std::string_view event_name;
  std::string_view message;         // of a body that is a text, a number or a boolean
  OtlpAttributes attributes;        // behind them the members of a body that is a map
  std::array<char, 32> trace_id{};  // in hexadecimal digits
  bool has_trace_id = false;
  std::string_view bytes;

  void Clear();
  // After the body was added to the attributes, of which there were `before`: a text, a number or a
  // boolean, which has no name there, is the message.
  void TakeMessage(std::size_t before);
};

class OtlpVisitor {
 public:
  virtual ~OtlpVisitor() = default;
  // Of what follows, until the next one.
  virtual void OnResource(const OtlpAttributes& resource) = 0;
  virtual void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) = 0;
  virtual void OnLog(const OtlpLog& log) = 0;
};

// Nothing for 0, which is how OTLP says that there is none.
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
