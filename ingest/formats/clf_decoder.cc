// Access logs of Apache and nginx: the common and the combined format, optionally with a virtual
// host in front or more fields at the end. One `request` per line.
//
//   203.0.113.7 - ann [17/May/2015:10:05:03 +0000] "GET /a/42?x=1 HTTP/1.1" 200 512 "ref" "agent"
//
// https://httpd.apache.org/docs/2.4/logs.html#common
// https://nginx.org/en/docs/http/ngx_http_log_module.html
//
// A malformed request (a TLS handshake on a plain port, or "-" if the client sent nothing) is still
// a request with its status, but has no method and no endpoint. The duration is the first field
// after the user agent that is a number of seconds with three decimals, as nginx writes
// $request_time, also as rt=0.123; all other such fields are ignored. The client address is the
// peer's, because anybody can forge X-Forwarded-For.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "core/ascii.h"
#include "ingest/decoder.h"
#include "ingest/fields/clf_time.h"
#include "ingest/fields/endpoint_template.h"
#include "ingest/fields/line_labels.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/fields/request_line.h"
#include "ingest/text/field_scanner.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

using ClfFault = std::string_view;  // static string; empty: no fault

// nginx logs $request_time in seconds with milliseconds; a longer number is not a $request_time.
constexpr std::size_t kSecondsBytesMax = 12;

// "-" means that the field has no value.
std::string_view OrNothing(std::string_view text) {
  return text == "-" ? std::string_view() : text;
}

// Parses seconds such as "1.234" to µs; −1 if the text has another form.
DurationUs ParseSeconds(std::string_view text) {
  if (const std::size_t equals = text.rfind('='); equals != text.npos) {
    text.remove_prefix(equals + 1);
  }
  if (text.size() < 5 || text.size() > kSecondsBytesMax || text[text.size() - 4] != '.') return -1;
  DurationUs milliseconds = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == text.size() - 4) continue;
    if (!IsDigit(text[i])) return -1;
    milliseconds = 10 * milliseconds + (text[i] - '0');
  }
  return milliseconds * kMillisecondUs;
}

// Finds the duration in the fields that follow the standard ones; −1 if there is none.
DurationUs FindSeconds(std::string_view fields) {
  std::size_t at = 0;
  while ((at = fields.find_first_not_of(" \"", at)) != fields.npos) {
    const std::size_t end = std::min(fields.find_first_of(" \"", at), fields.size());
    if (const DurationUs found = ParseSeconds(fields.substr(at, end - at)); found >= 0) {
      return found;
    }
    at = end;
  }
  return -1;
}

class ClfDecoder final : public Decoder {
 public:
  ClfDecoder(const InputConfig& input, ErrorList* errors)
      : constants_(input, errors),
        // vhost, bytes, referer
        labels_(constants_, {.of_a_line = 3, .format = "an access log"}, input, errors),
        event_(constants_.base()) {
    event_.type = EventType::kRequest;
  }

  void Decode(std::string_view record, TimeUs, EventSink* sink) override {
    for (FieldScanner scan(record); !scan.done(); scan.EndLine()) {
      scan.BeginLine();
      if (scan.AtLineEnd()) continue;
      ClfFault fault = Read(&scan);
      if (scan.IsTooLong()) fault = kLineTooLong;
      if (fault.empty()) {
        sink->OnEvent(event_);
      } else {
        sink->OnUndecodable(scan.Line(), fault);
      }
    }
  }

 private:
  ClfFault Read(FieldScanner* scan);
  // Reads everything up to the bracket after the time.
  ClfFault ReadHead(FieldScanner* scan);
  void ReadClient(std::string_view text);
  void ReadRequest(std::string_view request);
  ClfFault ReadResponse(FieldScanner* scan);
  // Removes the backslash escapes of the log; returns a view of `text` or of unescaped_.
  std::string_view Unescaped(std::string_view text) {
    return has_escapes_ ? WithoutBackslashes(text) : text;
  }
  std::string_view WithoutBackslashes(std::string_view text);

  MappedConstants constants_;
  LineLabels labels_;
  ClfTime time_;
  EndpointTemplate endpoint_;
  Event event_;  // reused: every line sets the same fields
  bool has_escapes_ = false;
  std::string unescaped_;
};

ClfFault ClfDecoder::Read(FieldScanner* scan) {
  labels_.Begin();
  if (const ClfFault fault = ReadHead(scan); !fault.empty()) return fault;
  std::string_view request;
  if (!scan->Skip(" \"")) return "no request";
  if (!scan->Quoted(&request)) return "the request has no end";
  if (const ClfFault fault = ReadResponse(scan); !fault.empty()) return fault;
  std::string_view referer;
  std::string_view agent;
  const bool combined =
      scan->Skip(" \"") && scan->Quoted(&referer) && scan->Skip(" \"") && scan->Quoted(&agent);
  if (!scan->ascii()) {
    const std::string_view line = scan->Line();
    if (!simdjson::validate_utf8(line.data(), line.size())) return "not valid UTF-8";
  }
  has_escapes_ = scan->escapes();
  if (has_escapes_) {
    unescaped_.clear();
    unescaped_.reserve(scan->Line().size());  // so that views of it stay valid
  }
  ReadRequest(request);
  if (combined) labels_.Add("referer", Unescaped(OrNothing(referer)));
  event_.Set(Field::kUserAgent, combined ? Unescaped(OrNothing(agent)) : std::string_view());
  event_.duration = scan->AtLineEnd() ? -1 : FindSeconds(scan->Rest());
  event_.labels = labels_.view();
  constants_.Apply(&event_);
  event_.Normalize();
  return {};
}

ClfFault ClfDecoder::ReadHead(FieldScanner* scan) {
  constexpr std::size_t kTimeBytes = ClfTime::kBytes;
  std::string_view client;
  if (scan->Word(&client) && scan->Skip(" - - [")) {
    // Nearly all lines begin like this.
    const std::string_view ahead = scan->ahead();
    if (ahead.size() <= kTimeBytes || ahead[kTimeBytes] != ']') return "no time";
    const std::optional<TimeUs> time = time_.Parse(ahead.substr(0, kTimeBytes));
    if (!time) return "no time";
    event_.time = *time;
    event_.Set(Field::kClientIp, OrNothing(client));
    event_.Set(Field::kUser, {});
    scan->Advance(kTimeBytes + 1);
    return {};
  }
  // An address or a user name may also contain a bracket.
  const std::string_view line = scan->Line();
  for (std::size_t at = 0; (at = line.find(" [", at)) != line.npos; ++at) {
    const std::string_view rest = line.substr(at + 2);
    if (rest.size() <= kTimeBytes) break;
    if (rest[kTimeBytes] != ']') continue;
    const std::optional<TimeUs> time = time_.Parse(rest.substr(0, kTimeBytes));
    if (!time) continue;
    event_.time = *time;
    ReadClient(line.substr(0, at));
    scan->AdvanceOverAny(
        static_cast<std::size_t>(rest.data() + kTimeBytes + 1 - scan->ahead().data()));
    return {};
  }
  return "no time";
}

void ClfDecoder::ReadClient(std::string_view text) {
  const auto take = [&text] {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view token = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return token;
  };
  std::string_view client = take();
  const std::string_view identity = take();
  // With a virtual host in front, the second field is the address and the third is the identity,
  // which is nearly always "-".
  if (identity != "-" && text.starts_with("- ")) {
    labels_.Add("vhost", client);
    client = identity;
    take();
  }
  event_.Set(Field::kClientIp, OrNothing(client));
  event_.Set(Field::kUser, OrNothing(text));
}

void ClfDecoder::ReadRequest(std::string_view request) {
  const auto [method, target] = ParseRequestLine(request);
  event_.Set(Field::kMethod, method);
  event_.Set(Field::kEndpoint,
             method.empty() ? std::string_view() : endpoint_.Apply(PathOf(Unescaped(target))));
}

ClfFault ClfDecoder::ReadResponse(FieldScanner* scan) {
  const std::string_view text = scan->ahead();
  const auto at = [&](std::size_t i) { return i < text.size() ? text[i] : '\0'; };
  if (at(0) != ' ') return "no status";
  std::size_t next = 4;
  if (IsDigit(at(1)) && IsDigit(at(2)) && IsDigit(at(3))) {
    event_.status = 100 * (text[1] - '0') + 10 * (text[2] - '0') + (text[3] - '0');
  } else if (at(1) == '-') {
    event_.status = 0;
    next = 2;
  } else {
    return "no status";
  }
  if (scan->IsLineEnd(next)) return "no size";
  if (text[next] != ' ') return "status is not a number";
  const std::size_t begin = ++next;
  while (IsDigit(at(next))) ++next;
  if (next > begin) {
    labels_.Add("bytes", text.substr(begin, next - begin));
  } else if (at(next) == '-') {
    ++next;
  } else {
    return "no size";
  }
  if (at(next) != ' ' && !scan->IsLineEnd(next)) return "size is not a number";
  scan->Advance(next);
  return {};
}

std::string_view ClfDecoder::WithoutBackslashes(std::string_view text) {
  if (text.find('\\') == text.npos) return text;
  const std::size_t begin = unescaped_.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) {
      ++i;
    } else if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      const int high = HexDigit(text[i + 2]);
      const int low = HexDigit(text[i + 3]);
      const int byte = high < 0 || low < 0 ? -1 : 16 * high + low;
      // Other bytes stay escaped: a control character or a part of a UTF-8 character is no use.
      if (byte >= ' ' && byte < 0x7F) {
        unescaped_ += static_cast<char>(byte);
        i += 3;
        continue;
      }
    }
    unescaped_ += text[i];
  }
  return std::string_view(unescaped_).substr(begin);
}

}  // namespace

std::unique_ptr<Decoder> NewClfDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<ClfDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
