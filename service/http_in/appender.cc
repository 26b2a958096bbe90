#include "service/http_in/appender.h"

#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "system/host_clock.h"
#include "transport/kafka_output.h"

namespace tocsin {
namespace {

// Without an answer for this long, a record counts as not written.
constexpr DurationUs kKafkaTimeout = 10 * kSecondUs;
// Records in flight get this long when the program ends.
constexpr DurationUs kStopGrace = 2 * kSecondUs;

struct Waiting {
  std::string payload;
  Appender::Done done;
};

// The base of both appenders: a bounded queue, and a thread that takes all queued payloads at once.
class QueuedAppender : public Appender {
 public:
  void Append(std::string payload, Done done) final {
    absl::Status refused;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) {
        refused = absl::UnavailableError("unavailable: shutting down");
      } else if (queued_bytes_ + payload.size() > kQueuedBytesMax) {
        refused = absl::ResourceExhaustedError("the write queue of this input is full");
      } else {
        queued_bytes_ += payload.size();
        queue_.push_back({std::move(payload), std::move(done)});
        return;
      }
    }
    done(refused);
  }

  void Stop() final {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

 protected:
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  virtual void Run() = 0;

  // Takes all queued payloads. Empty only after Wake or when stopping.
  std::vector<Waiting> Take(bool* stopping) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &QueuedAppender::HasWork));
    woken_ = false;
    *stopping = stopping_;
    queued_bytes_ = 0;
    return std::exchange(queue_, {});
  }
  void Wake() {
    absl::MutexLock lock(&mutex_);
    woken_ = true;
  }

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !queue_.empty() || stopping_ || woken_;
  }

  absl::Mutex mutex_;
  std::vector<Waiting> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

class LocalAppender final : public QueuedAppender {
 public:
  LocalAppender(RecordLog* log, std::function<TimeUs()> now) : log_(*log), now_(std::move(now)) {
    Start();
  }
  ~LocalAppender() override { Stop(); }

 private:
  void Run() override {
    for (bool stopping = false; !stopping;) {
      const std::vector<Waiting> taken = Take(&stopping);
      if (!taken.empty()) Write(taken);
    }
  }

  void Write(const std::vector<Waiting>& taken) {
    std::vector<absl::Status> results;
    absl::Status log_status;
    for (const Waiting& one : taken) {
      if (!log_status.ok()) break;
      results.push_back(log_.Append(now_(), one.payload));
      if (absl::IsUnavailable(results.back())) log_status = results.back();
    }
    if (log_status.ok()) log_status = log_.Sync();
    results.resize(taken.size());
    for (std::size_t i = 0; i < taken.size(); ++i) {
      // An error of the log applies to all payloads that are not durable yet.
      taken[i].done(results[i].ok() ? log_status : results[i]);
    }
  }

  RecordLog& log_;
  const std::function<TimeUs()> now_;
};

class KafkaAppender final : public QueuedAppender {
 public:
  KafkaAppender(const KafkaInputConfig& kafka, const std::map<std::string, std::string>& properties)
      : kafka_([this] { Wake(); }) {
    request_.url = kafka.brokers;
    request_.kafka.topic = kafka.topics.front();
    request_.timeout = kKafkaTimeout;
    for (const auto& [name, value] : properties) {
      // Only connection settings: the input's other properties are for consumers.
      if (name.starts_with("security.") || name.starts_with("sasl.") || name.starts_with("ssl.")) {
        request_.kafka.properties.emplace(name, value);
      }
    }
    Start();
  }
  ~KafkaAppender() override { Stop(); }

 private:
  void Run() override {
    for (bool stopping = false; !stopping;) {
      SendAll(Take(&stopping));
      Collect();
    }
    const TimeUs until = HostMonotonic() + kStopGrace;
    while (!sent_.empty() && HostMonotonic() < until) {
      absl::SleepFor(absl::Milliseconds(10));
      Collect();
    }
    kafka_.CancelAll();
    for (auto& [id, done] : std::exchange(sent_, {})) {
      done(absl::UnavailableError("unavailable: shutting down"));
    }
  }

  void SendAll(std::vector<Waiting> taken) {
    for (Waiting& one : taken) {
      const Hash128 id{.high = 1, .low = ++last_id_};
      request_.body = std::move(one.payload);
      sent_.emplace(id.low, std::move(one.done));
      kafka_.Send(id, request_);
    }
  }

  void Collect() {
    std::vector<HttpClient::Reply> replies;
    kafka_.Collect(&replies);
    for (const HttpClient::Reply& reply : replies) Finish(reply);
  }

  void Finish(const HttpClient::Reply& reply) {
    const auto found = sent_.find(reply.id.low);
    if (found == sent_.end()) return;
    const Done done = std::move(found->second);
    sent_.erase(found);
    if (reply.reply.status == 200) return done(absl::OkStatus());
    if (reply.reply.status != 0) return done(absl::InvalidArgumentError(reply.reply.body));
    done(absl::UnavailableError("Kafka: " + reply.reply.error));
  }

  SinkRequest request_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Done> sent_;
  KafkaOutput kafka_;
};

}  // namespace

std::unique_ptr<Appender> NewLocalAppender(RecordLog* log, std::function<TimeUs()> now) {
  return std::make_unique<LocalAppender>(log, std::move(now));
}

absl::StatusOr<std::unique_ptr<Appender>> NewKafkaAppender(const KafkaInputConfig& kafka) {
  TOCSIN_ASSIGN_OR_RETURN(const auto properties, kafka.AllProperties());
  return std::make_unique<KafkaAppender>(kafka, properties);
}

}  // namespace tocsin
