#include "core/signal.h"

#include <tuple>

namespace tocsin {
namespace {

void WriteTime(TimeUs time, JsonWriter* json) {
  if (time == kNoTime) {
    json->Null();
  } else {
    json->String(FormatTime(time));
  }
}

std::string DecodeText(ByteReader* in) { return std::string(in->Bytes()); }

Hash128 DecodeHash(ByteReader* in) {
  Hash128 hash;
  hash.high = in->Fixed64();
  hash.low = in->Fixed64();
  return hash;
}

}  // namespace

std::string_view CategoryName(Category category) {
  switch (category) {
    case Category::kAvailability:
      return "availability";
    case Category::kPerformance:
      return "performance";
    case Category::kSecurity:
      return "security";
    case Category::kData:
      return "data";
    case Category::kCapacity:
      return "capacity";
  }
  return "";
}

void Signal::WriteJson(bool with_state, JsonWriter* json) const {
  json->BeginObject();
  json->Key("signal").String(id.Hex());
  if (with_state) json->Key("state").String(firing() ? "firing" : "cleared");
  json->Key("detector").String(detector);
  json->Key("kind").String(kind);
  json->Key("series");
  WriteLabels(series, json);
  json->Key("level").Int(level);
  WriteTime(onset, &json->Key("onset"));
  WriteTime(fired_at, &json->Key("fired_at"));
  WriteTime(cleared_at, &json->Key("cleared_at"));
  json->Key("value").Number(value);
  json->Key("threshold").Number(threshold);
  json->Key("evidence").BeginArray();
  for (const Evidence& item : evidence) {
    json->BeginObject();
    json->Key("kind").String(item.kind);
    json->Key("name").String(item.name);
    json->Key("value").Raw(item.json.empty() ? "null" : item.json);
    json->EndObject();
  }
  json->EndArray();
  json->EndObject();
}

void Signal::Encode(ByteWriter* out) const {
  out->Fixed64(id.high);
  out->Fixed64(id.low);
  out->Bytes(detector);
  out->Bytes(kind);
  out->Bytes(scope);
  out->Varint(series.size());
  for (const auto& [name, label] : series) {
    out->Bytes(name);
    out->Bytes(label);
  }
  out->Byte(static_cast<std::uint8_t>(category));
  out->Bytes(classification);
  out->Signed(level);
  out->Bool(degraded_only);
  out->Bool(down);
  out->Signed(onset);
  out->Signed(fired_at);
  out->Signed(cleared_at);
  out->Double(value);
  out->Double(threshold);
  out->Varint(evidence.size());
  for (const Evidence& item : evidence) {
    out->Bytes(item.kind);
    out->Bytes(item.name);
    out->Bytes(item.json);
  }
  out->Bool(drifts);
  out->Signed(began.earliest);
  out->Signed(began.latest);
  out->Signed(breached_at);
}

Signal Signal::Decode(ByteReader* in) {
  Signal signal;
  signal.id = DecodeHash(in);
  signal.detector = DecodeText(in);
  signal.kind = DecodeText(in);
  signal.scope = DecodeText(in);
  signal.series.resize(in->Count(2));
  for (auto& [name, label] : signal.series) {
    name = DecodeText(in);
    label = DecodeText(in);
  }
  const std::uint8_t category = in->Byte();
  if (category > static_cast<std::uint8_t>(Category::kCapacity)) in->Fail();
  signal.category = static_cast<Category>(category);
  signal.classification = DecodeText(in);
  const std::int64_t level = in->Signed();
  if (level < 1 || level > 4) in->Fail();
  signal.level = static_cast<int>(level);
  signal.degraded_only = in->Bool();
  signal.down = in->Bool();
  signal.onset = in->Signed();
  signal.fired_at = in->Signed();
  signal.cleared_at = in->Signed();
  signal.value = in->Double();
  signal.threshold = in->Double();
  signal.evidence.resize(in->Count(3));
  for (Evidence& item : signal.evidence) {
    item.kind = DecodeText(in);
    item.name = DecodeText(in);
    item.json = DecodeText(in);
  }
  if (in->format() >= 6) {
    signal.drifts = in->Bool();
    signal.began.earliest = in->Signed();
    signal.began.latest = in->Signed();
    signal.breached_at = in->Signed();
  }
  return in->ok() ? signal : Signal{};
}

Hash128 SignalId(std::string_view detector, std::string_view series_key, TimeUs tick) {
  ByteWriter time;
  time.Fixed64(static_cast<std::uint64_t>(tick));
  return HashParts({detector, series_key, time.view()});
}

bool SignalBefore(const Signal& a, const Signal& b) {
  return std::tie(a.detector, a.series, a.id) < std::tie(b.detector, b.series, b.id);
}

}  // namespace tocsin
