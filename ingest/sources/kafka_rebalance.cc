// Rebalances: where to start reading an assigned partition, and the last commit before a
// revocation.

#include <algorithm>

#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/sources/kafka_member.h"
#include "system/host_clock.h"

namespace tocsin {
namespace {

constexpr int kQueryTimeoutMs = 5'000;
// The pause before assigning partitions again whose start offsets could not be determined.
constexpr DurationUs kAssignRetry = kSecondUs;

}  // namespace

void KafkaMember::OnRebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t* partitions, void* self) {
  auto* const impl = static_cast<KafkaMember*>(self);
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    impl->to_assign_.reset(rd_kafka_topic_partition_list_copy(partitions));
    impl->assign_at_ = 0;
    // A batch that is being taken may hold records from before the revocation, which could not be
    // told from new ones. Then the next Poll assigns the partitions.
    if (!impl->revoked_while_taking_ && impl->AssignWhenDue()) return;
  } else {
    impl->to_assign_.reset();
    impl->revoked_while_taking_ = impl->taking_many_;
    impl->Revoke(*partitions);
  }
  rd_kafka_assign(handle, nullptr);
}

bool KafkaMember::AssignWhenDue() {
  if (to_assign_ == nullptr || HostMonotonic() < assign_at_) return false;
  const absl::Status status = Assign(to_assign_.get());
  if (status.ok()) {
    to_assign_.reset();
    return true;
  }
  // The group still counts them as ours. Reading from a wrong offset would lose records, so they
  // are not read until it is known.
  callbacks_->OnError("the assigned partitions cannot be read yet: " +
                      std::string(FromAbsl(status.message())));
  Revoke(*to_assign_);
  assign_at_ = HostMonotonic() + kAssignRetry;
  return false;
}

absl::Status KafkaMember::FetchCommitted(rd_kafka_topic_partition_list_t* partitions) {
  rd_kafka_resp_err_t error = rd_kafka_committed(handle_.get(), partitions, kQueryTimeoutMs);
  for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < partitions->cnt; ++i) {
    error = partitions->elems[i].err;
  }
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return absl::UnavailableError(std::string("cannot fetch the group's committed offsets: ") +
                                rd_kafka_err2str(error));
}

absl::Status KafkaMember::Assign(rd_kafka_topic_partition_list_t* partitions) {
  if (!options_.assign_all) TOCSIN_RETURN_IF_ERROR(FetchCommitted(partitions));
  // A deterministic order, independent of the coordinator's.
  rd_kafka_topic_partition_list_sort(partitions, nullptr, nullptr);
  last_found_ = nullptr;
  std::vector<KafkaAssignment> assignments;
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = partitions->elems[i];
    KafkaAssignment& assignment = assignments.emplace_back();
    assignment.partition = {element.topic, element.partition};
    if (!options_.assign_all && element.offset >= 0) {
      assignment.committed = KafkaCommit{element.offset, {}};
      if (element.metadata_size > 0) {
        assignment.committed->metadata.assign(static_cast<const char*>(element.metadata),
                                              element.metadata_size);
      }
    }
    assigned_.push_back(std::make_unique<Assigned>());
    assigned_.back()->partition = assignment.partition;
  }
  TOCSIN_RETURN_IF_ERROR(callbacks_->OnAssigned(assignments));
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const std::int64_t start = assignments[i].start.value_or(RD_KAFKA_OFFSET_BEGINNING);
    partitions->elems[i].offset = start;
    Find(assignments[i].partition)->position = start;
  }
  if (const rd_kafka_resp_err_t error = rd_kafka_assign(handle_.get(), partitions);
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::InternalError(rd_kafka_err2str(error));
  }
  return absl::OkStatus();
}

void KafkaMember::Revoke(const rd_kafka_topic_partition_list_t& partitions) {
  for (int i = 0; i < partitions.cnt; ++i) {
    const KafkaPartition partition{partitions.elems[i].topic, partitions.elems[i].partition};
    if (Find(partition) == nullptr) continue;
    callbacks_->OnRevoked(partition);
    // From here on its records are ignored, including those in the current batch.
    last_found_ = nullptr;
    std::erase_if(assigned_, [&](const std::unique_ptr<Assigned>& assigned) {
      return assigned->partition == partition;
    });
  }
}

}  // namespace tocsin
