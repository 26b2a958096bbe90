#include "ingest/sources/kafka_probe.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "ingest/sources/kafka_handles.h"

namespace tocsin {
namespace {

// How long the known leaders of partitions are used before they are queried again.
constexpr DurationUs kLeadersFor = kMinuteUs;
constexpr std::int32_t kNoLeader = -1;

constexpr std::pair<const char*, const char*> kSettings[] = {
    {"client.id", "tocsin-probe"},
    {"group.id", "tocsin-probe"},  // librdkafka requires one; it is never joined
    {"isolation.level", "read_uncommitted"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    {"auto.offset.reset", "error"},
    {"allow.auto.create.topics", "false"},
    // Only one record is needed, not those after it.
    {"queued.min.messages", "1"},
    {"fetch.message.max.bytes", "65536"},
    {"fetch.wait.max.ms", "50"},
};

int Milliseconds(DurationUs duration) {
  return static_cast<int>(std::clamp<std::int64_t>(duration / kMillisecondUs, 1, 3'600'000));
}

bool IsSilence(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT ||
         error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR__RESOLVE ||
         error == RD_KAFKA_RESP_ERR__DESTROY;
}

}  // namespace

class KafkaProbe::Impl {
 public:
  Impl(KafkaHandle handle, Clock monotonic)
      : handle_(std::move(handle)), monotonic_(std::move(monotonic)) {}

  // `query` is a timestamp in milliseconds or RD_KAFKA_OFFSET_END.
  void Offsets(std::span<const KafkaPartition> partitions, std::int64_t query, DurationUs timeout,
               absl::FunctionRef<void(const End&)> visit);
  absl::Status RecordsAt(std::span<RecordQuestion> questions, DurationUs timeout);
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  using ByLeader = std::map<std::int32_t, std::vector<KafkaPartition>>;

  void FindLeaders(std::span<const KafkaPartition> partitions, DurationUs timeout);
  void AskLeader(std::int32_t leader, const std::vector<KafkaPartition>& partitions,
                 std::int64_t query, DurationUs timeout, absl::FunctionRef<void(const End&)> visit);

  bool LeadersAreKnown(std::span<const KafkaPartition> partitions);
  ByLeader GroupByLeader(std::span<const KafkaPartition> partitions);
  bool IsSilent(std::int32_t leader);
  // The leaders have to be asked for again; whether they were known.
  bool ForgetLeaders();

  const KafkaHandle handle_;
  const Clock monotonic_;
  std::atomic<bool> cancelled_ = false;  // relaxed: guards nothing
  absl::Mutex mutex_;                    // never held while a broker is queried
  std::map<KafkaPartition, std::int32_t> leaders_ ABSL_GUARDED_BY(mutex_);
  // When they were queried; kNoTime: query them again.
  TimeUs leaders_at_ ABSL_GUARDED_BY(mutex_) = kNoTime;
  std::map<std::int32_t, TimeUs> silent_until_ ABSL_GUARDED_BY(mutex_);
};

bool KafkaProbe::Impl::LeadersAreKnown(std::span<const KafkaPartition> partitions) {
  absl::MutexLock lock(&mutex_);
  for (const KafkaPartition& partition : partitions) {
    if (!leaders_.contains(partition)) return false;
  }
  return leaders_at_ != kNoTime && monotonic_() < leaders_at_ + kLeadersFor;
}

KafkaProbe::Impl::ByLeader KafkaProbe::Impl::GroupByLeader(
    std::span<const KafkaPartition> partitions) {
  absl::MutexLock lock(&mutex_);
  ByLeader by_leader;
  for (const KafkaPartition& partition : partitions) {
    const auto found = leaders_.find(partition);
    by_leader[found == leaders_.end() ? kNoLeader : found->second].push_back(partition);
  }
  return by_leader;
}

bool KafkaProbe::Impl::IsSilent(std::int32_t leader) {
  absl::MutexLock lock(&mutex_);
  const auto silent = silent_until_.find(leader);
  return silent != silent_until_.end() && monotonic_() < silent->second;
}

bool KafkaProbe::Impl::ForgetLeaders() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(leaders_at_, kNoTime) != kNoTime;
}

void KafkaProbe::Impl::FindLeaders(std::span<const KafkaPartition> partitions, DurationUs timeout) {
  if (LeadersAreKnown(partitions)) return;
  std::string topic;
  for (const KafkaPartition& partition : partitions) {
    if (std::exchange(topic, partition.topic) == partition.topic) continue;  // they are sorted
    const KafkaTopic handle(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
    const rd_kafka_metadata_t* answer = nullptr;
    // Without an answer keep those already known.
    if (!handle || rd_kafka_metadata(handle_.get(), 0, handle.get(), &answer,
                                     Milliseconds(timeout)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return;
    }
    const KafkaMetadata metadata(answer);
    absl::MutexLock lock(&mutex_);
    for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; ++i) {
      const rd_kafka_metadata_partition_t& found = metadata->topics[0].partitions[i];
      leaders_[{topic, found.id}] = found.leader;
    }
  }
  absl::MutexLock lock(&mutex_);
  leaders_at_ = monotonic_();
}

void KafkaProbe::Impl::AskLeader(std::int32_t leader, const std::vector<KafkaPartition>& partitions,
                                 std::int64_t query, DurationUs timeout,
                                 absl::FunctionRef<void(const End&)> visit) {
  const TimeUs asked_at = monotonic_();
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(partitions.size()));
  for (const KafkaPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)
        ->offset = query;
  }
  const rd_kafka_resp_err_t error =
      rd_kafka_offsets_for_times(handle_.get(), list.get(), Milliseconds(timeout));
  if (IsSilence(error)) {
    absl::MutexLock lock(&mutex_);
    silent_until_[leader] = monotonic_() + kSilentFor;
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) ForgetLeaders();
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    End end = {.partition = {element.topic, element.partition}, .asked_at = asked_at};
    if (IsSilence(error) || IsSilence(element.err)) {
      end.answer = End::Answer::kNoAnswer;
    } else if (error == RD_KAFKA_RESP_ERR_NO_ERROR && element.err == RD_KAFKA_RESP_ERR_NO_ERROR &&
               query != RD_KAFKA_OFFSET_END && element.offset == RD_KAFKA_OFFSET_END) {
      end.answer = End::Answer::kNone;
    } else if (error != RD_KAFKA_RESP_ERR_NO_ERROR || element.err != RD_KAFKA_RESP_ERR_NO_ERROR ||
               element.offset < 0) {
      end.answer = End::Answer::kRefused;
      ForgetLeaders();
    } else {
      end.answer = End::Answer::kOffset;
      end.offset = element.offset;
    }
    visit(end);
  }
}

void KafkaProbe::Impl::Offsets(std::span<const KafkaPartition> partitions, std::int64_t query,
                               DurationUs timeout, absl::FunctionRef<void(const End&)> visit) {
  FindLeaders(partitions, timeout);
  for (const auto& [leader, its] : GroupByLeader(partitions)) {
    if (cancelled_.load(std::memory_order_relaxed)) return;
    if (leader != kNoLeader && !IsSilent(leader)) {
      AskLeader(leader, its, query, timeout, visit);
      continue;
    }
    // That a partition has no leader is an answer too, if the leaders could be queried.
    const bool is_answered = leader == kNoLeader && ForgetLeaders();
    for (const KafkaPartition& partition : its) {
      visit({.partition = partition,
             .answer = is_answered ? End::Answer::kRefused : End::Answer::kNoAnswer,
             .asked_at = monotonic_()});
    }
  }
}

absl::Status KafkaProbe::Impl::RecordsAt(std::span<RecordQuestion> questions, DurationUs timeout) {
  if (questions.empty()) return absl::OkStatus();
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(questions.size()));
  std::map<KafkaPartition, RecordQuestion*> open;
  for (RecordQuestion& question : questions) {
    question.record.reset();
    open[question.partition] = &question;
    rd_kafka_topic_partition_list_add(list.get(), question.partition.topic.c_str(),
                                      question.partition.partition)
        ->offset = question.offset;
  }
  if (const rd_kafka_resp_err_t error = rd_kafka_assign(handle_.get(), list.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::UnavailableError(rd_kafka_err2str(error));
  }
  const TimeUs deadline = HostMonotonic() + timeout;
  while (!open.empty() && HostMonotonic() < deadline) {
    rd_kafka_message_t* const message =
        rd_kafka_consumer_poll(handle_.get(), Milliseconds(deadline - HostMonotonic()));
    if (message == nullptr) continue;
    const auto found = message->rkt == nullptr
                           ? open.end()
                           : open.find({rd_kafka_topic_name(message->rkt), message->partition});
    const bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    const bool is_none = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                         message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                         message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    if (found != open.end() && is_record) {
      rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
      const std::int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
      found->second->record = {.offset = message->offset,
                               .timestamp = KafkaTimestamp(type, timestamp_ms),
                               .bytes = static_cast<std::int64_t>(message->len)};
    }
    if (found != open.end() && (is_record || is_none)) open.erase(found);
    rd_kafka_message_destroy(message);
  }
  rd_kafka_assign(handle_.get(), nullptr);
  if (open.empty()) return absl::OkStatus();
  return absl::DeadlineExceededError(
      "no broker returned the record before the committed offset of " +
      open.begin()->first.ToString() + " within " + FormatDuration(timeout));
}

KafkaProbe::KafkaProbe(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KafkaProbe::~KafkaProbe() = default;

absl::StatusOr<std::unique_ptr<KafkaProbe>> KafkaProbe::New(
    const std::string& brokers, const std::map<std::string, std::string>& properties,
    Clock monotonic) {
  KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : properties) {
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
  }
  for (const auto& [name, value] : kSettings)
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
  TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), "bootstrap.servers", brokers));
  TOCSIN_ASSIGN_OR_RETURN(KafkaHandle handle, NewKafkaClient(RD_KAFKA_CONSUMER, std::move(conf)));
  rd_kafka_poll_set_consumer(handle.get());
  return std::unique_ptr<KafkaProbe>(
      new KafkaProbe(std::make_unique<Impl>(std::move(handle), std::move(monotonic))));
}

void KafkaProbe::EndOffsets(std::span<const KafkaPartition> partitions, DurationUs timeout,
                            absl::FunctionRef<void(const End&)> visit) {
  impl_->Offsets(partitions, RD_KAFKA_OFFSET_END, timeout, visit);
}

void KafkaProbe::OffsetsSince(std::span<const KafkaPartition> partitions, TimeUs since,
                              DurationUs timeout, absl::FunctionRef<void(const End&)> visit) {
  impl_->Offsets(partitions, since / kMillisecondUs, timeout, visit);
}

void KafkaProbe::Cancel() { impl_->Cancel(); }

absl::Status KafkaProbe::RecordsAt(std::span<RecordQuestion> questions, DurationUs timeout) {
  return impl_->RecordsAt(questions, timeout);
}

}  // namespace tocsin
