#include "ingest/sources/kafka_source.h"

#include <utility>

#include "ingest/sources/kafka_member.h"

namespace tocsin {

KafkaSource::KafkaSource(Options options, KafkaCallbacks* callbacks)
    : member_(std::make_unique<KafkaMember>(std::move(options), callbacks)) {}
KafkaSource::~KafkaSource() = default;

absl::Status KafkaSource::Start(absl::Duration timeout) { return member_->Start(timeout); }
std::size_t KafkaSource::Poll(absl::Duration wait) { return member_->Poll(wait); }
absl::Status KafkaSource::status() const { return member_->status(); }
void KafkaSource::Pause(const KafkaPartition& partition) { member_->SetPaused(partition, true); }
void KafkaSource::Resume(const KafkaPartition& partition) { member_->SetPaused(partition, false); }
absl::StatusOr<std::uint64_t> KafkaSource::Commit(std::span<const KafkaPosition> positions) {
  return member_->Commit(positions);
}
absl::Status KafkaSource::CommitAndWait(std::span<const KafkaPosition> positions,
                                        absl::Duration timeout) {
  return member_->CommitAndWait(positions, timeout);
}
std::vector<KafkaPartition> KafkaSource::AllPartitions() const { return member_->all_partitions(); }
std::optional<bool> KafkaSource::AppendTime(const std::string& topic) const {
  return member_->AppendTime(topic);
}
absl::StatusOr<std::int64_t> KafkaSource::QueryEndOffset(const KafkaPartition& partition,
                                                         absl::Duration timeout) {
  return member_->QueryEndOffset(partition, timeout);
}
std::size_t KafkaSource::queued() const { return member_->queued(); }
void KafkaSource::Stop() { member_->Stop(); }

}  // namespace tocsin
