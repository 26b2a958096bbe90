#include "demo/demo.h"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cli/commands.h"
#include "config/config.h"
#include "core/number_text.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "demo/demo_kafka.h"
#include "demo/demo_outcome.h"
#include "demo/demo_screen.h"
#include "demo/demo_story.h"
#include "demo/demo_traffic.h"
#include "demo/pagerduty_standin.h"
#include "runtime/engine_setup.h"
#include "runtime/line_file.h"
#include "service/pipeline.h"

namespace tocsin {
namespace {

constexpr absl::Duration kFrame = absl::Milliseconds(25);
// How far the story may run ahead of the engine: four minutes of it are a tenth of what the broker
// keeps of a partition.
constexpr DurationUs kAheadMax = 4 * kMinuteUs;
// The engine decides this much before the end of the story: the input's delay and two panes.
constexpr DurationUs kUndecidedEnd = 30 * kSecondUs;
// Past this something is stuck.
constexpr absl::Duration kStuckAfter = absl::Seconds(30);

constexpr char kRoutingKeyVariable[] = "TOCSIN_DEMO_ROUTING_KEY";
constexpr char kRoutingKey[] = "0123456789abcdef0123456789abcdef";

// When the story is where: quiet stretches fly, the minutes that matter can be watched.
struct Stretch {
  TimeUs until;
  double seconds;
};
constexpr Stretch kPace[] = {
    {story::At(20, 58), 3}, {story::At(21, 4), 4},  {story::At(21, 8), 8}, {story::At(21, 19), 4},
    {story::At(21, 22), 3}, {story::At(21, 28), 3}, {story::kEnd, 1},
};

TimeUs PositionAt(double seconds) {
  TimeUs from = story::kStart;
  for (const Stretch& stretch : kPace) {
    if (seconds < stretch.seconds) {
      return from + static_cast<DurationUs>(static_cast<double>(stretch.until - from) * seconds /
                                            stretch.seconds);
    }
    seconds -= stretch.seconds;
    from = stretch.until;
  }
  return story::kEnd;
}

std::string ConfigText(const std::string& brokers, const std::string& url) {
  return absl::StrCat(R"(extends: "@rupaya"
inputs:
  - name: rupaya
    kafka: {brokers: ")",
                      brokers, "\", topics: [", ToAbsl(StoryTopicName(StoryTopic::kRequests)), ", ",
                      ToAbsl(StoryTopicName(StoryTopic::kPlatform)),
                      R"(], group: tocsin-demo, start: earliest}
    format: json
topology:
  "*": null  # known here, so nothing has to be assumed
  api: [rupaya-db]
  payments: [rupaya-db, card-gateway]
  notifications: [rupaya-cache]
sinks:
  - {name: oncall, kind: pagerduty, routing_key_env: )",
                      kRoutingKeyVariable, ", url: \"", url, R"("}
routes:
  - {match: {level: [1, 2]}, to: [oncall]}
listen: "off"
)");
}

int Explain(const absl::Status& status) {
  std::fprintf(stderr, "tocsin: %s\n", std::string(status.message()).c_str());
  return kEnvironment;
}

// Only what goes wrong: the demo's output is its own.
void LogErrorsToStderr() {
  auto logger =
      std::make_shared<spdlog::logger>("tocsin", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::err);
  spdlog::set_default_logger(std::move(logger));
}

// What happens on other threads, until the one that prints takes it.
class Inbox {
 public:
  void Put(const Decision& decision) {
    absl::MutexLock lock(&mutex_);
    decisions_.push_back(decision);
  }
  void Put(const PagerDutyStandIn::Request& request) {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
  }
  std::vector<Decision> TakeDecisions() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(decisions_, {});
  }
  std::vector<PagerDutyStandIn::Request> TakeRequests() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(requests_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<Decision> decisions_ ABSL_GUARDED_BY(mutex_);
  std::vector<PagerDutyStandIn::Request> requests_ ABSL_GUARDED_BY(mutex_);
};

class Demo {
 public:
  explicit Demo(const DemoOptions& options)
      : options_(options),
        screen_(options.out),
        pagerduty_({.on_request = [this](const auto& request) { inbox_.Put(request); }}) {}

  absl::Status Play();
  // The end of the story in words, and whether it is as promised.
  int Conclude();

 private:
  absl::Status Start();
  void Intro(const std::string& brokers);
  absl::Status Stream();
  absl::Status ProduceUntil(TimeUs position);
  absl::Status Settle();
  void Show();
  void ShowTraffic(TimeUs until);
  void ShowLive();

  const DemoOptions options_;
  Inbox inbox_;
  DemoScreen screen_;
  DemoOutcome outcome_;
  TrafficMeter meter_;
  DemoStory story_;
  StoryRecord next_;
  bool more_ = false;
  std::vector<std::pair<TimeUs, std::string>> notes_;  // not yet printed
  std::int64_t events_ = 0;
  absl::Time started_;
  PipelineStatus status_;
  Config config_;
  PagerDutyStandIn pagerduty_;
  std::unique_ptr<DemoKafka> kafka_;
  std::unique_ptr<Pipeline> pipeline_;  // last: it uses all the others
};

absl::Status Demo::Play() {
  TOCSIN_RETURN_IF_ERROR(Start());
  absl::Status status = Stream();
  if (status.ok()) status = Settle();
  status.Update(pipeline_->Stop());
  Show();
  return status;
}

absl::Status Demo::Start() {
  TOCSIN_RETURN_IF_ERROR(pagerduty_.Start());
  std::vector<std::string> topics;
  for (const StoryTopic topic : {StoryTopic::kRequests, StoryTopic::kPlatform}) {
    topics.emplace_back(StoryTopicName(topic));
  }
  TOCSIN_ASSIGN_OR_RETURN(kafka_, DemoKafka::New(topics, kStoryPartitions));
  const std::string brokers = kafka_->brokers();
  setenv(kRoutingKeyVariable, kRoutingKey, /*overwrite=*/1);
  ErrorList errors;
  std::optional<Config> config =
      LoadConfigText(ConfigText(brokers, pagerduty_.url()), "demo", &errors);
  if (!config) return absl::InternalError(ErrorsText(errors));
  config_ = *std::move(config);
  Intro(brokers);
  Pipeline::Options options;
  options.config = &config_;
  options.on_decision = [this](const Decision& decision) { inbox_.Put(decision); };
  options.memory_journal = true;
  pipeline_ = std::make_unique<Pipeline>(std::move(options));
  started_ = absl::Now();
  return pipeline_->Start();
}

void Demo::Intro(const std::string& brokers) {
  screen_.Print(absl::StrFormat(
      "\n  tocsin demo: a deploy leaks database connections, and an engineer is paged.\n\n"
      "    Kafka       %s, in this process; 2 topics with %d partitions each\n"
      "    PagerDuty   %s, a stand-in in this process\n"
      "    runbook     the built-in profile @rupaya\n"
      "    story       %s, %s to %s UTC, in about half a minute;\n"
      "                each line shows the minute up to its time\n\n",
      brokers, kStoryPartitions, pagerduty_.url(), FormatTime(story::kDay).substr(0, 10),
      FormatClock(story::kStart).substr(0, 5), FormatClock(story::kEnd).substr(0, 5)));
}

absl::Status Demo::Stream() {
  more_ = story_.Next(&next_);
  double seconds = 0;  // of the show
  absl::Time last = absl::Now();
  absl::Time moved = last;
  while (more_) {
    status_ = pipeline_->Snapshot();
    const TimeUs decided = std::max(status_.last_tick, story::kStart);
    const TimeUs position = PositionAt(seconds);
    TOCSIN_RETURN_IF_ERROR(ProduceUntil(std::min(position, decided + kAheadMax)));
    Show();
    absl::SleepFor(kFrame);
    TOCSIN_RETURN_IF_ERROR(pipeline_->status());
    const absl::Time now = absl::Now();
    if (position <= decided + kAheadMax) {
      seconds += absl::ToDoubleSeconds(now - last) * options_.hurry;
      moved = now;
    }
    last = now;
    if (now - moved > kStuckAfter) return absl::DeadlineExceededError("the engine does not read");
  }
  return kafka_->Flush(kStuckAfter);
}

absl::Status Demo::ProduceUntil(TimeUs position) {
  while (more_ && next_.time < position) {
    meter_.Add(next_);
    if (!next_.note.empty()) notes_.emplace_back(next_.time, next_.note);
    TOCSIN_RETURN_IF_ERROR(
        kafka_->Produce(StoryTopicName(next_.topic), next_.partition, next_.time, next_.json));
    ++events_;
    more_ = story_.Next(&next_);
  }
  return absl::OkStatus();
}

// The last ticks are decided and the last requests answered.
absl::Status Demo::Settle() {
  const absl::Time deadline = absl::Now() + kStuckAfter;
  for (;;) {
    status_ = pipeline_->Snapshot();
    Show();
    if (status_.last_tick >= story::kEnd - kUndecidedEnd && status_.deliveries_pending == 0) {
      return absl::OkStatus();
    }
    TOCSIN_RETURN_IF_ERROR(pipeline_->status());
    if (absl::Now() > deadline)
      return absl::DeadlineExceededError("the story did not come to an end");
    absl::SleepFor(kFrame);
  }
}

// Rows of traffic appear once the engine has decided them, so that the screen is in order of time.
void Demo::Show() {
  for (const Decision& decision : inbox_.TakeDecisions()) {
    outcome_.Add(decision);
    ShowTraffic(decision.tick);
    screen_.Decided(decision);
  }
  for (const PagerDutyStandIn::Request& request : inbox_.TakeRequests()) screen_.Paged(request);
  ShowTraffic(status_.last_tick);
  ShowLive();
}

void Demo::ShowTraffic(TimeUs until) {
  for (;;) {
    const TimeUs noted = notes_.empty() ? story::kEnd : notes_.front().first;
    if (std::optional<TrafficRow> row = meter_.Take(std::min(until, noted))) {
      screen_.Row(*row);
    } else if (noted <= until && !notes_.empty()) {
      screen_.Note(noted, notes_.front().second);
      notes_.erase(notes_.begin());
    } else {
      return;
    }
  }
}

void Demo::ShowLive() {
  if (status_.last_tick == kNoTime) {
    screen_.Live("waiting for the consumer group …");
    return;
  }
  screen_.Live(absl::StrFormat("%s  %s events through Kafka, %d series, incidents open: %d",
                               FormatClock(status_.last_tick), GroupedNumber(events_),
                               status_.series, status_.open_incidents));
}

int Demo::Conclude() {
  for (const auto& [number, incident] : outcome_.incidents()) screen_.Summary(incident);
  const std::vector<PagerDutyStandIn::Page> pages = pagerduty_.Pages();
  const auto resolved =
      std::count_if(pages.begin(), pages.end(), [](const auto& page) { return page.resolved; });
  screen_.Print(absl::StrFormat(
      "    pages     %d, one for each level; %d of them resolved; %d requests to PagerDuty\n"
      "    engine    %s events through Kafka in %.0f s\n\n",
      pages.size(), resolved, pagerduty_.Requests().size(), GroupedNumber(events_),
      absl::ToDoubleSeconds(absl::Now() - started_)));

  const std::vector<std::string> complaints = outcome_.Complaints(pages, pagerduty_.Rejected());
  for (const std::string& complaint : complaints) {
    std::fprintf(stderr, "tocsin: the demo did not come out as promised: %s\n", complaint.c_str());
  }
  if (!complaints.empty()) return kFinding;
  screen_.Print(
      "  As promised: one incident, one page for each level, all resolved. Next:\n"
      "    tocsin demo --write story.jsonl\n"
      "    tocsin replay -c @rupaya story.jsonl --incidents -\n\n");
  return kDone;
}

int WriteStory(const std::string& path) {
  absl::StatusOr<LineFile> file = LineFile::Create(path);
  if (!file.ok()) return Explain(file.status());
  DemoStory story;
  StoryRecord record;
  std::int64_t events = 0;
  for (; story.Next(&record); ++events) file->Write(record.json);
  const absl::Status closed = file->Close();
  if (!closed.ok()) return Explain(closed);
  std::fprintf(stderr, "%s events written\n", GroupedNumber(events).c_str());
  return kDone;
}

int RunStandIn(int port, std::FILE* out) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  // Before any thread starts, so that all inherit it and only sigwait below takes the signal.
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  PagerDutyStandIn pagerduty({.address = absl::StrCat("127.0.0.1:", port),
                              .on_request = [out](const PagerDutyStandIn::Request& request) {
                                std::fprintf(out, "%s\n", request.body.c_str());
                                std::fflush(out);
                              }});
  const absl::Status started = pagerduty.Start();
  if (!started.ok()) return Explain(started);
  std::fprintf(stderr, "a stand-in for PagerDuty listens at %s; Ctrl-C ends it\n",
               pagerduty.url().c_str());
  int received = 0;
  sigwait(&stop, &received);
  pagerduty.Stop();
  return kDone;
}

}  // namespace

int RunDemo(const DemoOptions& options) {
  if (!options.write_path.empty()) return WriteStory(options.write_path);
  if (options.stand_in_port) return RunStandIn(*options.stand_in_port, options.out);
  LogErrorsToStderr();
  Demo demo(options);
  const absl::Status played = demo.Play();
  if (!played.ok()) return Explain(played);
  return demo.Conclude();
}

}  // namespace tocsin
