// What stage 1 sends to stage 2: the partial accumulators of one source for one tick, and its
// encoding.
//
//   std::vector<std::string> chunks = EncodeBatch(batch, plan);
//   absl::StatusOr<Chunk> chunk = DecodeChunk(bytes);
//   absl::StatusOr<PaneBatch> batch = DecodeContent(chunk, content, plan);
//
// A batch for tick t carries, for each aggregation its source feeds, pane [t − delay − pane, t −
// delay), and the facts of the source's pane. It stands for all ticks after the source's previous
// batch: [first_tick, t) were empty, which is how a gap of hours costs one batch. Empty batches are
// sent too: the batch is the punctuation. On the wire a batch is one or more chunks of at most
// limits::kBatchChunkBytesMax, each with the whole header:
//
//   "TCSN" format type | plan hash | source | first tick | tick | last | content hash | i | n |
//   bytes | xxh3-64 of all before
//
// The format is kStateFormat; format 5 wrote a 1 there. Equal batches encode to equal bytes, so one
// that is sent twice is recognised. Control records share the log and the framing. Pure functions;
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "core/fact.h"
#include "core/hash.h"
#include "core/operator_action.h"
#include "core/state_format.h"
#include "core/time.h"
#include "panes/pane_table.h"
#include "panes/plan.h"

namespace tocsin {

struct PaneBatch {
  std::string source;           // "input/topic/partition" or "input/file"
  TimeUs first_tick = kNoTime;  // kNoTime: the source's first batch, all earlier ticks are empty
  TimeUs tick = 0;
  // The source has ended (replay): every later tick is empty.
  bool last = false;
  std::vector<std::pair<std::uint32_t, PaneTable>> tables;  // by aggregation, without empty ones
  std::vector<Fact> facts;                                  // sorted by FactBefore
};

// A decision about the sources themselves, effective from a tick; or an act of a person.
struct ControlRecord {
  enum class Kind : std::uint8_t {
    kExpect,   // `sources` are expected from `tick` on (kNoTime: from the start)
    kExclude,  // `sources` are left out from `tick` on: their ticks are partial
    kRejoin,   // and are back from `tick` on
    kRetire,   // are no longer configured: nothing more comes from them
    kAct,      // `act`, done by a person: effective where it stands in the log
  };
  Kind kind = Kind::kExpect;
  TimeUs tick = kNoTime;
  std::vector<std::string> sources = {};
  std::optional<OperatorAction> act = std::nullopt;
};

struct Chunk {
  int format = kStateFormat;  // of `bytes`
  bool control = false;
  Hash128 plan;
  std::string source;
  TimeUs first_tick = kNoTime;
  TimeUs tick = 0;
  bool last = false;
  Hash128 content_hash;
  std::uint32_t index = 0;
  std::uint32_t count = 1;
  std::string_view bytes;  // of the input
};

std::vector<std::string> EncodeBatch(const PaneBatch& batch, const Plan& plan);
std::string EncodeControl(const ControlRecord& record);

// Checks magic, format, checksum and lengths. DataLoss when they do not hold; Unimplemented for a
// format that this build does not read.
absl::StatusOr<Chunk> DecodeChunk(std::string_view record);

// `content` is the bytes of all chunks in order. FailedPrecondition when the plan differs.
absl::StatusOr<PaneBatch> DecodeContent(const Chunk& header, std::string_view content,
                                        const Plan& plan);
// The same of tables of any layouts, which are given by aggregation; whatever the plan.
absl::StatusOr<PaneBatch> DecodeTables(
    const Chunk& header, std::string_view content, std::size_t aggregations,
    absl::FunctionRef<const TableLayout*(std::size_t aggregation)> layout_of);
absl::StatusOr<ControlRecord> DecodeControl(const Chunk& chunk);

}  // namespace tocsin
