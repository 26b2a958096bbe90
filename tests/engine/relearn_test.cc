// What becomes of signals and incidents when the state of a detector cannot be taken over: its
// configuration changed, or another build kept it otherwise.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "engine/decider.h"
#include "engine/source_partition.h"
#include "tests/engine/setup.h"
#include "tests/engine/text_decoder.h"

namespace tocsin {
namespace {

using testing::At;
using ::testing::ElementsAre;
using testing::EngineSetup;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TextDecoder;

constexpr const char* kYaml = R"(
inputs: [{name: app, file: app.log}]
correlate: {watch: 30s}
detectors:
  - name: errors
    kind: error_rate
    by: [service]
    keep_firing_for: 30s
    warn: {above: 5%, window: 30s, for: 0s, level: 2}
    critical: {above: 50%, window: 30s, for: 0s, level: 1}
  - name: slow
    kind: latency
    by: [service]
    warn: {p95_above_baseline: 2, window: 1m, for: 0s, level: 3}
)";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

// A service in one second, and how it does.
using Traffic = std::function<std::string(int second, const std::string& service)>;

// One engine after the other over the same events, each from the snapshot of the one before.
class Relearning : public ::testing::Test {
 protected:
  void Start() {
    events_.clear();
    log_.clear();
    changes_.clear();
    notifications_.clear();
    Configure(kYaml);
    NewPartition(std::nullopt);
    Take(EncodeControl({.sources = {"app/0"}}));
  }

  // Ten requests a second of each of three services.
  void Run(int from, int to, const Traffic& traffic) {
    for (int second = from; second < to; ++second) {
      for (const char* service : {"a", "b", "c"}) {
        for (int i = 0; i < 10; ++i) {
          events_.push_back(absl::StrCat("t=", second * 1000 + i, " type=request service=", service,
                                         " ", traffic(second, service)));
          Feed(events_.size() - 1);
        }
      }
      for (const PaneBatch& batch : partition_->TakeBatches()) {
        for (std::string& chunk : EncodeBatch(batch, setup_->plan)) Take(std::move(chunk));
      }
    }
  }

  // `change` is what another build did to the snapshot.
  void Restart(const std::string& yaml, const std::function<void(SnapshotSections*)>& change,
               bool relearn = true) {
    const std::string snapshot = Changed(decider_->Encode(), change);
    const SourceCommit commit = partition_->Commit();
    Configure(yaml);
    const absl::Status restored = decider_->Restore(snapshot);
    ASSERT_TRUE(restored.ok()) << restored;
    for (const std::string& record : log_) {
      if (!relearn) break;
      const absl::Status learned = decider_->Relearn(record);
      ASSERT_TRUE(learned.ok() || absl::IsFailedPrecondition(learned)) << learned;
    }
    decider_->EndRelearning();
    // What is kept is the same however often it is written and read before the next tick.
    Decider again(&setup_->config, &setup_->plan, &setup_->detectors, SequentialExecutor());
    ASSERT_TRUE(again.Restore(decider_->Encode()).ok());
    EXPECT_EQ(again.Encode(), decider_->Encode());
    NewPartition(commit);
    changes_.clear();
    notifications_.clear();
  }

  std::vector<std::string> Lost() const {
    std::vector<std::string> lost;
    for (const Decider::Lost& one : decider_->lost()) {
      lost.push_back(absl::StrCat(one.detector, ": ", one.reason));
    }
    return lost;
  }
  // Ids of the incidents that are open, with their numbers.
  std::map<std::string, std::string> Open() const {
    std::map<std::string, std::string> open;
    for (const Incident* incident : decider_->correlator().Open()) {
      open[incident->id.Hex()] = incident->number;
    }
    return open;
  }
  std::vector<std::string> Told() const {
    std::vector<std::string> told;
    for (const Notification& notification : notifications_) {
      told.push_back(absl::StrCat(std::string(NotificationActionName(notification.action)), " ",
                                  notification.incident.number));
    }
    return told;
  }

  std::unique_ptr<Decider> decider_;
  std::vector<std::string> log_;
  std::vector<SignalChange> changes_;
  std::vector<Notification> notifications_;

 private:
  static std::string Changed(const std::string& state,
                             const std::function<void(SnapshotSections*)>& change) {
    absl::StatusOr<SnapshotSections> sections = SnapshotSections::Parse(state);
    EXPECT_TRUE(sections.ok()) << sections.status();
    if (!sections.ok()) return state;
    if (change) change(&*sections);
    SnapshotWriter out;
    for (std::size_t i = 0; i < kSnapshotSections; ++i) {
      out.Add(static_cast<SnapshotSection>(i), sections->content[i]);
    }
    for (const DetectorSection& detector : sections->detectors) out.Add(detector);
    return out.Take();
  }
  void Configure(const std::string& yaml) {
    decider_.reset();
    partition_.reset();
    setup_ = EngineSetup::From(yaml);
    ASSERT_NE(setup_, nullptr);
    decider_ = std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                         SequentialExecutor());
  }
  void NewPartition(const std::optional<SourceCommit>& commit) {
    SourcePartition::Options options;
    options.plan = &setup_->plan;
    options.input = "app";
    options.source = "app/0";
    options.decoder = std::make_unique<TextDecoder>();
    partition_ = std::make_unique<SourcePartition>(std::move(options));
    if (!commit) return;
    ASSERT_TRUE(partition_->Restore(*commit).ok());
    for (auto i = static_cast<std::size_t>(commit->offset); i < events_.size(); ++i) Feed(i);
  }
  void Feed(std::size_t i) {
    const auto offset = static_cast<std::int64_t>(i);
    partition_->Feed({.offset = offset, .next_offset = offset + 1, .bytes = events_[i]});
  }
  void Take(std::string record) {
    ASSERT_TRUE(decider_->Append(record).ok());
    log_.push_back(std::move(record));
    Decision decision;
    while (decider_->Step(&decision)) {
      for (SignalChange& change : decision.signals) changes_.push_back(std::move(change));
      for (Notification& one : decision.notifications) notifications_.push_back(std::move(one));
    }
  }

  std::unique_ptr<EngineSetup> setup_;
  std::unique_ptr<SourcePartition> partition_;
  std::vector<std::string> events_;
};

Traffic Fails(const std::string& failing, int from, int to = 1'000'000) {
  return [=](int second, const std::string& service) {
    const bool bad = service == failing && second >= from && second < to;
    return absl::StrCat("duration=20000 status=", bad ? 500 : 200);
  };
}

TEST_F(Relearning, WhatFiresFiresOnWhateverIsLost) {
  struct Loss {
    std::string name, yaml, reason;
    std::function<void(SnapshotSections*)> change;
  };
  const std::vector<Loss> losses = {
      {"a threshold", Replaced(kYaml, "above: 5%", "above: 6%"),
       "errors: its configuration changed", nullptr},
      {"a level that is gone",
       Replaced(kYaml, "warn: {above: 5%, window: 30s, for: 0s, level: 2}", ""),
       "errors: its configuration changed", nullptr},
      {"a version", kYaml, "errors: its state has version 0 and this build keeps version 1",
       [](SnapshotSections* sections) { sections->detectors[0].state_version = 0; }},
      {"a state that is damaged", kYaml, "errors: its state cannot be read",
       [](SnapshotSections* sections) { sections->detectors[0].state.remove_suffix(1); }},
      {"a state that is empty", kYaml, "errors: its state cannot be read",
       [](SnapshotSections* sections) { sections->detectors[0].state = ""; }},
  };
  for (const Loss& loss : losses) {
    for (const bool relearn : {true, false}) {
      SCOPED_TRACE(absl::StrCat(loss.name, relearn ? "" : ", with no panes to learn from"));
      Start();
      Run(0, 700, Fails("a", 600));
      const std::map<std::string, std::string> open = Open();
      ASSERT_THAT(open, SizeIs(1));
      Restart(loss.yaml, loss.change, relearn);
      EXPECT_THAT(Lost(), ElementsAre(loss.reason));
      EXPECT_EQ(Open(), open);
      // It goes on for a while, then it is over.
      Run(700, 800, Fails("a", 600));
      EXPECT_THAT(Told(), IsEmpty());
      EXPECT_EQ(Open(), open);
      for (const SignalChange& change : changes_) {
        EXPECT_EQ(change.kind, SignalChangeKind::kRaised) << change.signal.detector;
      }
      changes_.clear();
      Run(800, 960, Fails("a", 600, 800));
      EXPECT_THAT(Told(), ElementsAre(absl::StrCat("resolve ", open.begin()->second)));
      EXPECT_THAT(Open(), IsEmpty());
      EXPECT_THAT(changes_, SizeIs(1));
    }
  }
}

TEST_F(Relearning, WhatIsOverMeanwhileClears) {
  Start();
  Run(0, 700, Fails("a", 600));
  const std::map<std::string, std::string> open = Open();
  ASSERT_THAT(open, SizeIs(1));
  Restart(Replaced(kYaml, "above: 5%", "above: 6%"), nullptr);
  Run(700, 860, Fails("a", 600, 700));
  EXPECT_THAT(Told(), ElementsAre(absl::StrCat("resolve ", open.begin()->second)));
  EXPECT_THAT(Open(), IsEmpty());
}

// A baseline that was learned again knows what is usual; one that was not would call the first pane
// usual.
TEST_F(Relearning, ABaselineIsLearnedFromThePanesBeforeTheIncident) {
  const auto slow = [](int from) {
    return [=](int second, const std::string& service) {
      return absl::StrCat("status=200 duration=",
                          service == "b" && second >= from ? 400'000 : 20'000);
    };
  };
  for (const bool relearn : {true, false}) {
    Start();
    Run(0, 4'000, slow(1'000'000));
    ASSERT_THAT(Open(), IsEmpty());
    Restart(
        kYaml, [](SnapshotSections* sections) { sections->detectors[1].state_version = 0; },
        relearn);
    Run(4'000, 4'300, slow(4'020));
    EXPECT_THAT(Open(), SizeIs(relearn ? 1 : 0));
  }
}

TEST_F(Relearning, ADetectorThatIsNewLearnsToo) {
  Start();
  Run(0, 700, Fails("a", 600));
  ASSERT_THAT(Open(), SizeIs(1));
  const std::string both = absl::StrCat(kYaml, R"(
  - name: more
    kind: error_rate
    by: [service]
    warn: {above: 10%, window: 30s, for: 60s, level: 2}
)");
  Restart(both, nullptr);
  EXPECT_THAT(Lost(), ElementsAre("more: it is new"));
  // It says so with the next tick; `for` is long over.
  Run(700, 720, Fails("a", 600));
  ASSERT_THAT(changes_, SizeIs(1));
  EXPECT_EQ(changes_[0].signal.detector, "more");
  EXPECT_EQ(changes_[0].kind, SignalChangeKind::kFired);
  EXPECT_EQ(changes_[0].signal.onset, At(600));
}

TEST_F(Relearning, ASeriesThatIsNotInThePanesThatAreKeptFiresOn) {
  Start();
  Run(0, 700, Fails("a", 600));
  const std::map<std::string, std::string> open = Open();
  ASSERT_THAT(open, SizeIs(1));
  // Nothing comes from `a` any more, and the log forgets.
  log_.clear();
  const auto without_a = [](int, const std::string& service) {
    return std::string(service == "a" ? "type=metric" : "status=200");
  };
  Run(700, 720, without_a);
  Restart(kYaml, [](SnapshotSections* sections) { sections->detectors[0].state_version = 0; });
  Run(720, 800, without_a);
  EXPECT_EQ(Open(), open);
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace tocsin
