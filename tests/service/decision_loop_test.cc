// What the deciding side restores from the journal.
#include "service/decision_loop.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "config/node.h"
#include "sinks/message_templates.h"
#include "sinks/sink.h"
#include "tests/engine/setup.h"
#include "tests/service/watched_journal.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr DurationUs kPane = 10 * kSecondUs;
constexpr TimeUs kBegin = 1'772'409'600 * kSecondUs;

constexpr const char* kYaml = R"(
inputs: [{name: app, file: app.log}]
correlate: {watch: 10s}
detectors:
  - {name: errors, kind: error_rate, by: [service], keep_firing_for: 10s,
     critical: {above: ABOVE, window: 10s, for: 0s, level: 2}}
)";

class DecisionLoopTest : public ::testing::Test {
 protected:
  DecisionLoopTest() { std::filesystem::remove(path_); }
  ~DecisionLoopTest() override {
    End();
    std::filesystem::remove(path_);
  }

  // As a new process finds the journal.
  void Start(const std::string& above = "50%") {
    End();
    std::string yaml = kYaml;
    yaml.replace(yaml.find("ABOVE"), 5, above);
    setup_ = testing::EngineSetup::From(yaml);
    ASSERT_NE(setup_, nullptr);
    decider_ = std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                         SequentialExecutor());
    deliverer_ = std::make_unique<Deliverer>(setup_->config.routes, sinks_, journal_.get(), &time_);
    ASSERT_TRUE(deliverer_->Start().ok());
    log_ = std::make_unique<BatchLog>(BatchLog::Options{.journal = journal_.get(), .time = &time_});
    ASSERT_TRUE(log_->Start().ok());
    loop_ = std::make_unique<DecisionLoop>(
        DecisionLoop::Options{.decider = decider_.get(),
                              .journal = journal_.get(),
                              .log = log_.get(),
                              .deliverer = deliverer_.get(),
                              .time = &time_,
                              .signals_path = "",
                              .incidents_path = path_,
                              .on_decision = nullptr,
                              .book = &book_,
                              .sources = [this] { return sources_; },
                              .forget =
                                  [this](const std::vector<std::string>& sources) {
                                    EXPECT_EQ(sources, sources_);
                                    ++forgot_;
                                  }});
    const absl::Status recovered = loop_->Recover();
    ASSERT_TRUE(recovered.ok()) << recovered;
    if (decider_->assembler().Sources().empty()) Append(EncodeControl({.sources = {"app/0"}}));
  }
  // Without a word, as by kill -9.
  void End() {
    loop_.reset();
    log_.reset();
    if (deliverer_) deliverer_->Stop(absl::ZeroDuration());
    deliverer_.reset();
    decider_.reset();
  }

  void Append(std::string record) {
    log_->Append({.records = {std::move(record)}});
    const std::optional<BatchLog::Set> set = log_->Pop();
    ASSERT_TRUE(set);
    loop_->Take(*set);
  }
  // Two services that fail in turn, from pane to pane, or as `fails` says.
  void Run(int from, int to, int fails = -1) {
    for (int i = from; i < to; ++i) {
      PaneBatch batch;
      batch.source = "app/0";
      batch.tick = kBegin + i * kPane;
      if (i > 0) batch.first_tick = batch.tick;
      for (std::uint32_t index = 0; index < setup_->plan.aggregations().size(); ++index) {
        const Aggregation& aggregation = setup_->plan.aggregations()[index];
        PaneTable table(&aggregation.layout);
        for (int service = 0; service < 2; ++service) {
          const std::string name = absl::StrCat("s", service);
          Event event;
          event.time = batch.tick - 2 * kPane;
          event.type = EventType::kRequest;
          event.weight = 100;
          event.status = (fails < 0 ? (i / 8 + service) % 2 : fails == service) ? 500 : 200;
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
        if (table.rows() > 0) batch.tables.emplace_back(index, std::move(table));
      }
      Append(EncodeBatch(batch, setup_->plan)[0]);
    }
  }

  // Once its thread has written what it has.
  std::string File() const {
    std::string text;
    for (int same = 0; same < 20; absl::SleepFor(absl::Milliseconds(10))) {
      std::ifstream file(path_);
      std::stringstream now;
      now << file.rdbuf();
      same = now.str() == text ? same + 1 : 0;
      text = now.str();
    }
    return text;
  }
  // Their ids.
  std::vector<std::string> Open() const {
    std::vector<std::string> open;
    for (const Incident* incident : decider_->correlator().Open()) {
      open.push_back(incident->id.Hex());
    }
    return open;
  }

  const std::string path_ =
      ::testing::TempDir() + "decision_loop_" + std::to_string(getpid()) + ".jsonl";
  std::unique_ptr<Journal> journal_ = NewMemoryJournal({.lines_bytes = 20'000});
  std::unique_ptr<testing::EngineSetup> setup_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  IncidentBook book_;
  std::vector<std::string> sources_;  // that are configured
  int forgot_ = 0;                    // how often what is absent was forgotten
  std::atomic<TimeUs> now_ = kHourUs;
  const TimeSource time_{[this] {
    const TimeUs now = now_;
    return TimeSource::Reading{.monotonic = now, .wall = now};
  }};
  std::unique_ptr<Deliverer> deliverer_;
  std::unique_ptr<Decider> decider_;
  std::unique_ptr<BatchLog> log_;
  std::unique_ptr<DecisionLoop> loop_;
};

TEST_F(DecisionLoopTest, AFileKeepsWhatTheJournalHasForgotten) {
  Start();
  Run(0, 300);
  ASSERT_TRUE(loop_->Finish().ok());
  ASSERT_TRUE(journal_->Usage().lines_incomplete) << "the limit was not reached";
  const std::string file = File();
  Start();
  ASSERT_TRUE(loop_->Finish().ok());
  EXPECT_EQ(File(), file);
  // Batches since the last snapshot are decided again, and their lines are written again.
  Start();
  Run(300, 320);
  const std::string longer = File();
  EXPECT_THAT(longer, StartsWith(file));
  EXPECT_GT(longer.size(), file.size());
  Start();
  EXPECT_EQ(File(), longer);
  Run(320, 340);
  ASSERT_TRUE(loop_->Finish().ok());
  EXPECT_THAT(File(), StartsWith(longer));
}

TEST_F(DecisionLoopTest, AFileThatIsGoneIsRebuiltFromWhatTheJournalHas) {
  Start();
  Run(0, 300);
  ASSERT_TRUE(loop_->Finish().ok());
  const std::string file = File();
  std::filesystem::remove(path_);
  Start();
  ASSERT_TRUE(loop_->Finish().ok());
  const std::string rebuilt = File();
  EXPECT_GT(rebuilt.size(), 10'000u);
  EXPECT_EQ(file.substr(file.size() - rebuilt.size()), rebuilt);
}

TEST_F(DecisionLoopTest, ForgetsOnlyWhatIsKnownToBeAbsent) {
  ASSERT_TRUE(journal_->WritePosition("app/0", "1").ok());
  ASSERT_TRUE(journal_->WritePosition("other/0", "2").ok());
  Start();
  int pane = 0;
  // A snapshot after this time, of which the sources are known or not.
  const auto pass = [&](DurationUs time, std::vector<std::string> sources) {
    sources_ = std::move(sources);
    now_ += time;
    const std::int64_t before = loop_->Status().snapshots;
    Run(pane, pane + 2);
    pane += 2;
    EXPECT_EQ(loop_->Status().snapshots, before + 1);
    return journal_->ReadPosition("other/0")->has_value();
  };
  EXPECT_TRUE(pass(kHourUs, {"app/0"}));
  // An input has failed; nobody knows which sources it would have.
  EXPECT_TRUE(pass(2 * kWeekUs, {}));
  EXPECT_EQ(forgot_, 1);
  EXPECT_TRUE(pass(kHourUs, {"app/0"}));
  EXPECT_TRUE(pass(kDayUs, {"app/0"}));
  EXPECT_FALSE(pass(kWeekUs, {"app/0"}));
  EXPECT_TRUE(journal_->ReadPosition("app/0")->has_value());
  EXPECT_EQ(forgot_, 4);
}

TEST_F(DecisionLoopTest, ASnapshotWaitsForTheIntentsThatItStandsFor) {
  auto watched = std::make_unique<WatchedJournal>();
  WatchedJournal& journal = *watched;
  journal_ = std::move(watched);
  ErrorList errors;
  const ConfigNode node =
      ParseYaml("{name: hook, kind: webhook, url: 'http://127.0.0.1:9/'}", "test", &errors);
  sinks_.push_back(NewSink({.name = "hook", .kind = "webhook", .node = node},
                           std::make_shared<MessageTemplates>(), &errors));
  ASSERT_NE(sinks_.back(), nullptr);
  Start();
  Run(0, 40, /*fails=*/2);
  journal.HoldWrites(true);
  Run(40, 60, /*fails=*/0);
  ASSERT_THAT(Open(), SizeIs(1));
  ASSERT_TRUE(journal.AwaitHeld());
  now_ += kHourUs;  // it is long due
  Run(60, 65, /*fails=*/0);
  EXPECT_EQ(loop_->Status().snapshots, 0);
  journal.HoldWrites(false);
  ASSERT_TRUE(loop_->Finish().ok());
  EXPECT_EQ(loop_->Status().snapshots, 1);
}

TEST_F(DecisionLoopTest, ARecordThatCannotBeReadIsLeftOut) {
  Start();
  Run(0, 40, /*fails=*/2);
  Append("no batch");
  Run(40, 60, /*fails=*/0);
  EXPECT_EQ(loop_->Status().unreadable, 1);
  EXPECT_THAT(Open(), SizeIs(1));
  // Neither does it end the next start.
  Start();
  EXPECT_EQ(loop_->Status().unreadable, 1);
  EXPECT_THAT(Open(), SizeIs(1));
}

TEST_F(DecisionLoopTest, AThresholdThatChangesResolvesNothing) {
  Start();
  Run(0, 40, /*fails=*/2);
  Run(40, 60, /*fails=*/0);
  const std::vector<std::string> open = Open();
  ASSERT_THAT(open, SizeIs(1));
  ASSERT_TRUE(loop_->Finish().ok());
  const std::string file = File();
  Start("40%");
  EXPECT_THAT(decider_->lost(), SizeIs(1));
  EXPECT_EQ(Open(), open);
  Run(60, 80, /*fails=*/0);
  EXPECT_EQ(Open(), open);
  EXPECT_THAT(File().substr(file.size()), ::testing::Not(HasSubstr("\"resolved\"")));
  Run(80, 100, /*fails=*/2);
  EXPECT_THAT(Open(), SizeIs(0));
}

}  // namespace
}  // namespace tocsin
