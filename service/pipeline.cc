#include "service/pipeline.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "runtime/engine_setup.h"
#include "runtime/tbb_executor.h"
#include "service/dead_letters.h"
#include "service/decision_loop.h"
#include "service/deliverer.h"
#include "service/file_input.h"
#include "service/forgotten_sources.h"
#include "service/http_in/receiver.h"
#include "service/kafka_input.h"
#include "service/reader.h"
#include "service/self_alarm.h"
#include "service/watch.h"
#include "system/await_for.h"

namespace tocsin {
namespace {

// Time limits for the parts of a stop; together below ten seconds.
constexpr absl::Duration kReadGrace = absl::Seconds(3);
constexpr absl::Duration kWriteGrace = absl::Seconds(1);
constexpr absl::Duration kDecideGrace = absl::Seconds(2);
constexpr absl::Duration kDeliveryGrace = absl::Seconds(3);
// How often sources are judged, and how often the watch checks everything.
constexpr absl::Duration kWatchEvery = absl::Milliseconds(50);
constexpr DurationUs kLookEvery = kSecondUs;
// A state that cannot be opened is retried after kOpenEvery, and logged again after kComplainEvery.
constexpr DurationUs kOpenEvery = kSecondUs;
constexpr DurationUs kComplainEvery = kMinuteUs;
// Opening a journal takes milliseconds, migrating one of an earlier version takes seconds.
constexpr DurationUs kOpenMax = 5 * kSecondUs;

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
  bool running() const { return built_.load(std::memory_order_acquire); }
  std::uint16_t http_port() const { return running() && receiver_ ? receiver_->port() : 0; }
  const TimeSource& time() const { return time_; }
  std::vector<Silence> silences() const {
    return running() ? loop_->Status().silences : std::vector<Silence>();
  }
  absl::Status Submit(const OperatorAction& action);
  absl::Status Reload();
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const {
    return running() ? deliverer_->DeliveriesOf(incident) : std::vector<Delivery>();
  }
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident) {
    if (running()) return deliverer_->RetryParked(incident);
    return absl::UnavailableError("unavailable: starting up");
  }

 private:
  // The progress of opening the state.
  struct Opening {
    bool begun = false;              // the watch exists
    bool tried = false;              // at least once
    bool again = false;              // it will be retried
    absl::Status status = {};        // of the last attempt
    TimeUs failing_since = kNoTime;  // monotonic
    TimeUs journal_since = kNoTime;  // while the journal is being opened
  };

  // All preparations that need no disk.
  absl::Status Prepare();
  // Tries on the deciding thread until the state is open. False if that is impossible, or when
  // stopping.
  bool Open();
  // Opens the journal and restores from it. After a failure call CloseState.
  absl::Status OpenState();
  // False if a write hangs.
  bool CloseState();
  // Cancelled when stopping.
  absl::Status StartReading();
  // Why the state is not open; empty: no problem is known.
  std::string OpeningProblem() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> SinkNames() const;
  // Empty unless every input runs: the sources of a failed input are not known.
  std::vector<std::string> SourceNames() const;
  // Removes the files of sources without a position in the journal.
  void ForgetFolders(const std::vector<std::string>& sources);
  absl::Status OpenJournal();
  std::vector<Reader::InputMaker> InputMakers();
  std::unique_ptr<Input> MakeInput(const InputConfig& input);
  // The watching thread: watches all other threads until reading ends.
  void WatchLoop();
  // False: reading ends.
  bool TurnReader();
  // The health of the batch log; deliveries are on the same disk.
  BatchLog::Health DiskHealth() const;
  WatchedState LookAtAll();
  WatchedState LookAtTheOpening();
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
  std::unique_ptr<Receiver> receiver_;  // if there are HTTP inputs; outlives their readers
  std::unique_ptr<Deliverer> deliverer_;
  std::unique_ptr<Decider> decider_;
  std::unique_ptr<BatchLog> log_;
  std::unique_ptr<DecisionLoop> loop_;
  std::unique_ptr<SelfAlarm> self_alarm_;
  std::unique_ptr<Watch> watch_;
  KafkaInput::Earlier earlier_;  // set before reader_, then constant
  std::unique_ptr<Reader> reader_;
  std::atomic<bool> stopping_{false};  // relaxed: only asks the watching thread to leave its loop
  // Release once the state is open and everything that the HTTP thread reads exists; that thread
  // acquires.
  std::atomic<bool> built_{false};
  std::atomic<bool> accepting_{false};  // operator actions; from built_ to the reader's end
  std::atomic<bool> hung_{false};       // relaxed: set and read by the stopping thread
  std::thread watching_;
  std::thread deciding_;
  bool stopped_ = false;
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Opening opening_ ABSL_GUARDED_BY(mutex_);
  bool left_ ABSL_GUARDED_BY(mutex_) = false;    // no more reading
  bool reload_ ABSL_GUARDED_BY(mutex_) = false;  // reload once the state is open
  bool decided_ ABSL_GUARDED_BY(mutex_) = true;  // no more decisions
};

absl::Status Pipeline::Impl::OpenJournal() {
  if (options_.memory_journal) {
    // Old panes are not needed, since no later process relearns from them.
    journal_ = NewMemoryJournal({.batches_time = 0, .batches_bytes = 0});
    return absl::OkStatus();
  }
  const std::string& directory = options_.config->state_dir;
  const auto set_since = [this](TimeUs since) {
    absl::MutexLock lock(&mutex_);
    opening_.journal_since = since;
  };
  set_since(time_.Monotonic());
  absl::StatusOr<std::unique_ptr<Journal>> opened =
      OpenSqliteJournal(directory, {.writer = "tocsin " TOCSIN_VERSION});
  set_since(kNoTime);
  TOCSIN_ASSIGN_OR_RETURN(journal_, std::move(opened));
  dead_letters_ = std::make_unique<DeadLetters>(directory + "/dead-letters.jsonl");
  return absl::OkStatus();
}

void Pipeline::Impl::ForgetFolders(const std::vector<std::string>& sources) {
  if (options_.memory_journal) return;
  std::vector<std::string> http_inputs;
  for (const InputConfig& input : options_.config->inputs) {
    if (input.http) http_inputs.push_back(input.name);
  }
  const std::vector<std::string> removed =
      RemoveForgotten({.state_dir = options_.config->state_dir,
                       .present = sources,
                       .http_inputs = std::move(http_inputs),
                       .has_position =
                           [this](const std::string& source) {
                             const absl::StatusOr<std::optional<std::string>> position =
                                 log_->Position(source);
                             return !position.ok() || position->has_value();
                           },
                       .changed_before = time_.Wall() - limits::kAbsentMemory});
  for (const std::string& path : removed) {
    spdlog::info("removed {}: its source has not been there for a week", path);
  }
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
                                        TbbExecutor({.threads = options_.threads, .grain = 1}),
                                        earlier_);
  }
  RecordLog* const log = receiver_ ? receiver_->LogOf(input.name) : nullptr;
  return std::make_unique<FileFollower>(&input, setup_.get(), log_.get(), dead_letters_.get(), log,
                                        &time_);
}

absl::Status Pipeline::Impl::Prepare() {
  ErrorList errors;
  setup_ = EngineSetup::Build(options_.config, &errors);
  sinks_ = NewSinks(*options_.config, &errors);
  if (!errors.empty()) return absl::InvalidArgumentError(ErrorsText(errors));
  if (options_.config->inputs.empty()) {
    return absl::InvalidArgumentError(options_.config->source +
                                      ": no inputs: name a Kafka topic or a file under `inputs:`");
  }
  self_alarm_ = std::make_unique<SelfAlarm>(
      SelfAlarm::Options{.config = options_.config, .sinks = &sinks_, .time = &time_});
  watch_ = std::make_unique<Watch>(
      Watch::Options{.config = options_.config, .time = &time_, .alarm = self_alarm_.get()});
  return self_alarm_->Start();
}

absl::Status Pipeline::Impl::OpenState() {
  TOCSIN_RETURN_IF_ERROR(OpenJournal());
  if (Receiver::IsNeeded(*options_.config)) {
    TOCSIN_ASSIGN_OR_RETURN(
        receiver_,
        Receiver::Open(options_.config, {.now = [this] { return time_.Wall(); },
                                         .monotonic = [this] { return time_.Monotonic(); },
                                         .fetch = nullptr}));
  }
  deliverer_ = std::make_unique<Deliverer>(options_.config->routes, sinks_, journal_.get(), &time_);
  decider_ = std::make_unique<Decider>(options_.config, &setup_->plan, &setup_->detectors,
                                       TbbExecutor({.threads = options_.threads}));
  log_ = std::make_unique<BatchLog>(BatchLog::Options{.journal = journal_.get(), .time = &time_});
  loop_ = std::make_unique<DecisionLoop>(DecisionLoop::Options{
      .decider = decider_.get(),
      .journal = journal_.get(),
      .log = log_.get(),
      .deliverer = deliverer_.get(),
      .time = &time_,
      .signals_path = options_.signals_path,
      .incidents_path = options_.incidents_path,
      .on_decision = options_.on_decision,
      .book = &book_,
      .sources = [this] { return SourceNames(); },
      .sinks = SinkNames(),
      .forget = [this](const std::vector<std::string>& sources) { ForgetFolders(sources); }});
  TOCSIN_RETURN_IF_ERROR(deliverer_->Start());
  // Restore before any page: notifications of ticks that are decided again are recognised by their
  // ids.
  TOCSIN_RETURN_IF_ERROR(loop_->Recover());
  return log_->Start();
}

bool Pipeline::Impl::CloseState() {
  if (deliverer_ && !deliverer_->Stop(absl::ZeroDuration())) return false;
  loop_.reset();
  log_.reset();
  decider_.reset();
  deliverer_.reset();
  receiver_.reset();
  dead_letters_.reset();
  journal_.reset();
  return true;
}

std::vector<std::string> Pipeline::Impl::SinkNames() const {
  std::vector<std::string> names;
  for (const std::unique_ptr<Sink>& sink : sinks_) names.push_back(sink->name());
  return names;
}

std::vector<std::string> Pipeline::Impl::SourceNames() const {
  std::vector<std::string> names;
  if (!running()) return names;
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
  TOCSIN_RETURN_IF_ERROR(Prepare());
  {
    absl::MutexLock lock(&mutex_);
    opening_.begun = true;
    decided_ = false;
  }
  deciding_ = std::thread([this] { DecideLoop(); });
  watching_ = std::thread([this] { WatchLoop(); });
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&opening_.tried));
  return opening_.again ? absl::OkStatus() : opening_.status;
}

bool Pipeline::Impl::Open() {
  TimeUs complain_at = 0;
  while (true) {
    absl::Status opened = OpenState();
    bool again = Passes(opened);
    if (opened.ok()) opened = StartReading();
    if (!opened.ok() && !CloseState()) {
      hung_.store(true, std::memory_order_relaxed);
      again = false;
    }
    const TimeUs now = time_.Monotonic();
    bool first = false;
    {
      absl::MutexLock lock(&mutex_);
      first = !std::exchange(opening_.tried, true);
      opening_.again = again;
      opening_.status = opened;
      if (!again) {
        opening_.failing_since = kNoTime;
      } else if (opening_.failing_since == kNoTime) {
        opening_.failing_since = now;
      }
    }
    if (opened.ok()) {
      if (!first) spdlog::info("the state is open");
      return true;
    }
    if (!again) {
      // Start returns the first error itself.
      if (!first && !absl::IsCancelled(opened)) Fail(opened);
      return false;
    }
    if (now >= complain_at) {
      spdlog::error("cannot open the state, will retry: {}", std::string(opened.message()));
      complain_at = now + kComplainEvery;
    }
    while (time_.Monotonic() < now + kOpenEvery) {
      if (stopping_.load(std::memory_order_relaxed)) return false;
      absl::SleepFor(kWatchEvery);
    }
  }
}

absl::Status Pipeline::Impl::StartReading() {
  if (receiver_) TOCSIN_RETURN_IF_ERROR(receiver_->Start());
  const TimeUs next_tick = decider_->assembler().next_tick();
  bool reload = false;
  {
    absl::MutexLock lock(&mutex_);
    if (left_) return absl::CancelledError("shutting down");
    earlier_ = {.sources = decider_->assembler().Sources(),
                .tick = next_tick == kNoTime ? kNoTime : next_tick - setup_->plan.pane()};
    reader_ = std::make_unique<Reader>(Reader::Options{.inputs = InputMakers(),
                                                       .plan = &setup_->plan,
                                                       .log = log_.get(),
                                                       .time = &time_,
                                                       .known_sources = earlier_.sources,
                                                       .decided_tick = earlier_.tick});
    reader_->Start();
    built_.store(true, std::memory_order_release);
    accepting_.store(true, std::memory_order_release);
    reload = reload_;
  }
  if (!reload) return absl::OkStatus();
  if (const absl::Status reloaded = Reload(); !reloaded.ok()) {
    spdlog::error("cannot reload all secrets: {}", std::string(reloaded.message()));
  }
  return absl::OkStatus();
}

std::string Pipeline::Impl::OpeningProblem() const {
  absl::MutexLock lock(&mutex_);
  if (!opening_.status.ok()) {
    return absl::StrCat("the state cannot be opened: ", opening_.status.message());
  }
  if (opening_.journal_since == kNoTime || time_.Monotonic() - opening_.journal_since < kOpenMax) {
    return "";
  }
  return absl::StrCat("the state cannot be opened: it takes longer than ",
                      FormatDuration(kOpenMax));
}

bool Pipeline::Impl::TurnReader() {
  reader_->Turn();
  if (const absl::Status refused = reader_->status(); !refused.ok()) {
    Fail(refused);
    return false;
  }
  return !reader_->ended();
}

void Pipeline::Impl::WatchLoop() {
  TimeUs looked_at = time_.Monotonic();
  while (!stopping_.load(std::memory_order_relaxed)) {
    time_.Observe();
    const bool reads = running();
    if (reads && !TurnReader()) break;
    if (time_.Monotonic() - looked_at >= kLookEvery) {
      looked_at = time_.Monotonic();
      if (reads) watch_->Attach(log_.get());
      watch_->Turn(reads ? LookAtAll() : LookAtTheOpening());
    }
    absl::SleepFor(kWatchEvery);
  }
  {
    absl::MutexLock lock(&mutex_);
    left_ = true;
  }
  accepting_.store(false, std::memory_order_release);
  if (!running()) return;
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

WatchedState Pipeline::Impl::LookAtTheOpening() {
  WatchedState state;
  state.unopened = OpeningProblem();
  return state;
}

WatchedState Pipeline::Impl::LookAtAll() {
  const DecisionLoop::View decided = loop_->Status();
  return {.inputs = reader_->Inputs(),
          .excluded = reader_->ExcludedSources(),
          .losses = reader_->TakeLosses(),
          .lost_batches = decided.gaps + decided.unreadable,
          .log = DiskHealth(),
          .durable = log_->durable(),
          .decided = decided.through,
          .delivery_turns = deliverer_->turns()};
}

void Pipeline::Impl::DecideLoop() {
  if (Open()) {
    while (std::optional<BatchLog::Set> batches = log_->Pop()) loop_->Take(*batches);
    Fail(loop_->Finish());
  }
  absl::MutexLock lock(&mutex_);
  decided_ = true;
}

absl::Status Pipeline::Impl::Submit(const OperatorAction& action) {
  if (!accepting_.load(std::memory_order_acquire)) {
    return absl::UnavailableError("unavailable: starting up or shutting down");
  }
  return reader_->Submit(action);
}

absl::Status Pipeline::Impl::Reload() {
  absl::Status status;
  ErrorList errors;
  std::vector<std::unique_ptr<Sink>> sinks = NewSinks(*options_.config, &errors);
  std::vector<std::unique_ptr<Sink>> for_alarm = NewSinks(*options_.config, &errors);
  {
    // Parts that do not exist yet get the new secrets once the state is open.
    absl::MutexLock lock(&mutex_);
    reload_ = !running();
  }
  if (errors.empty()) {
    if (running()) deliverer_->ReplaceSinks(std::move(sinks));
    self_alarm_->ReplaceSinks(std::move(for_alarm));
  } else {
    status = absl::InvalidArgumentError(ErrorsText(errors));
  }
  if (running() && receiver_) status.Update(receiver_->Reload());
  return status;
}

bool Pipeline::Impl::Finished() const {
  {
    absl::MutexLock lock(&mutex_);
    if (!decided_) return false;
  }
  return running() && deliverer_->pending() == 0;
}

absl::Status Pipeline::Impl::Stop() {
  if (stopped_ || hung()) return status();
  const bool ran = running();
  if (ran && receiver_) receiver_->Stop();
  stopping_.store(true, std::memory_order_relaxed);
  if (watching_.joinable()) watching_.join();
  // From here on the state is not opened any more.
  if (!ran && running() && receiver_) receiver_->Stop();
  if (running() && !log_->Stop(kWriteGrace)) hung_.store(true, std::memory_order_relaxed);
  {
    absl::MutexLock lock(&mutex_);
    if (!AwaitFor(&mutex_, absl::Condition(&decided_), kDecideGrace)) {
      hung_.store(true, std::memory_order_relaxed);
    }
  }
  if (!hung() && deciding_.joinable()) deciding_.join();
  if (running() && !deliverer_->Stop(kDeliveryGrace)) {
    hung_.store(true, std::memory_order_relaxed);
  }
  if (self_alarm_) self_alarm_->Stop(absl::ZeroDuration());
  stopped_ = true;
  return status();
}

PipelineStatus Pipeline::Impl::Snapshot() const {
  PipelineStatus out;
  if (!running()) {
    out.not_ready = OpeningProblem();
    absl::MutexLock lock(&mutex_);
    if (!out.not_ready.empty()) {
      out.log.disk = {.error = opening_.status, .failing_since = opening_.failing_since};
    } else {
      out.not_ready = "starting up";
    }
    if (opening_.begun) out.blind = watch_->blindness();
    return out;
  }
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
    const bool runs = input.IsUp();
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
bool Pipeline::running() const { return impl_->running(); }
const TimeSource& Pipeline::time() const { return impl_->time(); }
absl::Status Pipeline::status() const { return impl_->status(); }
PipelineStatus Pipeline::Snapshot() const { return impl_->Snapshot(); }
absl::Status Pipeline::Stop() { return impl_->Stop(); }
const IncidentBook& Pipeline::incidents() const { return impl_->incidents(); }
std::uint16_t Pipeline::http_port() const { return impl_->http_port(); }
std::vector<Silence> Pipeline::silences() const { return impl_->silences(); }
absl::Status Pipeline::Submit(const OperatorAction& action) { return impl_->Submit(action); }
absl::Status Pipeline::Reload() { return impl_->Reload(); }
std::vector<Delivery> Pipeline::DeliveriesOf(const Hash128& incident) const {
  return impl_->DeliveriesOf(incident);
}
absl::StatusOr<std::size_t> Pipeline::RetryParked(const Hash128& incident) {
  return impl_->RetryParked(incident);
}

}  // namespace tocsin
