// What a week of flapping leaves on the disk: as much as a day of it.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "engine/decider.h"
#include "journal/journal.h"
#include "tests/engine/setup.h"

namespace tocsin {
namespace {

using testing::EngineSetup;

constexpr int kServices = 256;
constexpr DurationUs kPane = kMinuteUs;
constexpr TimeUs kBegin = 1'772'409'600 * kSecondUs;

constexpr const char* kYaml = R"(
pane: 60s
inputs: [{name: app, file: app.log, delay: 60s}]
detectors:
  - name: errors
    kind: error_rate
    by: [service]
    keep_firing_for: 60s
    critical: {above: 50%, window: 60s, for: 0s, level: 2}
)";

class FlatState : public ::testing::Test {
 protected:
  FlatState() : setup_(EngineSetup::From(kYaml)) {
    std::filesystem::remove_all(directory_);
    journal_ = *OpenSqliteJournal(directory_, {.limits = {.lines_bytes = 4 << 20}});
    decider_ = std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                         SequentialExecutor());
    Take({EncodeControl({.sources = {"app/0"}})});
  }
  ~FlatState() override { std::filesystem::remove_all(directory_); }

  // Each service fails for ten minutes of an hour, one after the other.
  std::string Batch(std::int64_t minute) const {
    PaneBatch batch;
    batch.source = "app/0";
    batch.tick = kBegin + minute * kPane;
    if (minute > 0) batch.first_tick = batch.tick;
    for (std::uint32_t i = 0; i < setup_->plan.aggregations().size(); ++i) {
      const Aggregation& aggregation = setup_->plan.aggregations()[i];
      PaneTable table(&aggregation.layout);
      for (int service = 0; service < kServices; ++service) {
        const std::string name = absl::StrCat("s", service);
        Event event;
        event.time = batch.tick - 2 * kPane;
        event.type = EventType::kRequest;
        event.weight = 100;
        event.status = (minute + service * 7) % 60 < 10 ? 500 : 200;
        event.Set(Field::kEnv, "prod");
        event.Set(Field::kService, name);
        event.Normalize();
        if (!aggregation.where.Matches(event)) continue;
        std::string key;
        std::array<char, 12> scratch;
        for (const FieldRef& field : aggregation.by) {
          AppendKeyPart(field.Get(event, scratch), &key);
        }
        table.Accumulate(table.Row(key), event);
      }
      if (table.rows() > 0) batch.tables.emplace_back(i, std::move(table));
    }
    return EncodeBatch(batch, setup_->plan)[0];
  }

  void Take(const std::vector<std::string>& records) {
    const absl::StatusOr<std::uint64_t> through = journal_->AppendBatches(records);
    ASSERT_TRUE(through.ok()) << through.status();
    for (const std::string& record : records) {
      ASSERT_TRUE(decider_->Append(record).ok());
      Decision decision;
      while (decider_->Step(&decision)) {
        for (OutputLine& line : decision.lines) lines_.push_back(std::move(line));
      }
    }
    const absl::Status saved = journal_->SaveSnapshot(
        {.through = *through, .state = decider_->Encode(), .tick = decider_->last_tick()}, lines_);
    ASSERT_TRUE(saved.ok()) << saved;
    lines_.clear();
  }

  void Hours(std::int64_t from, std::int64_t to) {
    for (std::int64_t hour = from; hour < to; ++hour) {
      std::vector<std::string> records;
      for (std::int64_t minute = hour * 60; minute < (hour + 1) * 60; ++minute) {
        records.push_back(Batch(minute));
      }
      Take(records);
    }
  }

  std::int64_t Bytes() const {
    std::int64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      bytes += static_cast<std::int64_t>(entry.file_size());
    }
    return bytes;
  }

  const std::string directory_ = ::testing::TempDir() + "flat_state_" + std::to_string(getpid());
  std::unique_ptr<EngineSetup> setup_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Decider> decider_;
  std::vector<OutputLine> lines_;
};

TEST_F(FlatState, AWeekTakesWhatADayTakes) {
  Hours(0, 24);
  const std::int64_t day = Bytes();
  EXPECT_GT(decider_->counters().signals_fired, kServices * 20);
  const JournalUsage after_a_day = journal_->Usage();
  EXPECT_GT(after_a_day.lines_dropped, 0) << "the limit was not reached";
  Hours(24, 24 * 7);
  EXPECT_LE(Bytes(), day + day / 8);
  const JournalUsage usage = journal_->Usage();
  EXPECT_LE(usage.line_bytes, 4 << 20);
  // Two hours of ticks, and what the last two snapshots do not cover.
  EXPECT_LE(usage.batches, 4 * 60);
  EXPECT_GE(usage.batches, 2 * 60);
}

}  // namespace
}  // namespace tocsin
