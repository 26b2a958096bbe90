#include "ingest/sources/kafka_uri.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "absl/status/status.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr std::string_view kScheme = "kafka://";

absl::Status Malformed(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError("\"" + std::string(text) + "\": " + std::string(what) +
                                    "; expected kafka://HOST:PORT/TOPIC[?from=TIME&to=TIME]");
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned char byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const end = text.data() + i + 3;
    const auto [rest, error] = std::from_chars(text.data() + i + 1, end, byte, 16);
    if (error != std::errc() || rest != end) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

// Kafka's rules for topic names.
bool IsTopicName(std::string_view name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

absl::StatusOr<std::string> ParseBrokers(std::string_view text, std::string_view hosts) {
  std::string brokers;
  while (true) {
    const std::size_t comma = std::min(hosts.find(','), hosts.size());
    const std::string_view broker = hosts.substr(0, comma);
    if (broker.empty() || broker.front() == ':') return Malformed(text, "a host is missing");
    if (!brokers.empty()) brokers += ',';
    brokers += broker;
    // The colons of an IPv6 address are before its closing bracket.
    const std::size_t colon = broker.rfind(':');
    if (colon == broker.npos || broker.find(']', colon) != broker.npos) {
      brokers += ":9092";
    } else {
      unsigned short port = 0;
      const char* const end = broker.data() + broker.size();
      const auto [rest, error] = std::from_chars(broker.data() + colon + 1, end, port);
      if (error != std::errc() || rest != end || port == 0) {
        return Malformed(text, "invalid port number in \"" + std::string(broker) + "\"");
      }
    }
    if (comma == hosts.size()) return brokers;
    hosts.remove_prefix(comma + 1);
  }
}

absl::Status ParseQuery(std::string_view text, std::string_view query, KafkaUri* uri) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view name = parameter.substr(0, equals);
    if (name != "from" && name != "to") {
      return Malformed(text, "unknown parameter \"" + std::string(name) + "\"");
    }
    const std::optional<std::string> value =
        PercentDecode(parameter.substr(std::min(equals + 1, parameter.size())));
    const std::optional<TimeUs> time = value ? ParseTime(*value) : std::nullopt;
    if (!time) return Malformed(text, "\"" + std::string(name) + "\" is not a valid time");
    (name == "from" ? uri->from : uri->to) = time;
  }
  if (uri->from && uri->to && *uri->from >= *uri->to) {
    return Malformed(text, "\"from\" is not before \"to\"");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsKafkaUri(std::string_view text) { return text.starts_with(kScheme); }

absl::StatusOr<KafkaUri> ParseKafkaUri(std::string_view text) {
  if (!IsKafkaUri(text)) return Malformed(text, "not a Kafka address");
  std::string_view rest = text.substr(kScheme.size());
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != rest.npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos || slash + 1 == rest.size()) return Malformed(text, "a topic is missing");
  KafkaUri uri;
  uri.topic = std::string(rest.substr(slash + 1));
  if (!IsTopicName(uri.topic)) {
    return Malformed(text,
                     "invalid topic name \"" + uri.topic + "\" (allowed: letters, digits, . _ -)");
  }
  TOCSIN_ASSIGN_OR_RETURN(uri.brokers, ParseBrokers(text, rest.substr(0, slash)));
  TOCSIN_RETURN_IF_ERROR(ParseQuery(text, query, &uri));
  return uri;
}

}  // namespace tocsin
