// kafka://HOST:PORT[,HOST:PORT…]/TOPIC[?from=TIME&to=TIME]: a topic as the input of a command.
//
//   if (!IsKafkaUri(argument)) return OpenFile(argument);
//   TOCSIN_ASSIGN_OR_RETURN(KafkaUri uri, ParseKafkaUri(argument));
//
// Times are RFC 3339 or epoch numbers and may contain %XX escapes. The default port is 9092.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/time.h"

namespace tocsin {

struct KafkaUri {
  std::string brokers;  // as librdkafka wants them, "a:9092,b:9092"
  std::string topic;
  std::optional<TimeUs> from;  // the first record timestamp to read
  std::optional<TimeUs> to;    // the first record timestamp not to read
};

bool IsKafkaUri(std::string_view text);

// Errors say what was found and what was expected.
absl::StatusOr<KafkaUri> ParseKafkaUri(std::string_view text);

}  // namespace tocsin
