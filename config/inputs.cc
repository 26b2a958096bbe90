#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/sections.h"
#include "config/value.h"
#include "core/event.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// Panes of a delay stay open (limits::kOpenPanesMax), and every page waits for it.
constexpr DurationUs kDelayMax = 15 * kMinuteUs;

// What a Kafka input takes from files or the environment: its key, and librdkafka's.
constexpr std::pair<const char*, const char*> kKafkaSecrets[] = {
    {"sasl_password", "sasl.password"},
    {"ssl_key_password", "ssl.key.password"},
};

std::vector<std::string> MapTargets() {
  std::vector<std::string> targets = {"time",   "type",        "outcome",     "action", "state",
                                      "status", "duration_ms", "value",       "limit",  "cvss",
                                      "amount", "weight",      "metric_type", "count",  "sum",
                                      "min",    "max"};
  for (int i = 0; i < kFields; ++i) targets.emplace_back(FieldName(static_cast<Field>(i)));
  return targets;
}

std::vector<FieldMapping> ReadMap(const ConfigNode& node, ErrorList* errors) {
  std::vector<FieldMapping> map;
  if (node.kind != ConfigNode::Kind::kMap) {
    errors->Add(node.at, absl::StrCat("map is ", Found(node),
                                      ": expected canonical fields and where they come from, "
                                      "such as {status: http.status}"));
    return map;
  }
  const std::vector<std::string> targets = MapTargets();
  for (std::size_t i = 0; i < node.map.size(); ++i) {
    const auto& [target, source] = node.map[i];
    const bool label = target.size() > 7 && target.starts_with("labels.");
    if (!label && std::find(targets.begin(), targets.end(), target) == targets.end()) {
      errors->Add(node.key_locations[i], absl::StrCat("unknown field ", Quoted(target), " in map",
                                                      Suggestion(target, targets)));
    }
    FieldMapping mapping;
    mapping.target = target;
    mapping.at = source.at;
    if (source.kind == ConfigNode::Kind::kScalar && !source.scalar.empty()) {
      mapping.path = source.scalar;
    } else if (source.kind == ConfigNode::Kind::kMap) {
      ConfigReader reader(source, target, errors);
      mapping.constant = reader.RequiredString("value");
      reader.Finish();
    } else {
      errors->Add(source.at,
                  absl::StrCat(target, " is ", Found(source),
                               ": expected a path such as http.status, or {value: constant}"));
    }
    map.push_back(std::move(mapping));
  }
  return map;
}

KafkaInputConfig ReadKafka(const ConfigNode& node, const std::string& what, ErrorList* errors) {
  KafkaInputConfig kafka;
  ConfigReader reader(node, what, errors);
  kafka.brokers = absl::StrJoin(reader.Strings("brokers"), ",");
  kafka.topics = reader.Strings("topics");
  for (const char* key : {"brokers", "topics"}) {
    if (!reader.Has(key)) reader.Missing(key, absl::StrCat(what, " needs '", key, "'"));
  }
  if (reader.Has("topics") && kafka.topics.empty() && reader.Sound("topics")) {
    reader.Error("topics", "topics is empty");
  }
  kafka.group = reader.String("group", kafka.group);
  kafka.start = reader.Choice("start", {"now", "earliest"}, "now") == "earliest"
                    ? StartAt::kEarliest
                    : StartAt::kNow;
  if (const ConfigNode* properties = reader.Node("properties")) {
    if (properties->kind != ConfigNode::Kind::kMap) {
      reader.Error("properties", absl::StrCat("properties is ", Found(*properties),
                                              ": expected a map of librdkafka's settings"));
    }
    for (const auto& [key, value] : properties->map) {
      kafka.properties[key] = TextValue(value, key, errors).value_or("");
    }
  }
  for (const auto& [key, property] : kKafkaSecrets) {
    SecretSource source = ReadSecretSource(key, &reader);
    if (source.empty()) continue;
    if (kafka.properties.contains(property)) {
      reader.Error("properties", absl::StrCat("properties has ", property, ", and so has ", key,
                                              "_file or _env: expected one of them"));
    }
    kafka.secrets[property] = std::move(source);
  }
  reader.Finish();
  return kafka;
}

FileInputConfig ReadFile(const ConfigNode& node, const std::string& what, ErrorList* errors) {
  FileInputConfig file;
  if (node.kind == ConfigNode::Kind::kScalar) {
    file.path = node.scalar;
    if (file.path.empty()) errors->Add(node.at, "file is an empty string: expected a path");
    return file;
  }
  ConfigReader reader(node, what, errors);
  file.path = reader.RequiredString("path");
  file.follow = reader.Bool("follow", true);
  reader.Finish();
  return file;
}

// "+05:30", "-03", "UTC".
std::optional<DurationUs> ReadTimeZone(ConfigReader& input) {
  const std::string zone = input.String("time_zone");
  const std::optional<DurationUs> offset = ParseUtcOffset(zone == "UTC" ? "Z" : zone);
  if (offset && !zone.empty()) return offset;
  input.Error("time_zone", absl::StrCat("time_zone is ", Quoted(zone),
                                        ": expected an offset from UTC such as \"+05:30\""));
  return std::nullopt;
}

InputConfig ReadInput(const ConfigNode& node, const InputSurroundings& surroundings,
                      ErrorList* errors) {
  const DurationUs pane = surroundings.pane;
  InputConfig input;
  input.at = node.at;
  input.name = StanzaName(node);
  const std::string what = absl::StrCat("input ", input.name);
  ConfigReader named(node, what, errors);
  named.Node("name");
  if (const ConfigNode* kafka = named.Node("kafka")) {
    input.kafka = ReadKafka(*kafka, absl::StrCat("kafka of ", what), errors);
  }
  if (const ConfigNode* file = named.Node("file")) {
    input.file = ReadFile(*file, absl::StrCat("file of ", what), errors);
  }
  const ConfigNode* http = named.Node("http");
  if (input.kafka && input.file) {
    errors->Add(node.at, absl::StrCat(what, " has both kafka and file: expected one of them"));
  } else if (http != nullptr && input.file) {
    errors->Add(node.at, absl::StrCat(what, " has both http and file: expected one of them"));
  } else if (http == nullptr && !input.kafka && !input.file) {
    errors->AddMissing(
        node.at, absl::StrCat(what, " has neither kafka, file nor http: expected one of them"));
  }
  if (http != nullptr) {
    input.http =
        ReadHttpInput(*http, absl::StrCat("http of ", what), surroundings.http_is_local, errors);
    if (!input.kafka) {
      input.file = FileInputConfig{.path = surroundings.state_dir + "/http/" + input.name};
    } else if (input.kafka->topics.size() > 1) {
      errors->Add(http->at, absl::StrCat(what, " has http and several topics: expected the one ",
                                         "that is appended to"));
    }
  }
  input.format = named.String("format", input.format);
  input.format_at = named.At("format");
  input.message_format = named.String("message_format");
  input.message_format_at = named.At("message_format");
  input.preset = named.String("preset");
  input.preset_at = named.At("preset");
  input.signal = named.Choice("signal", {"logs", "metrics"}, "");
  input.signal_at = named.At("signal");
  input.pattern = named.String("pattern");
  input.pattern_at = named.At("pattern");
  if (named.Has("delay")) {
    const DurationUs delay = named.Duration("delay", 0, 0, kDelayMax);
    if (delay % pane != 0 && surroundings.pane_is_sound) {
      named.Error("delay",
                  absl::StrCat("delay is ", FormatDuration(delay),
                               ": expected a multiple of the pane (", FormatDuration(pane), ")"));
    }
    input.delay = delay;
  }
  if (named.Has("time_zone")) input.time_zone = ReadTimeZone(named);
  input.year = static_cast<int>(named.Int("year", input.year, 1970, 2199));
  if (const ConfigNode* map = named.Node("map")) input.map = ReadMap(*map, errors);
  named.Finish();
  return input;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> KafkaInputConfig::AllProperties() const {
  std::map<std::string, std::string> all = properties;
  for (const auto& [property, source] : secrets) {
    absl::StatusOr<std::string> secret = source.Read();
    if (!secret.ok()) {
      return absl::NotFoundError(absl::StrCat(property, ": ", secret.status().message()));
    }
    all[property] = *std::move(secret);
  }
  return all;
}

std::vector<InputConfig> ReadInputs(const ConfigNode& list, const InputSurroundings& surroundings,
                                    ErrorList* errors) {
  std::vector<InputConfig> inputs;
  for (const ConfigNode& node : NamedStanzas(list, "input", errors)) {
    inputs.push_back(ReadInput(node, surroundings, errors));
  }
  return inputs;
}

}  // namespace tocsin
