// Prometheus' text exposition format, as targets serve it, and the additions of OpenMetrics.
//
//   # TYPE http_requests_total counter
//   http_requests_total{method="post",code="200"} 1027 1767225600000
//
// https://prometheus.io/docs/instrumenting/exposition_formats and
// https://github.com/prometheus/OpenMetrics
//
// A record, or a file, is one scrape: # TYPE gives the type of the samples after it; without it the
// type is derived from the name (ingest/formats/prometheus_samples.h). A sample without a timestamp
// has its record's time. Quoted names, {"a.b",job="x"}, are supported; exemplars are skipped.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "absl/strings/numbers.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/fields/text_time.h"
#include "ingest/formats/prometheus_samples.h"
#include "ingest/json/payload_fault.h"
#include "ingest/json/payload_reader.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

constexpr std::string_view kBlanks = " \t";

// Takes the text up to a blank, and removes the blanks after it.
std::string_view TakeWord(std::string_view* text) {
  const std::string_view word = text->substr(0, text->find_first_of(kBlanks));
  text->remove_prefix(word.size());
  text->remove_prefix(std::min(text->find_first_not_of(kBlanks), text->size()));
  return word;
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

std::string_view TakeName(std::string_view* text) {
  const auto end = std::find_if_not(text->begin(), text->end(), IsNameChar);
  const std::string_view name = text->substr(0, static_cast<std::size_t>(end - text->begin()));
  text->remove_prefix(name.size());
  return name;
}

class PrometheusTextDecoder final : public Decoder {
 public:
  PrometheusTextDecoder(const InputConfig& input, ErrorList* errors) : samples_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    if (record.size() > limits::kPayloadBytesMax) {
      return sink->OnUndecodable(record, payload_fault::kTooLarge);
    }
    family_.clear();
    samples_.Begin(record.size(), record_time, sink);
    ForEachLine(record, sink, [&](std::string_view line) {
      samples_.BeginSeries(line);
      if (!simdjson::validate_utf8(line.data(), line.size())) {
        return samples_.Refuse(payload_fault::kNotUtf8);
      }
      rest_ = line.substr(std::min(line.find_first_not_of(kBlanks), line.size()));
      if (rest_.empty()) return samples_.Skip("a blank line");
      if (rest_[0] == '#') return ReadComment();
      const std::string_view fault = ReadSample();
      if (!fault.empty()) samples_.Refuse(fault);
    });
  }

 private:
  enum class Family : std::uint8_t { kUnknown, kCounter, kGauge, kParts };

  void ReadComment();
  std::string_view ReadSample();
  std::string_view ReadLabels();
  // Takes a string from after its opening quote; nullopt if there is no closing quote.
  std::optional<std::string_view> TakeQuoted();
  MetricType TypeOf(std::string_view name) const;
  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void PassBlanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
  }

  PrometheusSamples samples_;
  std::string_view rest_;
  std::string family_;  // of the last # TYPE
  Family type_ = Family::kUnknown;
  std::string unescaped_;
};

void PrometheusTextDecoder::ReadComment() {
  rest_.remove_prefix(1);
  PassBlanks();
  const std::string_view keyword = TakeWord(&rest_);
  if (keyword == "TYPE") {
    family_ = TakeWord(&rest_);
    if (family_.size() >= 2 && family_.front() == '"') {
      family_ = family_.substr(1, family_.size() - 2);
    }
    const std::string_view type = TakeWord(&rest_);
    type_ = type == "counter"                          ? Family::kCounter
            : type == "gauge"                          ? Family::kGauge
            : type == "histogram" || type == "summary" ? Family::kParts
                                                       : Family::kUnknown;
  }
  samples_.Skip("a comment");
}

MetricType PrometheusTextDecoder::TypeOf(std::string_view name) const {
  const bool is_of_family = !family_.empty() && name.starts_with(family_);
  const std::string_view suffix = is_of_family ? name.substr(family_.size()) : name;
  if (is_of_family && suffix == "_created") return MetricType::kGauge;
  if (is_of_family && type_ == Family::kGauge && suffix.empty()) return MetricType::kGauge;
  if (is_of_family && type_ == Family::kCounter && (suffix.empty() || suffix == "_total")) {
    return MetricType::kCounter;
  }
  // The quantiles of a summary have the family's own name.
  if (is_of_family && type_ == Family::kParts && suffix.empty()) return MetricType::kGauge;
  return PrometheusSamples::TypeByName(name);
}

std::optional<std::string_view> PrometheusTextDecoder::TakeQuoted() {
  const std::size_t begin = unescaped_.size();
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    char c = rest_[i];
    if (c == '"') {
      rest_.remove_prefix(i + 1);
      return std::string_view(unescaped_).substr(begin);
    }
    if (c == '\\' && i + 1 < rest_.size()) {
      const char escaped = rest_[i + 1];
      if (escaped == '\\' || escaped == '"' || escaped == 'n') {
        c = escaped == 'n' ? '\n' : escaped;
        ++i;
      }
    }
    unescaped_ += c;
  }
  return std::nullopt;
}

std::string_view PrometheusTextDecoder::ReadLabels() {
  constexpr std::string_view kFault = "malformed labels: expected NAME=\"VALUE\"";
  PassBlanks();
  while (!Take('}')) {
    std::string_view name;
    const bool quoted = Take('"');
    if (quoted) {
      const std::optional<std::string_view> text = TakeQuoted();
      if (!text) return kFault;
      name = *text;
    } else {
      name = TakeName(&rest_);
    }
    PassBlanks();
    if (Take('=')) {
      PassBlanks();
      if (name.empty() || !Take('"')) return kFault;
      const std::optional<std::string_view> value = TakeQuoted();
      if (!value) return kFault;
      samples_.AddLabel(name, *value);
    } else if (quoted && samples_.name().empty()) {
      samples_.AddLabel("__name__", name);
    } else {
      return kFault;
    }
    PassBlanks();
    if (!Take(',') && !rest_.starts_with('}')) return kFault;
    PassBlanks();
  }
  return {};
}

std::string_view PrometheusTextDecoder::ReadSample() {
  unescaped_.clear();
  // Reserved once per line, so that views of it stay valid: unescaping never makes a string longer.
  unescaped_.reserve(rest_.size());
  const std::string_view name = TakeName(&rest_);
  if (!name.empty()) samples_.AddLabel("__name__", name);
  PassBlanks();
  if (Take('{')) {
    if (const std::string_view fault = ReadLabels(); !fault.empty()) return fault;
    PassBlanks();
  }
  if (samples_.name().empty()) return "a sample without a name";
  double value = 0;
  if (!absl::SimpleAtod(ToAbsl(TakeWord(&rest_)), &value)) return "sample value is not a number";
  TimeUs time = kNoTime;
  if (!rest_.empty() && rest_[0] != '#') {
    const std::string_view timestamp = TakeWord(&rest_);
    double seconds = 0;
    std::int64_t integer = 0;
    std::optional<TimeUs> found;
    if (absl::SimpleAtoi(ToAbsl(timestamp), &integer)) {
      found = TimeFromEpoch(integer);
    } else if (absl::SimpleAtod(ToAbsl(timestamp), &seconds)) {
      found = TimeFromEpoch(seconds);
    }
    if (!found) return "invalid timestamp";
    time = *found;
    if (!rest_.empty() && rest_[0] != '#') return "unexpected text after the timestamp";
  }
  samples_.Deliver(value, time, TypeOf(samples_.name()));
  return {};
}

}  // namespace

std::unique_ptr<Decoder> NewPrometheusTextDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<PrometheusTextDecoder>(input, errors);
}

}  // namespace tocsin
