// A Kafka input of the running engine: a consumer-group member with its partitions.
//
// Broker time, needed to close idle partitions, is a lower bound: the append times of records that
// arrived, carried on by the monotonic clock. On topics that have only the producer's time it is
// the host's clock, and such a close is committed before it is made, because the log does
// not imply it.
//
// Reading thread only, except that a backlog is fed by other threads while this one takes more
// (app/record_feeder.h, docs/decisions/006).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/input.h"
#include "app/record_feeder.h"
#include "app/record_slice.h"
#include "ingest/kafka_source.h"
#include "replay/engine_setup.h"

namespace tocsin {

class KafkaInput : public Input, private KafkaCallbacks {
 public:
  // All outlive the input.
  KafkaInput(const InputConfig* config, const EngineSetup* setup, DeadLetterObserver* dead_letters,
             Executor partition_executor);
  ~KafkaInput() override;

  const InputConfig& config() const override { return *config_; }
  absl::Status Start() override;
  absl::Status Poll(absl::Duration wait, const InputClock& clock) override;
  void Feed() override;
  void Settle() override;
  std::vector<InputPartition*> Partitions() override;
  void Pause(InputPartition* partition, bool pause) override;
  absl::Status CloseIdle(const InputClock& clock) override;
  absl::Status Commit(InputPartition* partition, bool sync) override;
  bool assigned() const override { return assigned_; }
  std::int64_t errors() const override { return errors_; }
  std::int64_t skipped() const override { return skipped_; }
  void Stop() override;

 private:
  struct Partition : InputPartition {
    KafkaPartition kafka;
    std::int64_t end_offset = -1;  // where the end was reached; −1: not
    bool append_time = false;
    bool ours = false;
    std::size_t lane = 0;  // of feeder_
    RecordSlice taken;     // and not handed to feeder_ yet
  };

  std::optional<std::int64_t> OnAssigned(const KafkaPartition& kafka,
                                         const std::optional<KafkaCommit>& committed) override;
  void OnRevoked(const KafkaPartition& kafka) override;
  void OnRecord(const KafkaPartition& kafka, const KafkaRecord& record) override;
  void OnEnd(const KafkaPartition& kafka, std::int64_t end_offset) override;
  void OnSkipped(const KafkaPartition& kafka, std::int64_t from, std::int64_t to,
                 std::string_view reason) override;
  void OnError(std::string_view message) override;

  // Broker time now, as far as it is known; kNoTime before it is.
  TimeUs BrokerTime(const Partition& partition, const InputClock& clock) const;
  absl::Status CommitNow(const Partition& partition, const SourceCommit& commit, bool sync);
  // Hands what was taken to feeder_.
  void HandOver(Partition* partition);
  void HandOverAll();
  void CloseIdlePartition(Partition* partition, const InputClock& clock);

  const InputConfig* config_;
  const EngineSetup* setup_;
  DeadLetterObserver* dead_letters_;
  std::unique_ptr<KafkaSource> source_;
  std::map<KafkaPartition, std::unique_ptr<Partition>> partitions_;
  Partition* last_ = nullptr;  // of the last record; nearly always the next one's too
  RecordFeeder feeder_;
  InputClock clock_;
  DurationUs broker_offset_ = INT64_MIN;  // broker time − monotonic, the largest seen
  bool live_ = false;                     // the newest record was near the time it arrived
  bool assigned_ = false;
  bool stopping_ = false;
  std::int64_t errors_ = 0;
  std::int64_t skipped_ = 0;
  absl::Status failure_;
};

}  // namespace tocsin
