#include "panes/pane_batch.h"

#include <algorithm>

#include "core/limits.h"
#include "core/wire.h"

namespace tocsin {
namespace {

constexpr std::string_view kMagic = "TCSN";
// What format 5 had in the place of its number.
constexpr int kByteOfFormat5 = 1;
static_assert(kStateFormat > kByteOfFormat5 && kStateFormat <= UINT8_MAX);
constexpr std::uint8_t kTypeBatch = 1;
constexpr std::uint8_t kTypeControl = 2;
constexpr std::size_t kChecksumBytes = 8;

struct Header {
  std::uint8_t type = kTypeBatch;
  Hash128 plan;
  std::string_view source;
  TimeUs first_tick = kNoTime;
  TimeUs tick = 0;
  bool last = false;
};

std::string EncodeChunk(const Header& header, const Hash128& content_hash, std::uint32_t index,
                        std::uint32_t count, std::string_view bytes) {
  ByteWriter out;
  out.Raw(kMagic);
  out.Byte(static_cast<std::uint8_t>(kStateFormat));
  out.Byte(header.type);
  out.Fixed64(header.plan.high);
  out.Fixed64(header.plan.low);
  out.Bytes(header.source);
  out.Signed(header.first_tick);
  out.Signed(header.tick);
  out.Bool(header.last);
  out.Fixed64(content_hash.high);
  out.Fixed64(content_hash.low);
  out.Varint(index);
  out.Varint(count);
  out.Bytes(bytes);
  out.Fixed64(Hash64(out.view()));
  return out.Take();
}

}  // namespace

std::vector<std::string> EncodeBatch(const PaneBatch& batch, const Plan& plan) {
  ByteWriter content;
  content.Varint(batch.tables.size());
  for (const auto& [aggregation, table] : batch.tables) {
    content.Varint(aggregation);
    table.Encode(&content);
  }
  content.Varint(batch.facts.size());
  for (const Fact& fact : batch.facts) fact.Encode(&content);

  const Header header = {.plan = plan.hash(),
                         .source = batch.source,
                         .first_tick = batch.first_tick,
                         .tick = batch.tick,
                         .last = batch.last};
  const std::string_view bytes = content.view();
  const Hash128 hash = HashBytes(bytes);
  const std::size_t chunk_bytes = limits::kBatchChunkBytesMax;
  const std::uint32_t count = static_cast<std::uint32_t>(
      std::max<std::size_t>(1, (bytes.size() + chunk_bytes - 1) / chunk_bytes));
  std::vector<std::string> chunks;
  for (std::uint32_t i = 0; i < count; ++i) {
    chunks.push_back(
        EncodeChunk(header, hash, i, count, bytes.substr(i * chunk_bytes, chunk_bytes)));
  }
  return chunks;
}

std::string EncodeControl(const ControlRecord& record) {
  ByteWriter content;
  content.Byte(static_cast<std::uint8_t>(record.kind));
  content.Varint(record.sources.size());
  for (const std::string& source : record.sources) content.Bytes(source);
  if (record.act) record.act->Encode(&content);
  Header header;
  header.type = kTypeControl;
  header.tick = record.tick;
  return EncodeChunk(header, HashBytes(content.view()), 0, 1, content.view());
}

absl::StatusOr<Chunk> DecodeChunk(std::string_view record) {
  if (record.size() < kMagic.size() + 2 + kChecksumBytes || !record.starts_with(kMagic)) {
    return absl::DataLossError("not a pane batch: wrong magic bytes");
  }
  const std::string_view body = record.substr(0, record.size() - kChecksumBytes);
  ByteReader checksum(record.substr(body.size()));
  if (checksum.Fixed64() != Hash64(body)) {
    return absl::DataLossError("pane batch is damaged: its checksum does not hold");
  }
  ByteReader in(body.substr(kMagic.size()));
  Chunk chunk;
  const int format = in.Byte();
  chunk.format = format == kByteOfFormat5 ? 5 : format;
  if (chunk.format < kStateFormatOldest || chunk.format > kStateFormat) {
    return absl::UnimplementedError(
        "pane batch has format " + std::to_string(chunk.format) + ", this build reads formats " +
        std::to_string(kStateFormatOldest) + " to " + std::to_string(kStateFormat) +
        ": run the version of tocsin that wrote it, or a newer one");
  }
  const std::uint8_t type = in.Byte();
  chunk.control = type == kTypeControl;
  chunk.plan.high = in.Fixed64();
  chunk.plan.low = in.Fixed64();
  chunk.source = std::string(in.Bytes());
  chunk.first_tick = in.Signed();
  chunk.tick = in.Signed();
  chunk.last = in.Bool();
  chunk.content_hash.high = in.Fixed64();
  chunk.content_hash.low = in.Fixed64();
  const std::uint64_t index = in.Varint();
  const std::uint64_t count = in.Varint();
  chunk.index = static_cast<std::uint32_t>(index);
  chunk.count = static_cast<std::uint32_t>(count);
  chunk.bytes = in.Bytes();
  if (!in.Done() || (type != kTypeBatch && type != kTypeControl) || index >= count ||
      count > UINT32_MAX) {
    return absl::DataLossError("pane batch is malformed");
  }
  return chunk;
}

absl::StatusOr<PaneBatch> DecodeContent(const Chunk& header, std::string_view content,
                                        const Plan& plan) {
  if (header.plan != plan.hash()) {
    return absl::FailedPreconditionError("pane batch was made with plan " + header.plan.Hex() +
                                         ", this configuration has plan " + plan.hash().Hex());
  }
  return DecodeTables(header, content, plan.aggregations().size(),
                      [&plan](std::size_t index) { return &plan.aggregations()[index].layout; });
}

absl::StatusOr<PaneBatch> DecodeTables(
    const Chunk& header, std::string_view content, std::size_t aggregations,
    absl::FunctionRef<const TableLayout*(std::size_t aggregation)> layout_of) {
  if (HashBytes(content) != header.content_hash) {
    return absl::DataLossError("pane batch content is damaged: its hash does not hold");
  }
  PaneBatch batch;
  batch.source = header.source;
  batch.first_tick = header.first_tick;
  batch.tick = header.tick;
  batch.last = header.last;
  ByteReader in(content, header.format);
  std::uint64_t next = 0;  // tables are in order, each once
  for (std::size_t i = in.Count(2); i > 0 && in.ok(); --i) {
    const std::uint64_t aggregation = in.Varint();
    if (aggregation < next || aggregation >= aggregations) {
      in.Fail();
      break;
    }
    next = aggregation + 1;
    batch.tables.emplace_back(static_cast<std::uint32_t>(aggregation),
                              PaneTable::Decode(layout_of(aggregation), &in));
  }
  for (std::size_t i = in.Count(2); i > 0 && in.ok(); --i) batch.facts.push_back(Fact::Decode(&in));
  if (!in.Done()) return absl::DataLossError("pane batch content is malformed");
  return batch;
}

absl::StatusOr<ControlRecord> DecodeControl(const Chunk& chunk) {
  ByteReader in(chunk.bytes, chunk.format);
  const std::uint8_t kind = in.Byte();
  ControlRecord record;
  record.tick = chunk.tick;
  for (std::size_t i = in.Count(); i > 0 && in.ok(); --i) {
    record.sources.emplace_back(in.Bytes());
  }
  if (kind == static_cast<std::uint8_t>(ControlRecord::Kind::kAct))
    record.act = OperatorAction::Decode(&in);
  if (!chunk.control || !in.Done() || kind > static_cast<std::uint8_t>(ControlRecord::Kind::kAct)) {
    return absl::DataLossError("control record is malformed");
  }
  record.kind = static_cast<ControlRecord::Kind>(kind);
  return record;
}

}  // namespace tocsin
