// Partitions come and go: where to start reading, and the last commit before one is taken away.

#include <algorithm>

#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/kafka_member.h"

namespace tocsin {
namespace {

// A query of a broker during a rebalance. The group waits for us meanwhile, up to 5 min.
constexpr int kQueryTimeoutMs = 10'000;
constexpr int kQueryAttempts = 3;

bool IsPassing(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT ||
         error == RD_KAFKA_RESP_ERR__WAIT_COORD ||
         error == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
         error == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
         error == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
         error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         error == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
}

}  // namespace

void KafkaSource::Impl::OnRebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                                    rd_kafka_topic_partition_list_t* partitions, void* self) {
  auto* const impl = static_cast<Impl*>(self);
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && impl->revoked_while_taking_) {
    // The batch may hold records of before the revocation, which nothing tells from new ones.
    impl->rejoin_ = true;
  } else if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    const absl::Status status = impl->Assign(partitions);
    if (status.ok()) return;
    // Reading on from a wrong offset would lose records, so the assignment is given back instead.
    impl->callbacks_->OnError("the assigned partitions cannot be read yet: " +
                              std::string(FromAbsl(status.message())));
    impl->Revoke(*partitions);
    impl->rejoin_ = true;
  } else {
    impl->revoked_while_taking_ = impl->taking_many_;
    impl->Revoke(*partitions);
  }
  rd_kafka_assign(handle, nullptr);
}

absl::Status KafkaSource::Impl::FetchCommitted(rd_kafka_topic_partition_list_t* partitions) {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (int attempt = 0; attempt < kQueryAttempts; ++attempt) {
    error = rd_kafka_committed(handle_.get(), partitions, kQueryTimeoutMs);
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < partitions->cnt; ++i) {
      error = partitions->elems[i].err;
    }
    if (!IsPassing(error)) break;
  }
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return absl::UnavailableError(std::string("the group's offsets are not to be had: ") +
                                rd_kafka_err2str(error));
}

absl::StatusOr<std::int64_t> KafkaSource::Impl::StartOffset(const KafkaPartition& partition) {
  // A partition that was added after we started is read from its beginning: what is in it is new.
  const bool is_new =
      !std::binary_search(all_partitions_.begin(), all_partitions_.end(), partition);
  if (options_.start_earliest || is_new) return RD_KAFKA_OFFSET_BEGINNING;
  // Resolved here, because "the end" would be looked up again, later, after every reconnection.
  absl::StatusOr<std::int64_t> end = QueryEndOffset(partition, absl::Milliseconds(kQueryTimeoutMs));
  for (int attempt = 1; !end.ok() && attempt < kQueryAttempts; ++attempt) {
    end = QueryEndOffset(partition, absl::Milliseconds(kQueryTimeoutMs));
  }
  return end;
}

absl::Status KafkaSource::Impl::Assign(rd_kafka_topic_partition_list_t* partitions) {
  if (!options_.assign_all) TOCSIN_RETURN_IF_ERROR(FetchCommitted(partitions));
  // A deterministic order, whatever the coordinator's.
  rd_kafka_topic_partition_list_sort(partitions, nullptr, nullptr);
  last_found_ = nullptr;
  for (int i = 0; i < partitions->cnt; ++i) {
    rd_kafka_topic_partition_t& element = partitions->elems[i];
    auto assigned = std::make_unique<Assigned>();
    assigned->partition = {element.topic, element.partition};
    std::optional<KafkaCommit> committed;
    if (!options_.assign_all && element.offset >= 0) {
      committed = KafkaCommit{element.offset, {}};
      if (element.metadata_size > 0) {
        committed->metadata.assign(static_cast<const char*>(element.metadata),
                                   element.metadata_size);
      }
    }
    const KafkaPartition partition = assigned->partition;
    Assigned* const state = assigned.get();
    assigned_.push_back(std::move(assigned));
    if (const std::optional<std::int64_t> wanted = callbacks_->OnAssigned(partition, committed)) {
      element.offset = *wanted;
    } else {
      TOCSIN_ASSIGN_OR_RETURN(element.offset, StartOffset(partition));
    }
    state->position = element.offset;
  }
  if (const rd_kafka_resp_err_t error = rd_kafka_assign(handle_.get(), partitions);
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::InternalError(rd_kafka_err2str(error));
  }
  return absl::OkStatus();
}

void KafkaSource::Impl::Revoke(const rd_kafka_topic_partition_list_t& partitions) {
  for (int i = 0; i < partitions.cnt; ++i) {
    const KafkaPartition partition{partitions.elems[i].topic, partitions.elems[i].partition};
    if (Find(partition) == nullptr) continue;
    callbacks_->OnRevoked(partition);
    // From here on records of it, also of the batch at hand, are nobody's.
    last_found_ = nullptr;
    std::erase_if(assigned_, [&](const std::unique_ptr<Assigned>& assigned) {
      return assigned->partition == partition;
    });
  }
}

}  // namespace tocsin
