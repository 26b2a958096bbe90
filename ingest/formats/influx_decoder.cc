// InfluxDB line protocol, as Telegraf and many agents write it: one measurement per line.
//
//   cpu,host=web-1,cpu=cpu0 usage_user=12.5,usage_idle=80i,ok=t,note="a \"b\"" 1767225600000000000
//
// https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
//
// ingest/formats/measurement.h says what a measurement becomes. Booleans become 0 and 1; string
// fields are ignored. The unit of a timestamp is derived from its magnitude; a line without a
// timestamp has its record's time. Lines that begin with # are comments. A string that contains a
// line feed, which the protocol allows, is split there, and the line is undecodable.

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "absl/strings/numbers.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/formats/measurement.h"
#include "ingest/json/payload_reader.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

constexpr std::string_view kBlanks = " \t";

class InfluxDecoder final : public Decoder {
 public:
  InfluxDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view line) {
      reader_.Begin(line, record_time, sink);
      if (!simdjson::validate_utf8(line.data(), line.size())) {
        return reader_.Refuse("not valid UTF-8");
      }
      const std::size_t begin = line.find_first_not_of(kBlanks);
      if (begin == line.npos) return reader_.Skip("a blank line");
      if (line[begin] == '#') return reader_.Skip("a comment");
      const JsonFault fault = Read(line.substr(begin));
      fault.empty() ? measurement_.Deliver() : reader_.Refuse(fault);
    });
  }

 private:
  JsonFault Read(std::string_view line);
  // Takes the text up to the first unescaped character of `stops` (exclusive), and unescapes it.
  std::string_view Word(std::string_view stops);
  JsonFault ReadField();
  // Skips a string, from after its opening quote; false if there is no closing quote.
  bool PassText();
  bool At(char c) const { return !rest_.empty() && rest_[0] == c; }

  PayloadReader reader_;
  Measurement measurement_{&reader_};
  std::string_view rest_;
  std::string unescaped_;
};

JsonFault InfluxDecoder::Read(std::string_view line) {
  rest_ = line;
  unescaped_.clear();
  // Reserved once per line, so that views of it stay valid: unescaping never makes a string longer.
  unescaped_.reserve(line.size());
  const std::string_view name = Word(", ");
  measurement_.Begin(name, kNoTime);
  while (At(',')) {
    rest_.remove_prefix(1);
    const std::string_view tag = Word("=, ");
    if (tag.empty() || !At('=')) return "a tag without a value";
    rest_.remove_prefix(1);
    const std::string_view value = Word(", ");
    if (value.empty()) return "a tag without a value";
    measurement_.AddTag(tag, value);
  }
  const auto pass_blanks = [this] {
    const std::size_t blanks = std::min(rest_.find_first_not_of(' '), rest_.size());
    rest_.remove_prefix(blanks);
  };
  pass_blanks();
  if (rest_.empty()) return "a measurement without fields";
  for (;;) {
    if (const JsonFault fault = ReadField(); !fault.empty()) return fault;
    if (!At(',')) break;
    rest_.remove_prefix(1);
  }
  if (!rest_.empty() && rest_[0] != ' ') return "field value is not a number, boolean or string";
  pass_blanks();
  while (!rest_.empty() && rest_.back() == ' ') rest_.remove_suffix(1);
  if (rest_.empty()) return {};
  std::int64_t timestamp = 0;
  if (!absl::SimpleAtoi(ToAbsl(rest_), &timestamp)) return "timestamp is not an integer";
  const std::optional<TimeUs> time = TimeFromEpoch(timestamp);
  if (!time) return "timestamp out of range";
  measurement_.SetTime(*time);
  return {};
}

std::string_view InfluxDecoder::Word(std::string_view stops) {
  std::size_t end = 0;
  bool escapes = false;
  while (end < rest_.size() && stops.find(rest_[end]) == stops.npos) {
    const bool escape = rest_[end] == '\\' && end + 1 < rest_.size();
    escapes = escapes || escape;
    end += escape ? 2 : 1;
  }
  const std::string_view raw = rest_.substr(0, end);
  rest_.remove_prefix(end);
  if (!escapes) return raw;
  const std::size_t begin = unescaped_.size();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    // A backslash before anything else is itself.
    const bool escape = raw[i] == '\\' && i + 1 < raw.size() &&
                        std::string_view(",= \\\"").find(raw[i + 1]) != raw.npos;
    if (escape) ++i;
    unescaped_ += raw[i];
  }
  return std::string_view(unescaped_).substr(begin);
}

bool InfluxDecoder::PassText() {
  std::size_t end = 0;
  while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
  if (end >= rest_.size()) return false;
  rest_.remove_prefix(end + 1);
  return true;
}

JsonFault InfluxDecoder::ReadField() {
  const std::string_view name = Word("=, ");
  if (name.empty() || !At('=')) return "a field without a value";
  rest_.remove_prefix(1);
  if (At('"')) {
    rest_.remove_prefix(1);
    return PassText() ? JsonFault() : "a string without a closing quote";
  }
  const std::size_t end = std::min(rest_.find_first_of(", "), rest_.size());
  std::string_view value = rest_.substr(0, end);
  rest_.remove_prefix(end);
  for (const std::string_view yes : {"t", "T", "true", "True", "TRUE"}) {
    if (value == yes) return measurement_.AddField(name, 1), JsonFault();
  }
  for (const std::string_view no : {"f", "F", "false", "False", "FALSE"}) {
    if (value == no) return measurement_.AddField(name, 0), JsonFault();
  }
  double number = 0;
  const bool integer = value.ends_with('i') || value.ends_with('u');
  if (integer) {
    value.remove_suffix(1);
    if (value.find_first_not_of("+-0123456789") != value.npos) value = {};
  }
  // The parser also accepts "inf", "nan" and hexadecimal numbers, which are not allowed here.
  const bool plain = value.find_first_not_of("+-.0123456789eE") == value.npos;
  if (!plain || !absl::SimpleAtod(ToAbsl(value), &number) || !std::isfinite(number)) {
    return "field value is not a number, boolean or string";
  }
  measurement_.AddField(name, number);
  return {};
}

}  // namespace

std::unique_ptr<Decoder> NewInfluxDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<InfluxDecoder>(input, errors);
}

}  // namespace tocsin
