// Access logs of AWS application load balancers: one `request` per line.
//
//   https 2026-01-01T12:00:00.186641Z app/shop/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80
//   0.000 0.001 0.000 200 200 34 366 "GET https://shop.example:443/a HTTP/1.1" "curl/8" …
//
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
//
// The status is that of the load balancer; the duration is the sum of the three processing times. A
// time of −1 means that there was no response; the request then has no duration. Neither has a
// WebSocket, whose times are those of the connection. AWS adds fields at the end of the line over
// time; unknown ones are ignored.

#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <simdjson.h>

#include "core/ascii.h"
#include "ingest/decoder.h"
#include "ingest/fields/endpoint_template.h"
#include "ingest/fields/iso_time.h"
#include "ingest/fields/line_labels.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/fields/request_line.h"
#include "ingest/text/field_scanner.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

using AlbFault = std::string_view;  // static string; empty: no fault

constexpr AlbFault kTooFew = "fewer fields than a load balancer's line has";
constexpr DurationUs kDurationMax = 365 * kDayUs;

std::string_view OrNothing(std::string_view text) {
  return text == "-" ? std::string_view() : text;
}

// "192.0.2.7:2817" without the port.
std::string_view WithoutPort(std::string_view address) {
  return OrNothing(address.substr(0, address.rfind(':')));
}

// "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/shop/73e2"
struct TargetGroup {
  explicit TargetGroup(std::string_view arn) {
    for (int part = 0; part < 5; ++part) {
      const std::size_t colon = arn.find(':');
      if (colon == arn.npos) return;
      if (part == 3) region = arn.substr(0, colon);
      arn.remove_prefix(colon + 1);
    }
    const std::size_t slash = arn.find('/');
    if (slash == arn.npos) return;
    arn.remove_prefix(slash + 1);
    name = arn.substr(0, arn.find('/'));
  }
  std::string_view region, name;
};

// "Root=1-58337364-23a8c76965a2ef7629b185e3;Sampled=1"
std::string_view TraceId(std::string_view header) {
  constexpr std::string_view kRoot = "Root=";
  const std::size_t at = header.find(kRoot);
  if (at == header.npos) return OrNothing(header);
  header.remove_prefix(at + kRoot.size());
  return header.substr(0, header.find(';'));
}

class AlbDecoder final : public Decoder {
 public:
  AlbDecoder(const InputConfig& input, ErrorList* errors)
      : constants_(input, errors),
        labels_(constants_, {.of_a_line = 6, .format = "a load balancer's log"}, input, errors) {}

  void Decode(std::string_view record, TimeUs, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view line) {
      const AlbFault fault = Read(line);
      if (fault.empty()) {
        sink->OnEvent(event_);
      } else {
        sink->OnUndecodable(line, fault);
      }
    });
  }

 private:
  AlbFault Read(std::string_view line);
  AlbFault ReadTimes(FieldScanner* scan, bool is_connection);
  AlbFault ReadStatus(std::string_view text);
  // The fields that later versions of the format added; they may be missing.
  void ReadRest(FieldScanner* scan);

  MappedConstants constants_;
  LineLabels labels_;
  IsoTime time_;
  EndpointTemplate endpoint_;
  Event event_;
};

AlbFault AlbDecoder::Read(std::string_view line) {
  FieldScanner scan(line);
  event_ = constants_.base();
  event_.type = EventType::kRequest;
  labels_.Begin();
  std::string_view type, time, balancer, client, target, status, target_status;
  const auto word = [&scan](std::string_view* text) { return scan.Word(text) && scan.Skip(" "); };
  if (!word(&type) || !word(&time)) return "no time";
  const std::optional<TimeUs> parsed = time_.Parse(time);
  if (!parsed || time.size() < 20) return "no time";  // Parse also accepts plain numbers
  event_.time = *parsed;
  if (!word(&balancer) || !word(&client) || !word(&target)) return kTooFew;
  const AlbFault fault = ReadTimes(&scan, type == "ws" || type == "wss");
  if (!fault.empty()) return fault;
  std::string_view received, sent, request, agent;
  if (!word(&status) || !word(&target_status) || !word(&received) || !word(&sent)) return kTooFew;
  if (const AlbFault wrong = ReadStatus(status); !wrong.empty()) return wrong;
  if (!scan.Skip("\"") || !scan.Quoted(&request)) return "no request";
  if (!scan.Skip(" \"") || !scan.Quoted(&agent)) return kTooFew;
  event_.Set(Field::kClientIp, WithoutPort(client));
  event_.Set(Field::kUserAgent, OrNothing(agent));
  labels_.Add("elb", balancer);
  labels_.Add("bytes", OrNothing(sent));
  labels_.Add("target_status", OrNothing(target_status));
  ReadRest(&scan);
  if (!simdjson::validate_utf8(line.data(), line.size())) return "not valid UTF-8";
  const auto [method, url] = ParseRequestLine(request);
  event_.Set(Field::kMethod, method);
  event_.Set(Field::kEndpoint, endpoint_.Apply(PathOf(url)));
  event_.labels = labels_.view();
  constants_.Apply(&event_);
  event_.Normalize();
  return {};
}

AlbFault AlbDecoder::ReadTimes(FieldScanner* scan, bool is_connection) {
  double sum = 0;
  bool answered = true;
  for (int i = 0; i < 3; ++i) {
    std::string_view text;
    if (!scan->Word(&text) || !scan->Skip(" ")) return kTooFew;
    double seconds = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
    if (text == "-" || (error == std::errc() && seconds == -1)) {
      answered = false;
    } else if (error != std::errc() || rest != end || !(seconds >= 0)) {
      return "processing time is not a number of seconds";
    }
    sum += seconds;
  }
  if (!answered || is_connection) return {};
  if (!(sum * 1e6 <= static_cast<double>(kDurationMax))) return "processing time is out of range";
  event_.duration = static_cast<DurationUs>(sum * 1e6 + 0.5);
  return {};
}

AlbFault AlbDecoder::ReadStatus(std::string_view text) {
  if (text == "-") return {};  // the client disconnected before there was one
  if (text.size() != 3 || !IsDigit(text[0]) || !IsDigit(text[1]) || !IsDigit(text[2])) {
    return "status is not a number";
  }
  event_.status = 100 * (text[0] - '0') + 10 * (text[1] - '0') + (text[2] - '0');
  return {};
}

void AlbDecoder::ReadRest(FieldScanner* scan) {
  std::string_view cipher, protocol, group, trace, domain, certificate, priority, created;
  std::string_view actions, redirect, error;
  if (!scan->Skip(" ") || !scan->Word(&cipher) || !scan->Skip(" ") || !scan->Word(&protocol) ||
      !scan->Skip(" ") || !scan->Word(&group)) {
    return;
  }
  const TargetGroup target_group(group);
  event_.Set(Field::kRegion, target_group.region);
  labels_.Add("target_group", target_group.name);
  const auto quoted = [scan](std::string_view* text) {
    return scan->Skip(" \"") && scan->Quoted(text);
  };
  if (!quoted(&trace)) return;
  event_.Set(Field::kTraceId, TraceId(trace));
  if (!quoted(&domain)) return;
  labels_.Add("domain", OrNothing(domain));
  if (!quoted(&certificate) || !scan->Skip(" ") || !scan->Word(&priority) || !scan->Skip(" ") ||
      !scan->Word(&created) || !quoted(&actions) || !quoted(&redirect) || !quoted(&error)) {
    return;
  }
  labels_.Add("error_reason", OrNothing(error));
}

}  // namespace

std::unique_ptr<Decoder> NewAlbDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<AlbDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
