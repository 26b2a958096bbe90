#include "panes/pane_batch.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr TimeUs kTick = 1'700'000'010 * kSecondUs;

Plan MakePlan(DurationUs pane = 10 * kSecondUs) {
  SeriesSpec by_service, by_host;
  by_service.by = {*FieldRef::Parse("service")};
  by_service.measures = {Measure::Count(), Measure::Gauge(), Measure::Histogram()};
  by_host.by = {*FieldRef::Parse("host")};
  by_host.measures = {Measure::Count(), Measure::TopK(Field::kUser, 64)};
  PlanOptions options;
  options.scope = {*FieldRef::Parse("env")};
  options.inputs = {{"app", 10 * kSecondUs}};
  options.pane = pane;
  return Plan::Compile(options, {by_service, by_host});
}

// Rows of random keys in two aggregations, and two facts.
PaneBatch MakeBatch(const Plan& plan, std::size_t rows, std::uint64_t seed = 1) {
  PaneBatch batch;
  batch.source = "app/logs/3";
  batch.first_tick = kTick - 20 * kSecondUs;
  batch.tick = kTick;
  std::mt19937_64 random(seed);
  for (std::uint32_t aggregation = 0; aggregation < 2; ++aggregation) {
    PaneTable table(&plan.aggregations()[aggregation].layout);
    for (std::size_t i = 0; i < rows; ++i) {
      Event event;
      event.time = kTick - static_cast<TimeUs>(random() % 10'000'000);
      event.value = static_cast<double>(random() % 100);
      event.duration = static_cast<DurationUs>(random() % 1'000'000);
      const std::string user = std::to_string(random() % 10);
      event.Set(Field::kUser, user);
      table.Accumulate(table.Row("key-" + std::to_string(random())), event);
    }
    batch.tables.emplace_back(aggregation, std::move(table));
  }
  for (const char* id : {"deploy-1", "deploy-2"}) {
    Event event;
    event.time = kTick;
    event.type = EventType::kDeploy;
    event.Set(Field::kId, id);
    event.Set(Field::kVersion, "v7");
    batch.facts.push_back(Fact::FromEvent(event));
  }
  return batch;
}

absl::StatusOr<PaneBatch> Decoded(const std::vector<std::string>& chunks, const Plan& plan) {
  std::string content;
  absl::StatusOr<Chunk> header;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    header = DecodeChunk(chunks[i]);
    if (!header.ok()) return header.status();
    EXPECT_EQ(header->index, i);
    EXPECT_EQ(header->count, chunks.size());
    content += header->bytes;
  }
  return DecodeContent(*header, content, plan);
}

TEST(PaneBatch, ReadsBackWhatItWrote) {
  const Plan plan = MakePlan();
  PaneBatch first = MakeBatch(plan, 5);
  first.first_tick = kNoTime;
  PaneBatch last = MakeBatch(plan, 5);
  last.last = true;
  PaneBatch empty = MakeBatch(plan, 0);
  empty.tables.clear();
  empty.facts.clear();
  for (const PaneBatch* batch : {&first, &last, &empty}) {
    const std::vector<std::string> chunks = EncodeBatch(*batch, plan);
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(EncodeBatch(*batch, plan), chunks) << "equal batches are equal bytes";
    const absl::StatusOr<PaneBatch> decoded = Decoded(chunks, plan);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->source, batch->source);
    EXPECT_EQ(decoded->first_tick, batch->first_tick);
    EXPECT_EQ(decoded->tick, batch->tick);
    EXPECT_EQ(decoded->last, batch->last);
    EXPECT_EQ(decoded->tables.size(), batch->tables.size());
    EXPECT_EQ(decoded->facts, batch->facts);
    EXPECT_EQ(EncodeBatch(*decoded, plan), chunks);
  }
}

TEST(PaneBatch, CutsALargeOneIntoChunks) {
  const Plan plan = MakePlan();
  const PaneBatch batch = MakeBatch(plan, 40'000);
  const std::vector<std::string> chunks = EncodeBatch(batch, plan);
  ASSERT_GE(chunks.size(), 3u);
  for (const std::string& chunk : chunks) {
    EXPECT_LT(chunk.size(), limits::kBatchChunkBytesMax + 512);
  }
  const absl::StatusOr<PaneBatch> decoded = Decoded(chunks, plan);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodeBatch(*decoded, plan), chunks);
  EXPECT_EQ(decoded->tables[0].second.rows(), 40'000u);

  // Chunks of two contents do not mix, even where every chunk is sound.
  std::vector<std::string> mixed = EncodeBatch(MakeBatch(plan, 40'000, /*seed=*/2), plan);
  mixed[0] = chunks[0];
  EXPECT_EQ(Decoded(mixed, plan).status().code(), absl::StatusCode::kDataLoss);
}

TEST(PaneBatch, NoticesEveryFlippedBitAndEveryCut) {
  const Plan plan = MakePlan();
  const std::string good = EncodeBatch(MakeBatch(plan, 3), plan)[0];
  ASSERT_TRUE(DecodeChunk(good).ok());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      ASSERT_EQ(DecodeChunk(bad).status().code(), absl::StatusCode::kDataLoss)
          << "bit " << bit << " of byte " << at;
    }
    ASSERT_EQ(DecodeChunk(good.substr(0, at)).status().code(), absl::StatusCode::kDataLoss)
        << "cut to " << at;
  }
  EXPECT_EQ(DecodeChunk(good + '\0').status().code(), absl::StatusCode::kDataLoss);
}

// What a writer with other ideas would send, with the checksum that belongs to it.
struct RawChunk {
  std::string magic = "TCSN";
  std::uint8_t format = kStateFormat;
  std::uint8_t type = 1;
  std::uint64_t index = 0;
  std::uint64_t count = 1;
  std::uint64_t length = 0;  // of the content, as claimed
  std::string rest = {};
};

std::string Sealed(const RawChunk& raw) {
  ByteWriter out;
  out.Raw(raw.magic);
  out.Byte(raw.format);
  out.Byte(raw.type);
  for (int i = 0; i < 2; ++i) out.Fixed64(7);  // plan
  out.Bytes("source");
  out.Signed(kNoTime);
  out.Signed(kTick);
  out.Bool(false);
  for (int i = 0; i < 2; ++i) out.Fixed64(9);  // content hash
  out.Varint(raw.index);
  out.Varint(raw.count);
  out.Varint(raw.length);
  out.Raw(raw.rest);
  out.Fixed64(Hash64(out.view()));
  return out.Take();
}

TEST(PaneBatch, RefusesHostileHeaders) {
  struct Case {
    std::string name;
    RawChunk raw;
    absl::StatusCode code;
  };
  const std::vector<Case> cases = {
      {"sound", {}, absl::StatusCode::kOk},
      {"sound control", {.type = 2}, absl::StatusCode::kOk},
      {"format 5, which wrote a 1", {.format = 1}, absl::StatusCode::kOk},
      {"a format before that", {.format = 4}, absl::StatusCode::kUnimplemented},
      {"newer format", {.format = kStateFormat + 1}, absl::StatusCode::kUnimplemented},
      {"other magic", {.magic = "TCSM"}, absl::StatusCode::kDataLoss},
      {"unknown type", {.type = 3}, absl::StatusCode::kDataLoss},
      {"no chunk", {.count = 0}, absl::StatusCode::kDataLoss},
      {"past the last chunk", {.index = 2, .count = 2}, absl::StatusCode::kDataLoss},
      {"more chunks than can be counted", {.count = 1ull << 32}, absl::StatusCode::kDataLoss},
      {"index that wraps", {.index = 1ull << 32, .count = 1ull << 33}, absl::StatusCode::kDataLoss},
      {"longer than it is", {.length = 1}, absl::StatusCode::kDataLoss},
      {"much longer", {.length = UINT64_MAX}, absl::StatusCode::kDataLoss},
      {"shorter than it is", {.rest = "x"}, absl::StatusCode::kDataLoss},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(DecodeChunk(Sealed(c.raw)).status().code(), c.code) << c.name;
  }
  EXPECT_EQ(DecodeChunk(Sealed({.format = 1}))->format, 5);
  EXPECT_THAT(std::string(DecodeChunk(Sealed({.format = 9})).status().message()),
              HasSubstr("format 9"));
}

TEST(PaneBatch, RefusesHostileContent) {
  const Plan plan = MakePlan();
  const auto decode = [&](const ByteWriter& content) {
    Chunk header;
    header.plan = plan.hash();
    header.content_hash = HashBytes(content.view());
    return DecodeContent(header, content.view(), plan).status().code();
  };
  struct Case {
    std::string name;
    std::vector<std::uint64_t> varints;
    absl::StatusCode code;
  };
  // tables, then of each: aggregation, capped, rows; then facts
  const std::vector<Case> cases = {
      {"empty", {0, 0}, absl::StatusCode::kOk},
      {"two tables", {2, 0, 0, 0, 1, 0, 0, 0}, absl::StatusCode::kOk},
      {"nothing at all", {}, absl::StatusCode::kDataLoss},
      {"no facts", {0}, absl::StatusCode::kDataLoss},
      {"bytes behind it", {0, 0, 0}, absl::StatusCode::kDataLoss},
      {"an aggregation that is not",
       {1, plan.aggregations().size(), 0, 0, 0},
       absl::StatusCode::kDataLoss},
      {"a huge aggregation", {1, 1ull << 32, 0, 0, 0}, absl::StatusCode::kDataLoss},
      {"one twice", {2, 1, 0, 0, 1, 0, 0, 0}, absl::StatusCode::kDataLoss},
      {"out of order", {2, 1, 0, 0, 0, 0, 0, 0}, absl::StatusCode::kDataLoss},
      {"more tables than bytes", {UINT64_MAX, 0}, absl::StatusCode::kDataLoss},
      {"more rows than bytes", {1, 0, 0, 1ull << 50, 0}, absl::StatusCode::kDataLoss},
      {"more facts than bytes", {0, 1ull << 50}, absl::StatusCode::kDataLoss},
  };
  for (const Case& c : cases) {
    ByteWriter content;
    for (const std::uint64_t varint : c.varints) content.Varint(varint);
    EXPECT_EQ(decode(content), c.code) << c.name;
  }
}

TEST(PaneBatch, SurvivesEveryFlippedBitOfItsContent) {
  // With hashes that hold: whatever the content is, it is read without harm.
  const Plan plan = MakePlan();
  const std::string chunk = EncodeBatch(MakeBatch(plan, 2), plan)[0];
  const std::string good(DecodeChunk(chunk)->bytes);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      Chunk header;
      header.plan = plan.hash();
      header.content_hash = HashBytes(bad);
      const absl::StatusOr<PaneBatch> batch = DecodeContent(header, bad, plan);
      if (batch.ok()) {
        EncodeBatch(*batch, plan);
      } else {
        ++refused;
        EXPECT_EQ(batch.status().code(), absl::StatusCode::kDataLoss);
      }
    }
  }
  EXPECT_GT(refused, good.size() / 2);
}

TEST(PaneBatch, RefusesAnotherPlan) {
  const Plan plan = MakePlan(), other = MakePlan(20 * kSecondUs);
  const std::vector<std::string> chunks = EncodeBatch(MakeBatch(plan, 1), plan);
  const absl::Status status = Decoded(chunks, other).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(plan.hash().Hex()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(other.hash().Hex()));
}

TEST(ControlRecord, ReadsBackWhatItWrote) {
  using Kind = ControlRecord::Kind;
  for (const Kind kind : {Kind::kExpect, Kind::kExclude, Kind::kRejoin, Kind::kRetire}) {
    for (const TimeUs tick : {kNoTime, kTick}) {
      const ControlRecord record = {.kind = kind, .tick = tick, .sources = {"app/logs/0", "", "b"}};
      const std::string bytes = EncodeControl(record);
      const absl::StatusOr<Chunk> chunk = DecodeChunk(bytes);
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      EXPECT_TRUE(chunk->control);
      const absl::StatusOr<ControlRecord> decoded = DecodeControl(*chunk);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(decoded->kind, kind);
      EXPECT_EQ(decoded->tick, tick);
      EXPECT_EQ(decoded->sources, record.sources);
    }
  }
}

TEST(ControlRecord, CarriesWhatAPersonDid) {
  OperatorAction act{.kind = OperatorActionKind::kAcknowledge,
                     .id = "a1",
                     .incident = {.high = 1, .low = 2},
                     .author = "ana",
                     .text = "looking",
                     .until = kTick,
                     .silence = {}};
  const auto read_back = [](const OperatorAction& written) {
    const std::string bytes =
        EncodeControl({.kind = ControlRecord::Kind::kAct, .tick = kNoTime, .act = written});
    const absl::StatusOr<ControlRecord> decoded = DecodeControl(*DecodeChunk(bytes));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return decoded.ok() ? decoded->act : std::nullopt;
  };
  EXPECT_EQ(read_back(act), act);
  act.kind = OperatorActionKind::kSilence;
  act.silence = {.name = "s",
                 .matchers = {"a=b", "c!=d"},
                 .starts = 1,
                 .ends = 5,
                 .every = kDayUs,
                 .author = "ana",
                 .comment = "known"};
  EXPECT_EQ(read_back(act), act);
}

TEST(ControlRecord, RefusesOtherBytes) {
  struct Case {
    std::string name;
    bool control;
    std::string bytes;
    bool good;
  };
  const std::vector<Case> cases = {
      {"no sources", true, std::string("\x00\x00", 2), true},
      {"a batch", false, std::string("\x00\x00", 2), false},
      {"nothing", true, "", false},
      {"unknown kind", true, std::string("\x04\x00", 2), false},
      {"more sources than bytes", true, std::string("\x00\x05\x01x", 4), false},
      {"bytes behind it", true, std::string("\x00\x00\x00", 3), false},
  };
  for (const Case& c : cases) {
    Chunk chunk;
    chunk.control = c.control;
    chunk.bytes = c.bytes;
    EXPECT_EQ(DecodeControl(chunk).ok(), c.good) << c.name;
  }
}

}  // namespace
}  // namespace tocsin
