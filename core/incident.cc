#include "core/incident.h"

#include <utility>

namespace tocsin {
namespace {

void WriteTime(TimeUs time, JsonWriter* json) {
  if (time == kNoTime) {
    json->Null();
  } else {
    json->String(FormatTime(time));
  }
}

void WriteStrings(const std::vector<std::string>& values, JsonWriter* json) {
  json->BeginArray();
  for (const std::string& value : values) json->String(value);
  json->EndArray();
}

void WriteSuspects(const std::vector<Suspect>& suspects, JsonWriter* json) {
  json->BeginArray();
  for (const Suspect& suspect : suspects) {
    json->BeginObject();
    json->Key("kind").String(suspect.kind);
    json->Key("name").String(suspect.name);
    WriteTime(suspect.at, &json->Key("at"));
    json->Key("reason").String(suspect.reason);
    json->EndObject();
  }
  json->EndArray();
}

void WriteImpact(const Impact& impact, JsonWriter* json) {
  json->BeginObject();
  if (impact.users_affected) json->Key("users_affected").Int(*impact.users_affected);
  json->Key("users_total");
  impact.users_total ? json->Int(*impact.users_total) : json->Null();
  json->Key("failed").Int(impact.failed);
  json->Key("failed_transactions").Int(impact.failed_transactions);
  json->Key("revenue");
  impact.revenue ? json->Number(*impact.revenue) : json->Null();
  json->EndObject();
}

void WriteTimeline(const std::vector<TimelineEntry>& timeline, JsonWriter* json) {
  json->BeginArray();
  for (const TimelineEntry& entry : timeline) {
    json->BeginObject();
    WriteTime(entry.at, &json->Key("at"));
    if (!entry.id.empty()) json->Key("act").String(entry.id);
    json->Key("author").String(entry.author);
    json->Key("what").String(entry.what);
    if (!entry.text.empty()) json->Key("text").String(entry.text);
    json->EndObject();
  }
  json->EndArray();
}

using Levels = absl::InlinedVector<LevelTimes, 1>;

void WriteLevels(const Levels& levels, JsonWriter* json) {
  json->BeginArray();
  for (const LevelTimes& level : levels) {
    json->BeginObject();
    json->Key("level").Int(level.level);
    WriteTime(level.at, &json->Key("at"));
    WriteTime(level.paged_at, &json->Key("paged_at"));
    json->EndObject();
  }
  json->EndArray();
}

void WriteOmitted(const Omitted& omitted, JsonWriter* json) {
  const std::pair<const char*, std::int64_t> counts[] = {
      {"signals", omitted.signals},   {"evidence", omitted.evidence},
      {"labels", omitted.labels},     {"suspects", omitted.suspects},
      {"advice", omitted.advice},     {"escalate_to", omitted.escalate_to},
      {"timeline", omitted.timeline}, {"texts", omitted.texts}};
  json->BeginObject();
  for (const auto& [what, count] : counts) {
    if (count > 0) json->Key(what).Int(count);
  }
  json->EndObject();
}

// The scope for people: its values, "prod" or "prod/eu". A key keeps its missing values, so that
// ("", "eu") and ("eu", "") stay apart.
std::string ScopeText(const std::string& key) {
  std::string text;
  bool first = true;
  for (const std::string_view part : KeyParts(key)) {
    if (!first) text += '/';
    text += part;
    first = false;
  }
  return text;
}

void EncodeStrings(const std::vector<std::string>& values, ByteWriter* out) {
  out->Varint(values.size());
  for (const std::string& value : values) out->Bytes(value);
}

std::vector<std::string> DecodeStrings(ByteReader* in) {
  std::vector<std::string> values(in->Count());
  for (std::string& value : values) value = in->Bytes();
  return values;
}

void EncodeTimeline(const std::vector<TimelineEntry>& timeline, ByteWriter* out) {
  out->Varint(timeline.size());
  for (const TimelineEntry& entry : timeline) {
    out->Signed(entry.at);
    out->Bytes(entry.id);
    out->Bytes(entry.author);
    out->Bytes(entry.what);
    out->Bytes(entry.text);
  }
}

std::vector<TimelineEntry> DecodeTimeline(ByteReader* in) {
  std::vector<TimelineEntry> timeline(in->Count(5));
  for (TimelineEntry& entry : timeline) {
    entry.at = in->Signed();
    entry.id = in->Bytes();
    entry.author = in->Bytes();
    entry.what = in->Bytes();
    entry.text = in->Bytes();
  }
  return timeline;
}

void EncodeLevels(const Levels& levels, ByteWriter* out) {
  out->Varint(levels.size());
  for (const LevelTimes& level : levels) {
    out->Signed(level.level);
    out->Signed(level.at);
    out->Signed(level.paged_at);
  }
}

Levels DecodeLevels(ByteReader* in) {
  Levels levels(in->Count(3));
  for (LevelTimes& level : levels) {
    const std::int64_t number = in->Signed();
    if (number < 1 || number > 4) in->Fail();
    level.level = static_cast<int>(number);
    level.at = in->Signed();
    level.paged_at = in->Signed();
  }
  return levels;
}

void EncodeOptional(const std::optional<std::int64_t>& value, ByteWriter* out) {
  out->Bool(value.has_value());
  if (value) out->Signed(*value);
}

std::optional<std::int64_t> DecodeOptional(ByteReader* in) {
  if (!in->Bool()) return std::nullopt;
  return in->Signed();
}

void EncodeImpact(const Impact& impact, ByteWriter* out) {
  EncodeOptional(impact.users_affected, out);
  EncodeOptional(impact.users_total, out);
  out->Signed(impact.failed);
  out->Signed(impact.failed_transactions);
  out->Bool(impact.revenue.has_value());
  if (impact.revenue) out->Double(*impact.revenue);
}

Impact DecodeImpact(ByteReader* in) {
  Impact impact;
  impact.users_affected = DecodeOptional(in);
  impact.users_total = DecodeOptional(in);
  impact.failed = in->Signed();
  impact.failed_transactions = in->Signed();
  if (in->Bool()) impact.revenue = in->Double();
  return impact;
}

void EncodeSuspects(const std::vector<Suspect>& suspects, ByteWriter* out) {
  out->Varint(suspects.size());
  for (const Suspect& suspect : suspects) {
    out->Bytes(suspect.kind);
    out->Bytes(suspect.name);
    out->Signed(suspect.at);
    out->Bytes(suspect.reason);
  }
}

std::vector<Suspect> DecodeSuspects(ByteReader* in) {
  std::vector<Suspect> suspects(in->Count(4));
  for (Suspect& suspect : suspects) {
    suspect.kind = in->Bytes();
    suspect.name = in->Bytes();
    suspect.at = in->Signed();
    suspect.reason = in->Bytes();
  }
  return suspects;
}

}  // namespace

std::string_view IncidentStateName(IncidentState state) {
  switch (state) {
    case IncidentState::kOpen:
      return "open";
    case IncidentState::kAcknowledged:
      return "acknowledged";
    case IncidentState::kMonitoring:
      return "monitoring";
    case IncidentState::kResolved:
      return "resolved";
  }
  return "";
}

std::string Incident::DedupKey(const Hash128& id, int level) {
  return id.Hex() + ":" + std::to_string(level);
}

Hash128 IncidentId(std::string_view scope, const Hash128& opening_signal) {
  ByteWriter signal;
  signal.Fixed64(opening_signal.high);
  signal.Fixed64(opening_signal.low);
  return HashParts({scope, signal.view()});
}

std::string_view IncidentLineHead(std::string_view line) {
  // A quote within a text is escaped, so this cannot be part of one.
  return line.substr(0, line.find(R"(,"signals":)"));
}

void Incident::NoteLevel(TimeUs tick) {
  if (levels.empty() || levels.back().level != severity_level) {
    levels.push_back({.level = severity_level, .at = tick, .paged_at = kNoTime});
  }
}

void Incident::NotePage(TimeUs tick) {
  ++pages;
  levels.back().paged_at = tick;
}

TimeUs Incident::paged_at() const {
  for (const LevelTimes& level : levels) {
    if (level.paged_at != kNoTime) return level.paged_at;
  }
  return kNoTime;
}

std::string Incident::ToJson(const Omitted& omitted) const {
  JsonWriter json;
  json.BeginObject();
  json.Key("incident").String(id.Hex());
  json.Key("number").String(number);
  json.Key("revision").Int(revision);
  json.Key("state").String(IncidentStateName(state));
  json.Key("severity").String(severity);
  json.Key("severity_level").Int(severity_level);
  json.Key("severity_rule").String(severity_rule);
  json.Key("category").String(CategoryName(category));
  json.Key("title").String(title);
  json.Key("scope").String(ScopeText(scope));
  json.Key("component").String(component);
  if (!classification.empty()) json.Key("classification").String(classification);
  WriteTime(onset, &json.Key("onset"));
  WriteTime(detected_at, &json.Key("detected_at"));
  WriteTime(paged_at(), &json.Key("paged_at"));
  WriteTime(acknowledged_at, &json.Key("acknowledged_at"));
  if (!acknowledged_by.empty()) json.Key("acknowledged_by").String(acknowledged_by);
  WriteTime(resolved_at, &json.Key("resolved_at"));
  json.Key("muted_by");
  muted_by.empty() ? json.Null() : json.String(muted_by);
  json.Key("pages").Int(pages);
  json.Key("signals").BeginArray();
  for (const Signal& signal : signals) signal.WriteJson(/*with_state=*/false, &json);
  json.EndArray();
  WriteLevels(levels, &json.Key("levels"));
  WriteSuspects(suspects, &json.Key("suspects"));
  WriteImpact(impact, &json.Key("impact"));
  WriteStrings(advice, &json.Key("advice"));
  json.Key("runbook").String(runbook);
  WriteStrings(escalate_to, &json.Key("escalate_to"));
  json.Key("respond_within_s");
  respond_within_s ? json.Int(*respond_within_s) : json.Null();
  WriteTime(next_update_at, &json.Key("next_update_at"));
  if (!timeline.empty()) WriteTimeline(timeline, &json.Key("timeline"));
  if (!merged_into.empty()) json.Key("merged_into").String(merged_into);
  if (!beside.empty()) WriteStrings(beside, &json.Key("beside"));
  if (omitted != Omitted()) WriteOmitted(omitted, &json.Key("omitted"));
  json.Key("partial").Bool(partial);
  // Severity never falls during an incident, so this is the level that was triggered last.
  json.Key("dedup_key").String(DedupKey(id, severity_level));
  json.EndObject();
  return json.Take();
}

void Incident::Encode(ByteWriter* out) const {
  out->Fixed64(id.high);
  out->Fixed64(id.low);
  out->Bytes(number);
  out->Signed(revision);
  out->Byte(static_cast<std::uint8_t>(state));
  out->Bytes(severity);
  out->Signed(severity_level);
  out->Bytes(severity_rule);
  out->Byte(static_cast<std::uint8_t>(category));
  out->Bytes(title);
  out->Bytes(scope);
  out->Varint(scope_labels.size());
  for (const auto& [name, value] : scope_labels) {
    out->Bytes(name);
    out->Bytes(value);
  }
  out->Bytes(component);
  out->Bytes(classification);
  out->Signed(onset);
  out->Signed(detected_at);
  out->Signed(acknowledged_at);
  out->Signed(resolved_at);
  out->Varint(signals.size());
  for (const Signal& signal : signals) signal.Encode(out);
  EncodeSuspects(suspects, out);
  EncodeImpact(impact, out);
  EncodeStrings(advice, out);
  out->Bytes(runbook);
  EncodeStrings(escalate_to, out);
  EncodeOptional(respond_within_s, out);
  out->Signed(next_update_at);
  out->Bytes(muted_by);
  out->Bytes(acknowledged_by);
  EncodeTimeline(timeline, out);
  out->Bytes(merged_into);
  out->Bool(partial);
  out->Signed(pages);
  EncodeStrings(beside, out);
  EncodeLevels(levels, out);
}

Incident Incident::Decode(ByteReader* in) {
  Incident incident;
  incident.id.high = in->Fixed64();
  incident.id.low = in->Fixed64();
  incident.number = in->Bytes();
  incident.revision = in->Signed();
  const std::uint8_t state = in->Byte();
  if (state > static_cast<std::uint8_t>(IncidentState::kResolved)) in->Fail();
  incident.state = static_cast<IncidentState>(state);
  incident.severity = in->Bytes();
  const std::int64_t level = in->Signed();
  if (level < 1 || level > 4) in->Fail();
  incident.severity_level = static_cast<int>(level);
  incident.severity_rule = in->Bytes();
  const std::uint8_t category = in->Byte();
  if (category > static_cast<std::uint8_t>(Category::kCapacity)) in->Fail();
  incident.category = static_cast<Category>(category);
  incident.title = in->Bytes();
  incident.scope = in->Bytes();
  incident.scope_labels.resize(in->Count(2));
  for (auto& [name, value] : incident.scope_labels) {
    name = in->Bytes();
    value = in->Bytes();
  }
  incident.component = in->Bytes();
  incident.classification = in->Bytes();
  incident.onset = in->Signed();
  incident.detected_at = in->Signed();
  incident.acknowledged_at = in->Signed();
  incident.resolved_at = in->Signed();
  // A signal takes at least its id, its doubles and a byte for each of the rest.
  const std::size_t signals = in->Count(16 + 16 + 11);
  incident.signals.reserve(signals);
  for (std::size_t i = 0; i < signals; ++i) incident.signals.push_back(Signal::Decode(in));
  incident.suspects = DecodeSuspects(in);
  incident.impact = DecodeImpact(in);
  incident.advice = DecodeStrings(in);
  incident.runbook = in->Bytes();
  incident.escalate_to = DecodeStrings(in);
  incident.respond_within_s = DecodeOptional(in);
  incident.next_update_at = in->Signed();
  incident.muted_by = in->Bytes();
  incident.acknowledged_by = in->Bytes();
  incident.timeline = DecodeTimeline(in);
  incident.merged_into = in->Bytes();
  incident.partial = in->Bool();
  incident.pages = in->Signed();
  if (in->format() >= 6) {
    incident.beside = DecodeStrings(in);
    incident.levels = DecodeLevels(in);
  } else {
    // When it got there was not kept.
    incident.levels.push_back(
        {.level = incident.severity_level, .at = kNoTime, .paged_at = kNoTime});
  }
  return in->ok() ? incident : Incident{};
}

}  // namespace tocsin
