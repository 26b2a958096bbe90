// What a person does about incidents: acknowledge, resolve, note, link, silence.
//
//   OperatorAction act{.kind = OperatorActionKind::kAcknowledge, .id = "…", .incident = id,
//                      .author = "ana"};
//   EncodeControl({.kind = ControlRecord::Kind::kAct, .act = act});     // panes/pane_batch.h
//
// An act is a record of the batch log and takes effect where it stands there, so that a replay of
// the log repeats it. `id` is chosen by who sends it; a repetition with the same id does nothing.
// Value types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

// Signals that match it page nobody while it is active. Its matchers are texts such as
// "service=api" (correlate/muting.h); all must match.
struct Silence {
  std::string name;  // an id, or the name of a configured one
  std::vector<std::string> matchers;
  TimeUs starts = kNoTime;
  TimeUs ends = kNoTime;
  DurationUs every = 0;  // begins again after each such period (a day, a week); 0: once
  std::string author;
  std::string comment;

  bool ActiveAt(TimeUs now) const;
  // Will never be active again.
  bool OverAt(TimeUs now) const { return every == 0 && now >= ends; }
  void Encode(ByteWriter* out) const;
  static Silence Decode(ByteReader* in);
  bool operator==(const Silence&) const = default;
};

enum class OperatorActionKind : std::uint8_t {
  kAcknowledge,
  kResolve,
  kNote,
  kLink,
  kSilence,
  kExpire
};
std::string_view OperatorActionKindName(OperatorActionKind kind);

struct OperatorAction {
  OperatorActionKind kind = OperatorActionKind::kNote;
  std::string id;
  Hash128 incident;  // not of silences
  std::string author;
  std::string text;        // a note, what was done; of a link its URL; of kExpire the silence
  TimeUs until = kNoTime;  // of an acknowledgement: open again from then on
  Silence silence = {};    // of kSilence

  void Encode(ByteWriter* out) const;
  static OperatorAction Decode(ByteReader* in);
  bool operator==(const OperatorAction&) const = default;
};

}  // namespace tocsin
