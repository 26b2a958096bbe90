// `silences:` and `inhibit:`: what pages nobody.

#include "absl/strings/str_cat.h"
#include "config/sections.h"
#include "config/value.h"
#include "core/limits.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// `texts` gets them as written.
std::vector<Matcher> ReadMatchers(std::string_view key, ConfigReader* reader,
                                  std::vector<std::string>* texts = nullptr) {
  std::vector<Matcher> matchers;
  if (!reader->Has(key)) reader->Missing(key, absl::StrCat("'", ToAbsl(key), "' is missing"));
  const std::vector<ConfigNode> nodes = reader->Texts(key);
  for (const ConfigNode& text : nodes) {
    absl::StatusOr<Matcher> matcher = Matcher::Parse(text.scalar);
    if (matcher.ok()) {
      matchers.push_back(*std::move(matcher));
    } else {
      reader->errors()->Add(text.at, std::string(matcher.status().message()));
    }
    if (texts != nullptr) texts->push_back(text.scalar);
  }
  if (nodes.size() > limits::kSilenceMatchersMax) {
    reader->Error(key, absl::StrCat("more than ", limits::kSilenceMatchersMax, " matchers"));
  }
  return matchers;
}

std::optional<TimeUs> ReadTime(std::string_view key, ConfigReader* reader) {
  const std::string text = reader->RequiredString(key);
  const std::optional<TimeUs> time = ParseRfc3339(text);
  if (!time && !text.empty()) {
    reader->Error(key, absl::StrCat(ToAbsl(key), " is ", text,
                                    ": expected a time such as 2026-03-01T02:00:00Z"));
  }
  return time;
}

Silence ReadSilence(const ConfigNode& node, ErrorList* errors) {
  Silence silence;
  silence.name = StanzaName(node);
  ConfigReader reader(node, absl::StrCat("silence ", silence.name), errors);
  reader.Node("name");
  ReadMatchers("match", &reader, &silence.matchers);
  silence.starts = ReadTime("starts", &reader).value_or(0);
  const std::optional<DurationUs> length = reader.OptionalDuration("for");
  if (!reader.Has("for")) {
    reader.Missing("for", "'for' is missing: how long it lasts, such as 2h");
  }
  silence.ends = silence.starts + length.value_or(0);
  silence.every = reader.Duration("every", 0, kHourUs, 52 * kWeekUs);
  if (reader.Sound("every") && silence.every != 0 && silence.every < length.value_or(0)) {
    reader.Error("every", "'every' is shorter than 'for': the silence would never end");
  }
  silence.author = reader.String("author", "the configuration");
  silence.comment = reader.String("comment");
  reader.Finish();
  return silence;
}

InhibitRule ReadInhibitRule(const ConfigNode& node, ErrorList* errors) {
  InhibitRule rule;
  rule.name = StanzaName(node);
  ConfigReader reader(node, absl::StrCat("inhibit rule ", rule.name), errors);
  reader.Node("name");
  rule.when = ReadMatchers("when", &reader);
  rule.mute = ReadMatchers("mute", &reader);
  rule.equal = reader.Strings("equal");
  reader.Finish();
  return rule;
}

}  // namespace

std::vector<Silence> ReadSilences(const ConfigNode& list, ErrorList* errors) {
  std::vector<Silence> silences;
  for (const ConfigNode& node : NamedStanzas(list, "silence", errors)) {
    silences.push_back(ReadSilence(node, errors));
  }
  return silences;
}

std::vector<InhibitRule> ReadInhibitRules(const ConfigNode& list, ErrorList* errors) {
  std::vector<InhibitRule> rules;
  for (const ConfigNode& node : NamedStanzas(list, "inhibit rule", errors)) {
    rules.push_back(ReadInhibitRule(node, errors));
  }
  return rules;
}

}  // namespace tocsin
