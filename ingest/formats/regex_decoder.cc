// Lines of any format, parsed by the user's regular expression, whose named groups are the fields:
//
//   pattern: '^(?P<time>\S+ \S+) (?P<level>[A-Z]+) \[(?P<app>[^\]]+)\] (?P<message>.*)$'
//
// https://github.com/google/re2/wiki/Syntax; matching takes linear time for any line. The
// expression may match anywhere in a line. A group has the name of a field (docs/events.md), or
// `map:` says which field it fills. Lines that do not match are skipped.

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>
#include <simdjson.h>

#include "ingest/decoder.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_presets.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

re2::RE2::Options PatternOptions() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return options;
}

class RegexDecoder final : public Decoder {
 public:
  RegexDecoder(const InputConfig& input, ErrorList* errors)
      : pattern_(input.pattern, PatternOptions()),
        fields_(input.map, errors, FindPreset("regex")),
        builder_(&fields_, input) {
    if (!pattern_.ok()) {
      errors->Add(input.pattern_at,
                  "pattern is not a valid regular expression: " + pattern_.error());
      return;
    }
    for (const auto& [number, name] : pattern_.CapturingGroupNames())
      AddGroup(name, number, input, errors);
    if (pattern_.NamedCapturingGroups().empty()) {
      errors->Add(input.pattern_at,
                  "pattern has no named group: expected one for each field, such as "
                  "(?P<message>.*)");
    }
    const std::map<std::string, int>& names = pattern_.NamedCapturingGroups();
    for (const FieldMapping& mapping : input.map) {
      if (mapping.path.empty() || names.count(mapping.path) > 0) continue;
      errors->Add(mapping.at, "map: the pattern has no group \"" + mapping.path + "\"");
    }
  }

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view line) {
      if (!simdjson::validate_utf8(line.data(), line.size())) {
        sink->OnUndecodable(line, "not valid UTF-8");
        return;
      }
      if (!pattern_.Match({line.data(), line.size()}, 0, line.size(), re2::RE2::UNANCHORED,
                          found_.data(), static_cast<int>(found_.size()))) {
        sink->OnSkipped(line, "the pattern does not match");
        return;
      }
      const EventFault fault = Read(record_time);
      if (fault.empty()) {
        sink->OnEvent(builder_.event());
      } else {
        sink->OnUndecodable(line, fault);
      }
    });
  }

 private:
  struct Group {
    std::size_t number;
    const FieldEntry* entry;
  };

  void AddGroup(const std::string& name, int number, const InputConfig& input, ErrorList* errors);
  EventFault Read(TimeUs record_time);

  const re2::RE2 pattern_;
  const FieldMap fields_;
  EventBuilder builder_;
  std::vector<Group> groups_;
  std::vector<re2::StringPiece> found_;  // by number; the first is the whole match
};

void RegexDecoder::AddGroup(const std::string& name, int number, const InputConfig& input,
                            ErrorList* errors) {
  std::string padded = name;
  padded.append(8, '\0');  // the look-up reads 8 bytes
  const FieldEntry* const entry =
      fields_.root().Find(padded.data(), JsonKeyWords::Of(padded.data(), name.size()));
  if (entry == nullptr || entry->action < 0) {
    const std::string nearest = Nearest(name, MappableNames());
    errors->Add(input.pattern_at,
                "pattern: the group \"" + name +
                    "\" is not an event field, and map: does not use it" +
                    (nearest.empty() ? ": expected a field such as time, level or message"
                                     : "; did you mean \"" + nearest + "\"?"));
    return;
  }
  groups_.push_back({static_cast<std::size_t>(number), entry});
  found_.resize(std::max(found_.size(), static_cast<std::size_t>(number) + 1));
}

EventFault RegexDecoder::Read(TimeUs record_time) {
  builder_.Begin(record_time);
  for (const Group& group : groups_) {
    const re2::StringPiece text = found_[group.number];
    // A group that did not participate in the match is empty.
    const EventFault fault = builder_.Store(*group.entry, {text.data(), text.size()});
    if (!fault.empty()) return fault;
  }
  return builder_.Complete();
}

}  // namespace

std::unique_ptr<Decoder> NewRegexDecoder(const InputConfig& input, ErrorList* errors) {
  if (input.pattern.empty()) {
    FieldMap(input.map, errors, FindPreset("regex"));  // also report errors in the map
    errors->AddMissing(input.at,
                       "input " + input.name +
                           ": format regex needs 'pattern', a regular expression whose named "
                           "groups are fields, such as '^(?P<time>\\S+) (?P<message>.*)$'");
    return nullptr;
  }
  ErrorList own;
  auto decoder = std::make_unique<RegexDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
