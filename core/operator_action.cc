#include "core/operator_action.h"

namespace tocsin {

bool Silence::ActiveAt(TimeUs now) const {
  if (now < starts) return false;
  const DurationUs since = now - starts;
  return (every > 0 ? since % every : since) < ends - starts;
}

void Silence::Encode(ByteWriter* out) const {
  out->Bytes(name);
  out->Varint(matchers.size());
  for (const std::string& matcher : matchers) out->Bytes(matcher);
  out->Signed(starts);
  out->Signed(ends);
  out->Signed(every);
  out->Bytes(author);
  out->Bytes(comment);
}

Silence Silence::Decode(ByteReader* in) {
  Silence silence;
  silence.name = in->Bytes();
  silence.matchers.resize(in->Count());
  for (std::string& matcher : silence.matchers) matcher = in->Bytes();
  silence.starts = in->Signed();
  silence.ends = in->Signed();
  silence.every = in->Signed();
  silence.author = in->Bytes();
  silence.comment = in->Bytes();
  if (silence.ends < silence.starts || silence.every < 0) in->Fail();
  return in->ok() ? silence : Silence{};
}

std::string_view OperatorActionKindName(OperatorActionKind kind) {
  switch (kind) {
    case OperatorActionKind::kAcknowledge:
      return "acknowledged";
    case OperatorActionKind::kResolve:
      return "resolved";
    case OperatorActionKind::kNote:
      return "noted";
    case OperatorActionKind::kLink:
      return "linked";
    case OperatorActionKind::kSilence:
      return "silenced";
    case OperatorActionKind::kExpire:
      return "expired";
  }
  return "";
}

void OperatorAction::Encode(ByteWriter* out) const {
  out->Byte(static_cast<std::uint8_t>(kind));
  out->Bytes(id);
  out->Fixed64(incident.high);
  out->Fixed64(incident.low);
  out->Bytes(author);
  out->Bytes(text);
  out->Signed(until);
  if (kind == OperatorActionKind::kSilence) silence.Encode(out);
}

OperatorAction OperatorAction::Decode(ByteReader* in) {
  OperatorAction act;
  const std::uint8_t kind = in->Byte();
  if (kind > static_cast<std::uint8_t>(OperatorActionKind::kExpire)) in->Fail();
  act.kind = static_cast<OperatorActionKind>(kind);
  act.id = in->Bytes();
  act.incident.high = in->Fixed64();
  act.incident.low = in->Fixed64();
  act.author = in->Bytes();
  act.text = in->Bytes();
  act.until = in->Signed();
  if (act.kind == OperatorActionKind::kSilence) act.silence = Silence::Decode(in);
  return in->ok() ? act : OperatorAction{};
}

}  // namespace tocsin
