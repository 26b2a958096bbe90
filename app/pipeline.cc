#include "app/pipeline.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "app/dead_letters.h"
#include "app/decision_loop.h"
#include "app/deliverer.h"
#include "app/file_input.h"
#include "app/kafka_input.h"
#include "app/private_files.h"
#include "app/reader.h"
#include "app/receiver.h"
#include "app/self_alarm.h"
#include "app/watch.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "replay/engine_setup.h"
#include "replay/tbb_executor.h"

namespace tocsin {
namespace {

// How long each part of a stop may take where something is slow; together below ten seconds.
constexpr absl::Duration kReadGrace = absl::Seconds(3);
constexpr absl::Duration kWriteGrace = absl::Seconds(1);
constexpr absl::Duration kDecideGrace = absl::Seconds(2);
constexpr absl::Duration kDeliveryGrace = absl::Seconds(3);
// How often sources are judged, and the whole is looked at.
constexpr absl::Duration kWatchEvery = absl::Milliseconds(50);
constexpr DurationUs kLookEvery = kSecondUs;

}  // namespace

class Pipeline::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {}
  ~Impl() { Stop().IgnoreError(); }

  absl::Status Start();
  absl::Status Stop();
  bool Finished() const;
  bool hung() const { return hung_.load(std::memory_order_relaxed); }
  absl::Status status() const {
    absl::MutexLock lock(&mutex_);
    return status_;
  }
  PipelineStatus Snapshot() const;
  const IncidentBook& incidents() const { return book_; }
  std::uint16_t http_port() const { return receiver_ ? receiver_->port() : 0; }
  const TimeSource& time() const { return time_; }
  std::vector<Silence> silences() const {
    return built_.load(std::memory_order_acquire) ? loop_->Status().silences
                                                  : std::vector<Silence>();
  }
  absl::Status Submit(const Act& act);
  absl::Status Reload();
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const {
    return built_.load(std::memory_order_acquire) ? deliverer_->DeliveriesOf(incident)
                                                  : std::vector<Delivery>();
  }
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident) {
    if (built_.load(std::memory_order_acquire)) return deliverer_->RetryParked(incident);
    return absl::UnavailableError("unavailable: starting up");
  }

 private:
  absl::Status Build();
  std::vector<std::string> SinkNames() const;
  // Empty unless every input runs: what one that has failed would find is not known.
  std::vector<std::string> SourceNames() const;
  absl::Status OpenJournal();
  std::vector<Reader::InputMaker> InputMakers();
  std::unique_ptr<Input> MakeInput(const InputConfig& input);
  // The watching thread: looks after all others until the reading ends.
  void WatchLoop();
  // Of the batch log, whose disk the deliveries are on, too.
  BatchLog::Health DiskHealth() const;
  WatchedState LookAtAll();
  void DecideLoop();
  void Fail(const absl::Status& status) {
    if (status.ok()) return;
    spdlog::error("{}", std::string(status.message()));
    absl::MutexLock lock(&mutex_);
    status_.Update(status);
  }

  Options options_;
  TimeSource time_;
  IncidentBook book_;
  std::unique_ptr<EngineSetup> setup_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<Receiver> receiver_;  // where there are inputs by HTTP; outlives their readers
  std::unique_ptr<Deliverer> deliverer_;
  std::unique_ptr<Decider> decider_;
  std::unique_ptr<BatchLog> log_;
  std::unique_ptr<DecisionLoop> loop_;
  std::unique_ptr<SelfAlarm> self_alarm_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Reader> reader_;
  std::atomic<bool> stopping_{false};  // relaxed: only asks the watching thread to leave its loop
  // Release once what the HTTP thread reads is there, acquire where it does.
  std::atomic<bool> built_{false};
  std::atomic<bool> accepting_{false};  // acts; true only between built_ and the reader's end
  std::atomic<bool> hung_{false};       // relaxed: set and read by who stops
  std::thread watching_;
  std::thread deciding_;
  bool started_ = false;
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool decided_ ABSL_GUARDED_BY(mutex_) = true;  // nothing more will be
};

absl::Status Pipeline::Impl::OpenJournal() {
  if (options_.memory_journal) {
    // Nobody comes back to learn from old panes.
    journal_ = NewMemoryJournal({.batches_time = 0, .batches_bytes = 0});
    return absl::OkStatus();
  }
  const std::string& directory = options_.config->state_dir;
  TOCSIN_RETURN_IF_ERROR(MakePrivateDirectory(directory));
  TOCSIN_ASSIGN_OR_RETURN(journal_,
                          OpenSqliteJournal(directory, {.writer = "tocsin " TOCSIN_VERSION}));
  dead_letters_ = std::make_unique<DeadLetters>(directory + "/dead-letters.jsonl");
  return absl::OkStatus();
}

std::vector<Reader::InputMaker> Pipeline::Impl::InputMakers() {
  std::vector<Reader::InputMaker> makers;
  for (const InputConfig& input : options_.config->inputs) {
    makers.push_back({.name = input.name, .make = [this, &input] { return MakeInput(input); }});
  }
  return makers;
}

std::unique_ptr<Input> Pipeline::Impl::MakeInput(const InputConfig& input) {
  if (input.kafka) {
    return std::make_unique<KafkaInput>(&input, setup_.get(), dead_letters_.get(), &time_,
                                        TbbExecutor({.threads = options_.threads, .grain = 1}));
  }
  RecordLog* const log = receiver_ ? receiver_->LogOf(input.name) : nullptr;
  return std::make_unique<FileFollower>(&input, setup_.get(), log_.get(), dead_letters_.get(), log,
                                        &time_);
}

absl::Status Pipeline::Impl::Build() {
  ErrorList errors;
  setup_ = EngineSetup::Build(options_.config, &errors);
  sinks_ = NewSinks(*options_.config, &errors);
  if (!errors.empty()) return absl::InvalidArgumentError(ErrorsText(errors));
  if (options_.config->inputs.empty()) {
    return absl::InvalidArgumentError(options_.config->source +
                                      ": no inputs: name a Kafka topic or a file under `inputs:`");
  }
  TOCSIN_RETURN_IF_ERROR(OpenJournal());
  if (Receiver::IsNeeded(*options_.config)) {
    TOCSIN_ASSIGN_OR_RETURN(
        receiver_,
        Receiver::Open(options_.config, {.now = [this] { return time_.Wall(); },
                                         .monotonic = [this] { return time_.Monotonic(); },
                                         .fetch = nullptr}));
    TOCSIN_RETURN_IF_ERROR(receiver_->Start());
  }
  deliverer_ = std::make_unique<Deliverer>(options_.config->routes, sinks_, journal_.get(), &time_);
  decider_ = std::make_unique<Decider>(options_.config, &setup_->plan, &setup_->detectors,
                                       TbbExecutor({.threads = options_.threads}));
  log_ = std::make_unique<BatchLog>(BatchLog::Options{.journal = journal_.get(), .time = &time_});
  loop_ = std::make_unique<DecisionLoop>(
      DecisionLoop::Options{.decider = decider_.get(),
                            .journal = journal_.get(),
                            .log = log_.get(),
                            .deliverer = deliverer_.get(),
                            .time = &time_,
                            .signals_path = options_.signals_path,
                            .incidents_path = options_.incidents_path,
                            .on_decision = options_.on_decision,
                            .book = &book_,
                            .sources = [this] { return SourceNames(); },
                            .sinks = SinkNames()});
  self_alarm_ = std::make_unique<SelfAlarm>(
      SelfAlarm::Options{.config = options_.config, .sinks = &sinks_, .time = &time_});
  watch_ = std::make_unique<Watch>(Watch::Options{
      .config = options_.config, .time = &time_, .alarm = self_alarm_.get(), .log = log_.get()});
  return absl::OkStatus();
}

std::vector<std::string> Pipeline::Impl::SinkNames() const {
  std::vector<std::string> names;
  for (const std::unique_ptr<Sink>& sink : sinks_) names.push_back(sink->name());
  return names;
}

std::vector<std::string> Pipeline::Impl::SourceNames() const {
  std::vector<std::string> names;
  if (!built_.load(std::memory_order_acquire)) return names;
  for (const InputStatus& input : reader_->Inputs()) {
    if (input.state != InputStatus::State::kRunning && input.state != InputStatus::State::kEnded) {
      return {};
    }
    for (const SourceStatus& source : input.sources) names.push_back(source.source);
    names.insert(names.end(), input.known.begin(), input.known.end());
  }
  return names;
}

absl::Status Pipeline::Impl::Start() {
  TOCSIN_RETURN_IF_ERROR(Build());
  TOCSIN_RETURN_IF_ERROR(deliverer_->Start());
  TOCSIN_RETURN_IF_ERROR(self_alarm_->Start());
  started_ = true;
  // No page until state is restored: notifications of ticks decided again are recognised by their
  // ids.
  TOCSIN_RETURN_IF_ERROR(loop_->Recover());
  TOCSIN_RETURN_IF_ERROR(log_->Start());
  const TimeUs next_tick = decider_->assembler().next_tick();
  reader_ = std::make_unique<Reader>(Reader::Options{
      .inputs = InputMakers(),
      .plan = &setup_->plan,
      .log = log_.get(),
      .time = &time_,
      .known_sources = decider_->assembler().Sources(),
      .decided_tick = next_tick == kNoTime ? kNoTime : next_tick - setup_->plan.pane()});
  reader_->Start();
  built_.store(true, std::memory_order_release);
  accepting_.store(true, std::memory_order_release);
  {
    absl::MutexLock lock(&mutex_);
    decided_ = false;
  }
  deciding_ = std::thread([this] { DecideLoop(); });
  watching_ = std::thread([this] { WatchLoop(); });
  return absl::OkStatus();
}

void Pipeline::Impl::WatchLoop() {
  TimeUs looked_at = time_.Monotonic();
  while (!stopping_.load(std::memory_order_relaxed) && !reader_->ended()) {
    time_.Observe();
    reader_->Turn();
    if (const absl::Status refused = reader_->status(); !refused.ok()) {
      Fail(refused);
      break;
    }
    if (time_.Monotonic() - looked_at >= kLookEvery) {
      looked_at = time_.Monotonic();
      watch_->Turn(LookAtAll());
    }
    absl::SleepFor(kWatchEvery);
  }
  accepting_.store(false, std::memory_order_release);
  if (!reader_->Stop(kReadGrace)) hung_.store(true, std::memory_order_relaxed);
  log_->Close();
}

BatchLog::Health Pipeline::Impl::DiskHealth() const {
  BatchLog::Health health = log_->GetHealth();
  const WriteHealth deliveries = deliverer_->health();
  health.disk.bytes += deliveries.bytes;
  if (health.disk.failing_since == kNoTime) {
    health.disk.error = deliveries.error;
    health.disk.failing_since = deliveries.failing_since;
  }
  return health;
}

WatchedState Pipeline::Impl::LookAtAll() {
  return {.inputs = reader_->Inputs(),
          .excluded = reader_->ExcludedSources(),
          .losses = reader_->TakeLosses(),
          .log = DiskHealth(),
          .durable = log_->durable(),
          .decided = loop_->Status().through,
          .delivery_turns = deliverer_->turns()};
}

void Pipeline::Impl::DecideLoop() {
  while (std::optional<BatchLog::Set> batches = log_->Pop()) loop_->Take(*batches);
  Fail(loop_->Finish());
  absl::MutexLock lock(&mutex_);
  decided_ = true;
}

absl::Status Pipeline::Impl::Submit(const Act& act) {
  if (!accepting_.load(std::memory_order_acquire)) {
    return absl::UnavailableError("unavailable: starting up or shutting down");
  }
  return reader_->Submit(act);
}

absl::Status Pipeline::Impl::Reload() {
  absl::Status status;
  ErrorList errors;
  std::vector<std::unique_ptr<Sink>> sinks = NewSinks(*options_.config, &errors);
  std::vector<std::unique_ptr<Sink>> for_alarm = NewSinks(*options_.config, &errors);
  if (errors.empty()) {
    deliverer_->ReplaceSinks(std::move(sinks));
    self_alarm_->ReplaceSinks(std::move(for_alarm));
  } else {
    status = absl::InvalidArgumentError(ErrorsText(errors));
  }
  if (receiver_) status.Update(receiver_->Reload());
  return status;
}

bool Pipeline::Impl::Finished() const {
  {
    absl::MutexLock lock(&mutex_);
    if (!decided_) return false;
  }
  return built_.load(std::memory_order_acquire) && deliverer_->pending() == 0;
}

absl::Status Pipeline::Impl::Stop() {
  if (hung()) return status();
  if (receiver_) receiver_->Stop();
  stopping_.store(true, std::memory_order_relaxed);
  if (watching_.joinable()) watching_.join();
  if (log_ && !log_->Stop(kWriteGrace)) hung_.store(true, std::memory_order_relaxed);
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&decided_), kDecideGrace)) {
      hung_.store(true, std::memory_order_relaxed);
    }
  }
  if (!hung() && deciding_.joinable()) deciding_.join();
  if (started_) {
    if (!deliverer_->Stop(kDeliveryGrace)) hung_.store(true, std::memory_order_relaxed);
    self_alarm_->Stop(absl::ZeroDuration());
  }
  started_ = false;
  return status();
}

PipelineStatus Pipeline::Impl::Snapshot() const {
  PipelineStatus out;
  out.not_ready = "starting up";
  if (!built_.load(std::memory_order_acquire)) return out;
  const DecisionLoop::View decided = loop_->Status();
  out.inputs = reader_->Inputs();
  out.excluded = reader_->ExcludedSources();
  out.received = reader_->received();
  out.decided = decided.counters;
  out.series = decided.series;
  out.series_over_limit = decided.series_over_limit;
  out.open_incidents = decided.open_incidents;
  out.last_tick = decided.last_tick;
  out.snapshots = decided.snapshots;
  out.lines_left_out = decided.lines_left_out;
  out.journal = decided.journal;
  out.times = decided.times;
  out.unreadable_batches = decided.unreadable;
  out.gaps = decided.gaps;
  if (receiver_) {
    out.posted = receiver_->Counters();
    out.connections["inputs"] = receiver_->connections();
  }
  out.log = DiskHealth();
  out.queued_batches = out.log.undecided;
  out.blind = watch_->blindness();
  out.clock_steps = time_.steps();
  out.clock_deviation = time_.deviation();
  out.heartbeats = self_alarm_->counters().heartbeats;
  out.deliveries = deliverer_->counters();
  out.deliveries_pending = deliverer_->pending();
  out.not_ready.clear();
  for (const InputStatus& input : out.inputs) {
    out.kafka_errors += input.errors;
    out.skipped_records += input.skipped;
    const bool runs =
        input.state == InputStatus::State::kRunning || input.state == InputStatus::State::kEnded;
    if ((!runs || !input.assigned) && out.not_ready.empty()) {
      out.not_ready = "input " + input.name + ": " +
                      (!input.reason.empty() ? input.reason
                       : runs                ? "partitions not assigned"
                                             : std::string(InputStateName(input.state)));
    }
    out.sources.insert(out.sources.end(), input.sources.begin(), input.sources.end());
  }
  out.assigned = out.not_ready.empty();
  const TimeUs now = time_.Wall();
  for (const SourceStatus& source : out.sources) {
    if (source.at_end) continue;
    out.lag = source.clock == kNoTime ? kWeekUs : std::max(out.lag, now - source.clock);
  }
  out.caught_up = out.lag <= options_.config->ready_lag_max;
  return out;
}

Pipeline::Pipeline(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Pipeline::~Pipeline() = default;
absl::Status Pipeline::Start() { return impl_->Start(); }
bool Pipeline::Finished() const { return impl_->Finished(); }
bool Pipeline::hung() const { return impl_->hung(); }
const TimeSource& Pipeline::time() const { return impl_->time(); }
absl::Status Pipeline::status() const { return impl_->status(); }
PipelineStatus Pipeline::Snapshot() const { return impl_->Snapshot(); }
absl::Status Pipeline::Stop() { return impl_->Stop(); }
const IncidentBook& Pipeline::incidents() const { return impl_->incidents(); }
std::uint16_t Pipeline::http_port() const { return impl_->http_port(); }
std::vector<Silence> Pipeline::silences() const { return impl_->silences(); }
absl::Status Pipeline::Submit(const Act& act) { return impl_->Submit(act); }
absl::Status Pipeline::Reload() { return impl_->Reload(); }
std::vector<Delivery> Pipeline::DeliveriesOf(const Hash128& incident) const {
  return impl_->DeliveriesOf(incident);
}
absl::StatusOr<std::size_t> Pipeline::RetryParked(const Hash128& incident) {
  return impl_->RetryParked(incident);
}

}  // namespace tocsin
