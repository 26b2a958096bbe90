#include "app/pipeline.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "app/dead_letters.h"
#include "app/decision_loop.h"
#include "app/deliverer.h"
#include "app/file_input.h"
#include "app/kafka_input.h"
#include "app/reader.h"
#include "app/receiver.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "replay/engine_setup.h"
#include "replay/tbb_executor.h"

namespace tocsin {
namespace {

// Requests in flight get this long at the end; with draining, commits and a snapshot a stop stays
// below ten seconds.
constexpr absl::Duration kDeliveryGrace = absl::Seconds(4);
// Sets of batches between the two threads. A set is one turn of the reader, a few MB at most.
constexpr std::size_t kQueuedSetsMax = 64;

TimeUs WallClock() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class Pipeline::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)), queue_(kQueuedSetsMax) {}
  ~Impl() { Stop().IgnoreError(); }

  absl::Status Start();
  absl::Status Stop();
  bool Finished() const;
  absl::Status status() const {
    absl::MutexLock lock(&mutex_);
    return status_;
  }
  PipelineStatus Snapshot() const;
  const IncidentBook& incidents() const { return book_; }
  std::uint16_t http_port() const { return receiver_ ? receiver_->port() : 0; }
  std::vector<Silence> silences() const {
    return built_.load(std::memory_order_acquire) ? loop_->Status().silences
                                                  : std::vector<Silence>();
  }
  absl::Status Submit(const Act& act);
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const {
    return built_.load(std::memory_order_acquire) ? deliverer_->DeliveriesOf(incident)
                                                  : std::vector<Delivery>();
  }
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident) {
    if (built_.load(std::memory_order_acquire)) return deliverer_->RetryParked(incident);
    return absl::UnavailableError("nothing is sent yet: starting");
  }

 private:
  absl::Status Build();
  std::vector<std::string> SinkNames() const;
  // Empty until they are known.
  std::vector<std::string> SourceNames() const;
  absl::Status OpenJournal();
  std::vector<std::unique_ptr<Input>> MakeInputs();
  void ReadLoop();
  void DecideLoop();
  void Fail(const absl::Status& status) {
    if (status.ok()) return;
    spdlog::error("{}", std::string(status.message()));
    absl::MutexLock lock(&mutex_);
    status_.Update(status);
  }

  Options options_;
  IncidentBook book_;
  std::unique_ptr<EngineSetup> setup_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<Receiver> receiver_;  // where there are inputs by HTTP; outlives their readers
  std::unique_ptr<Deliverer> deliverer_;
  std::unique_ptr<Decider> decider_;
  std::unique_ptr<DecisionLoop> loop_;
  std::unique_ptr<Reader> reader_;
  BoundedQueue<DurableBatches> queue_;
  std::atomic<bool> stopping_{false};  // relaxed: only asks the reader to leave its loop
  // Release once what the HTTP thread reads is there, acquire where it does.
  std::atomic<bool> built_{false};
  std::atomic<bool> accepting_{false};  // acts; true only between built_ and the reader's end
  std::atomic<bool> decided_{false};    // release by the decider's end, acquire in Finished
  std::thread reading_;
  std::thread deciding_;
  bool started_ = false;
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

absl::Status Pipeline::Impl::OpenJournal() {
  if (options_.memory_journal) {
    // Nobody comes back to learn from old panes.
    journal_ = NewMemoryJournal({.batches_time = 0, .batches_bytes = 0});
    return absl::OkStatus();
  }
  const std::string& directory = options_.config->state_dir;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::UnavailableError("cannot create the state directory " + directory + ": " +
                                  error.message());
  }
  TOCSIN_ASSIGN_OR_RETURN(journal_,
                          OpenSqliteJournal(directory, {.writer = "tocsin " TOCSIN_VERSION}));
  dead_letters_ = std::make_unique<DeadLetters>(directory + "/dead-letters.jsonl");
  return absl::OkStatus();
}

std::vector<std::unique_ptr<Input>> Pipeline::Impl::MakeInputs() {
  std::vector<std::unique_ptr<Input>> inputs;
  for (const InputConfig& input : options_.config->inputs) {
    if (input.kafka) {
      inputs.push_back(
          std::make_unique<KafkaInput>(&input, setup_.get(), dead_letters_.get(),
                                       TbbExecutor({.threads = options_.threads, .grain = 1})));
    } else {
      RecordLog* const log = receiver_ ? receiver_->LogOf(input.name) : nullptr;
      inputs.push_back(std::make_unique<FileFollower>(&input, setup_.get(), journal_.get(),
                                                      dead_letters_.get(), log));
    }
  }
  return inputs;
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
    TOCSIN_ASSIGN_OR_RETURN(receiver_, Receiver::Open(options_.config, {}));
    TOCSIN_RETURN_IF_ERROR(receiver_->Start());
  }
  deliverer_ = std::make_unique<Deliverer>(options_.config->routes, sinks_, journal_.get());
  decider_ = std::make_unique<Decider>(options_.config, &setup_->plan, &setup_->detectors,
                                       TbbExecutor({.threads = options_.threads}));
  loop_ = std::make_unique<DecisionLoop>(
      DecisionLoop::Options{.decider = decider_.get(),
                            .journal = journal_.get(),
                            .deliverer = deliverer_.get(),
                            .signals_path = options_.signals_path,
                            .incidents_path = options_.incidents_path,
                            .on_decision = options_.on_decision,
                            .book = &book_,
                            .sources = [this] { return SourceNames(); },
                            .sinks = SinkNames()});
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
  for (const SourceStatus& source : reader_->Sources().sources) names.push_back(source.source);
  return names;
}

absl::Status Pipeline::Impl::Start() {
  TOCSIN_RETURN_IF_ERROR(Build());
  TOCSIN_RETURN_IF_ERROR(deliverer_->Start());
  started_ = true;
  // No page until state is restored: notifications of ticks decided again are recognised by their
  // ids.
  TOCSIN_RETURN_IF_ERROR(loop_->Recover());
  reader_ =
      std::make_unique<Reader>(Reader::Options{.inputs = MakeInputs(),
                                               .plan = &setup_->plan,
                                               .journal = journal_.get(),
                                               .out = &queue_,
                                               .known_sources = decider_->assembler().Sources()});
  TOCSIN_RETURN_IF_ERROR(reader_->Start());
  built_.store(true, std::memory_order_release);
  accepting_.store(true, std::memory_order_release);
  deciding_ = std::thread([this] { DecideLoop(); });
  reading_ = std::thread([this] { ReadLoop(); });
  return absl::OkStatus();
}

void Pipeline::Impl::ReadLoop() {
  absl::Status turned;
  while (turned.ok() && !stopping_.load(std::memory_order_relaxed) && !reader_->ended()) {
    turned = reader_->Turn();
  }
  accepting_.store(false, std::memory_order_release);
  if (turned.ok()) turned = reader_->Finish();
  if (!turned.ok()) reader_->Abandon();
  Fail(turned);
  queue_.Close();
}

void Pipeline::Impl::DecideLoop() {
  while (std::optional<DurableBatches> batches = queue_.Pop()) {
    const absl::Status taken = loop_->Take(*batches);
    if (!taken.ok()) {
      Fail(taken);
      queue_.Close();
      break;
    }
  }
  if (status().ok()) Fail(loop_->Finish());
  decided_.store(true, std::memory_order_release);
}

absl::Status Pipeline::Impl::Submit(const Act& act) {
  if (!accepting_.load(std::memory_order_acquire)) {
    return absl::UnavailableError("nothing is read, so nothing can be written: starting or ending");
  }
  return reader_->Submit(act);
}

bool Pipeline::Impl::Finished() const {
  return decided_.load(std::memory_order_acquire) && deliverer_->pending() == 0;
}

absl::Status Pipeline::Impl::Stop() {
  if (receiver_) receiver_->Stop();
  stopping_.store(true, std::memory_order_relaxed);
  if (reading_.joinable()) reading_.join();
  queue_.Close();
  if (deciding_.joinable()) deciding_.join();
  if (started_) deliverer_->Stop(kDeliveryGrace);
  started_ = false;
  return status();
}

PipelineStatus Pipeline::Impl::Snapshot() const {
  PipelineStatus out;
  if (!built_.load(std::memory_order_acquire)) return out;
  const Reader::View read = reader_->Sources();
  const DecisionLoop::View decided = loop_->Status();
  out.sources = read.sources;
  out.received = reader_->received();
  out.decided = decided.counters;
  out.series = decided.series;
  out.series_over_limit = decided.series_over_limit;
  out.open_incidents = decided.open_incidents;
  out.last_tick = decided.last_tick;
  out.snapshots = decided.snapshots;
  out.journal = decided.journal;
  out.times = decided.times;
  if (receiver_) out.posted = receiver_->Counters();
  out.queued_batches = queue_.size();
  out.deliveries = deliverer_->counters();
  out.deliveries_pending = deliverer_->pending();
  out.kafka_errors = read.errors;
  out.skipped_records = read.skipped;
  out.assigned = read.assigned;
  const TimeUs now = WallClock();
  for (const SourceStatus& source : read.sources) {
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
absl::Status Pipeline::status() const { return impl_->status(); }
PipelineStatus Pipeline::Snapshot() const { return impl_->Snapshot(); }
absl::Status Pipeline::Stop() { return impl_->Stop(); }
const IncidentBook& Pipeline::incidents() const { return impl_->incidents(); }
std::uint16_t Pipeline::http_port() const { return impl_->http_port(); }
std::vector<Silence> Pipeline::silences() const { return impl_->silences(); }
absl::Status Pipeline::Submit(const Act& act) { return impl_->Submit(act); }
std::vector<Delivery> Pipeline::DeliveriesOf(const Hash128& incident) const {
  return impl_->DeliveriesOf(incident);
}
absl::StatusOr<std::size_t> Pipeline::RetryParked(const Hash128& incident) {
  return impl_->RetryParked(incident);
}

}  // namespace tocsin
