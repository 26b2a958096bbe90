// KafkaMember::Start: configuration, connecting to a broker, the topics' partitions and timestamp
// types.

#include <algorithm>
#include <array>
#include <utility>

#include "absl/time/clock.h"
#include "core/status_macros.h"
#include "ingest/sources/kafka_member.h"
#include "system/host_clock.h"

namespace tocsin {
namespace {

using Setting = std::pair<const char*, const char*>;

// Measured with librdkafka 2.0.2 on events of 300 bytes; `properties` may override them.
constexpr Setting kDefaults[] = {
    // Fewer, larger fetches. Under low traffic records wait at most fetch.wait.max.ms, 500 ms.
    {"fetch.min.bytes", "100000"},
    {"fetch.message.max.bytes", "1048576"},
    // Enough to keep fetching while a batch is processed; the second setting bounds memory.
    {"queued.min.messages", "50000"},
    {"queued.max.messages.kbytes", "131072"},
    {"check.crcs", "true"},
    {"client.id", "tocsin"},
    // The pause after a fetch that failed; the search for the end of a broken batch takes many.
    {"fetch.error.backoff.ms", "50"},
    // How soon new partitions and recreated topics are noticed.
    {"topic.metadata.refresh.interval.ms", "10000"},
    // Set explicitly: records of aborted transactions are not events.
    {"isolation.level", "read_committed"},
};

// How soon a fetcher checks a full queue again: supported since 2.2, by default one second.
constexpr Setting kFullQueueBackoff = {"fetch.queue.backoff.ms", "5"};

// Settings that this code relies on; `properties` cannot override them.
constexpr Setting kRequired[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    // Cooperative-sticky is unsafe below 2.10.1.
    {"partition.assignment.strategy", "range"},
    // We report an offset out of range before we continue at the earliest.
    {"auto.offset.reset", "error"},
    {"allow.auto.create.topics", "false"},
    {"log.queue", "false"},
};

// The group for assign_all, because librdkafka requires one; it is never joined.
constexpr const char* kUnusedGroup = "tocsin-replay";

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::clamp<std::int64_t>(absl::ToInt64Milliseconds(duration), 1, 3'600'000));
}

}  // namespace

absl::Status KafkaMember::CreateHandle() {
  KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : kDefaults) {
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
  }
  wakes_fetchers_ =
      !SetKafkaProperty(conf.get(), kFullQueueBackoff.first, kFullQueueBackoff.second).ok();
  for (const auto& [name, value] : options_.properties) {
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
  }
  for (const auto& [name, value] : kRequired) {
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
  }
  TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), "bootstrap.servers", options_.brokers));
  const std::string group = options_.assign_all ? kUnusedGroup : options_.group;
  if (group.empty()) return absl::InvalidArgumentError("a Kafka input requires a consumer group");
  TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), "group.id", group));
  if (!options_.instance_id.empty()) {
    TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), "group.instance.id", options_.instance_id));
  }
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), OnErrorEvent);
  rd_kafka_conf_set_rebalance_cb(conf.get(), OnRebalance);
  TOCSIN_ASSIGN_OR_RETURN(handle_, NewKafkaClient(RD_KAFKA_CONSUMER, std::move(conf)));
  return absl::OkStatus();
}

absl::Status KafkaMember::Start(absl::Duration timeout) {
  if (started_) return absl::FailedPreconditionError("the Kafka source is already running");
  if (options_.topics.empty()) return absl::InvalidArgumentError("no Kafka topic is configured");
  TOCSIN_RETURN_IF_ERROR(CreateHandle());
  absl::Status status = ConnectAndListPartitions(timeout);
  if (status.ok()) {
    ReadTimestampTypes(std::min(timeout, absl::Seconds(5)));
    status = Join();
  }
  if (!status.ok()) {
    queue_.reset();
    commits_.reset();
    handle_.reset();
    return status;
  }
  started_ = true;
  return absl::OkStatus();
}

absl::Status KafkaMember::NoAnswer(absl::Duration timeout) {
  rd_kafka_poll(handle_.get(), 0);  // Serves pending error callbacks.
  std::string message = "no broker answered at " + options_.brokers + " within " +
                        absl::FormatDuration(timeout) + ": is Kafka running and the address right?";
  if (!last_error_.empty()) message += " (" + last_error_ + ")";
  return absl::UnavailableError(message);
}

absl::Status KafkaMember::ConnectAndListPartitions(absl::Duration timeout) {
  const TimeUs deadline = HostMonotonic() + absl::ToInt64Microseconds(timeout);
  all_partitions_.clear();
  for (const std::string& topic : options_.topics) {
    const absl::Status status = ListPartitions(topic, deadline);
    if (absl::IsUnavailable(status)) return NoAnswer(timeout);
    TOCSIN_RETURN_IF_ERROR(status);
  }
  std::sort(all_partitions_.begin(), all_partitions_.end());
  return absl::OkStatus();
}

absl::Status KafkaMember::ListPartitions(const std::string& topic, TimeUs deadline) {
  const KafkaTopic handle(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
  if (!handle) return absl::InvalidArgumentError("invalid topic name \"" + topic + "\"");
  while (true) {
    const absl::Duration left = absl::Microseconds(deadline - HostMonotonic());
    const rd_kafka_metadata_t* answer = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(handle_.get(), 0, handle.get(), &answer, Milliseconds(left));
    const KafkaMetadata metadata(answer);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return absl::UnavailableError(rd_kafka_err2str(error));
    }
    if (metadata->topic_cnt != 1) {
      return absl::InternalError("the broker did not answer for topic " + topic);
    }
    const rd_kafka_metadata_topic_t& found = metadata->topics[0];
    if (found.err == RD_KAFKA_RESP_ERR_NO_ERROR && found.partition_cnt > 0) {
      for (int i = 0; i < found.partition_cnt; ++i) {
        all_partitions_.push_back({topic, found.partitions[i].id});
      }
      return absl::OkStatus();
    }
    const bool passing = found.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                         found.err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!passing || left <= absl::ZeroDuration()) {
      if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || passing) {
        return absl::NotFoundError("topic \"" + topic + "\" does not exist at " + options_.brokers +
                                   ": create it, or correct `topics:`");
      }
      return absl::FailedPreconditionError("topic \"" + topic + "\" at " + options_.brokers + ": " +
                                           rd_kafka_err2str(found.err));
    }
    absl::SleepFor(absl::Milliseconds(100));  // A new topic soon gets its leaders.
  }
}

void KafkaMember::ReadTimestampTypes(absl::Duration timeout) {
  std::vector<KafkaConfigResource> resources;
  std::vector<rd_kafka_ConfigResource_t*> pointers;
  for (const std::string& topic : options_.topics) {
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    pointers.push_back(resources.back().get());
  }
  const KafkaAdminOptions options(
      rd_kafka_AdminOptions_new(handle_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  std::array<char, 256> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), Milliseconds(timeout), error.data(),
                                            error.size());
  const KafkaQueue queue(rd_kafka_queue_new(handle_.get()));
  rd_kafka_DescribeConfigs(handle_.get(), pointers.data(), pointers.size(), options.get(),
                           queue.get());
  const KafkaEvent event(
      rd_kafka_queue_poll(queue.get(), Milliseconds(timeout + absl::Seconds(1))));
  // If the broker refuses or is too old, the timestamp types of the records are used.
  const rd_kafka_DescribeConfigs_result_t* const result =
      event ? rd_kafka_event_DescribeConfigs_result(event.get()) : nullptr;
  if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** const described =
      rd_kafka_DescribeConfigs_result_resources(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(described[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    std::size_t entry_count = 0;
    const rd_kafka_ConfigEntry_t** const entries =
        rd_kafka_ConfigResource_configs(described[i], &entry_count);
    for (std::size_t j = 0; j < entry_count; ++j) {
      const char* const value = rd_kafka_ConfigEntry_value(entries[j]);
      if (value == nullptr ||
          std::string_view(rd_kafka_ConfigEntry_name(entries[j])) != "message.timestamp.type") {
        continue;
      }
      append_time_[rd_kafka_ConfigResource_name(described[i])] =
          std::string_view(value) == "LogAppendTime";
    }
  }
}

absl::Status KafkaMember::Join() {
  rd_kafka_poll_set_consumer(handle_.get());
  queue_.reset(rd_kafka_queue_get_consumer(handle_.get()));
  commits_.reset(rd_kafka_queue_new(handle_.get()));
  if (!options_.assign_all) return Subscribe();
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(all_partitions_.size()));
  for (const KafkaPartition& partition : all_partitions_) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  return Assign(list.get());
}

absl::Status KafkaMember::Subscribe() {
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(options_.topics.size()));
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_.get(), list.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::InternalError(std::string("subscribing failed: ") + rd_kafka_err2str(error));
  }
  return absl::OkStatus();
}

}  // namespace tocsin
