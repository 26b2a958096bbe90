#include "core/fact.h"

#include <algorithm>
#include <tuple>

#include "core/hash.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// Cuts at a UTF-8 boundary so that a cut text stays valid.
std::string Cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return std::string(text);
}

void EncodeOptional(const std::optional<double>& value, ByteWriter* out) {
  out->Bool(value.has_value());
  if (value) out->Double(*value);
}

std::optional<double> DecodeOptional(ByteReader* in) {
  if (!in->Bool()) return std::nullopt;
  return in->Double();
}

}  // namespace

Fact Fact::FromEvent(const Event& event) {
  Fact fact;
  fact.time = event.time;
  fact.type = event.type;
  fact.outcome = event.outcome;
  fact.state = event.state;
  fact.value = event.value;
  fact.cvss = event.cvss;
  // A bound per text keeps the whole below kFactBytesMax however many fields there are.
  std::size_t budget = limits::kFactBytesMax;
  const auto keep = [&budget](std::string_view text) {
    std::string kept = Cut(text, std::min(budget, limits::kLabelValueBytesMax));
    budget -= std::min(budget, kept.size());
    return kept;
  };
  for (int i = 0; i < kFields; ++i) {
    const Field field = static_cast<Field>(i);
    if (field == Field::kId || event.Get(field).empty()) continue;
    fact.fields.emplace_back(field, keep(event.Get(field)));
  }
  for (const LabelView& label : event.labels) {
    fact.labels.emplace_back(keep(label.first), keep(label.second));
  }
  std::sort(fact.labels.begin(), fact.labels.end());
  if (event.Get(Field::kId).empty()) {
    ByteWriter content;
    fact.Encode(&content);
    fact.id = HashBytes(content.view()).Hex();
  } else {
    fact.id = Cut(event.Get(Field::kId), limits::kTopKeyBytesMax);
  }
  return fact;
}

std::string_view Fact::Get(Field field) const {
  if (field == Field::kId) return id;
  for (const auto& [name, value_text] : fields) {
    if (name == field) return value_text;
  }
  return {};
}

Event Fact::AsEvent(std::vector<LabelView>* labels_scratch) const {
  Event event;
  event.time = time;
  event.type = type;
  event.outcome = outcome;
  event.state = state;
  event.value = value;
  event.cvss = cvss;
  event.Set(Field::kId, id);
  for (const auto& [field, value_text] : fields) event.Set(field, value_text);
  labels_scratch->clear();
  for (const auto& [name, value_text] : labels) labels_scratch->emplace_back(name, value_text);
  event.labels = *labels_scratch;
  event.Normalize();
  return event;
}

void Fact::Encode(ByteWriter* out) const {
  out->Signed(time);
  out->Bytes(id);
  out->Byte(static_cast<std::uint8_t>(type));
  out->Byte(static_cast<std::uint8_t>(outcome));
  out->Byte(static_cast<std::uint8_t>(state));
  EncodeOptional(value, out);
  EncodeOptional(cvss, out);
  out->Varint(fields.size());
  for (const auto& [field, value_text] : fields) {
    out->Byte(static_cast<std::uint8_t>(field));
    out->Bytes(value_text);
  }
  out->Varint(labels.size());
  for (const auto& [name, value_text] : labels) {
    out->Bytes(name);
    out->Bytes(value_text);
  }
}

Fact Fact::Decode(ByteReader* in) {
  Fact fact;
  fact.time = in->Signed();
  fact.id = std::string(in->Bytes());
  const std::uint8_t type = in->Byte();
  const std::uint8_t outcome = in->Byte();
  const std::uint8_t state = in->Byte();
  if (type >= kEventTypes || outcome > 2 || state > 3) in->Fail();
  fact.type = static_cast<EventType>(type);
  fact.outcome = static_cast<Outcome>(outcome);
  fact.state = static_cast<AlarmState>(state);
  fact.value = DecodeOptional(in);
  fact.cvss = DecodeOptional(in);
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    const std::uint8_t field = in->Byte();
    if (field >= kFields) in->Fail();
    const std::string_view text = in->Bytes();
    if (in->ok()) fact.fields.emplace_back(static_cast<Field>(field), std::string(text));
  }
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    std::string name(in->Bytes());
    fact.labels.emplace_back(std::move(name), std::string(in->Bytes()));
  }
  return in->ok() ? fact : Fact{};
}

bool FactBefore(const Fact& a, const Fact& b) {
  return std::tie(a.time, a.id) < std::tie(b.time, b.id);
}

}  // namespace tocsin
