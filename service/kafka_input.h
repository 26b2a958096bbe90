// A Kafka input of the running engine: a consumer-group member with its partitions.
//
// An idle partition is closed up to a tick when its end offset, requested after broker time tick +
// grace, is still our position. Broker time is a lower bound: the append times of records that
// arrived, advanced by the monotonic clock. On topics with producer timestamps it is the wall
// clock, if the newest record was near it on arrival. There, the close is committed before it takes
// effect, because the log does not imply it; the partition's records wait for the commit's answer.
// After an outage, or a pause of this process, such topics are not closed for kSettleTime, for
// producers that could not send meanwhile.
//
// Records, ends of partitions and answers to end requests (service/end_watch.h) show that a broker
// answers; ends are requested if nothing else arrives. A topic that was deleted and created anew is
// detected by the record before our commit, or by an offset that its log does not have; it is read
// from its beginning. If the group's position is gone, with the topic or because the group was away
// for too long, reading continues at the first record of the last decided pane, whatever
// `start` says, and the loss is reported.
//
// Used only by the input's thread, except that other threads feed a backlog while this one takes
// more records (service/record_feeder.h, docs/decisions/006).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "ingest/sources/kafka_probe.h"
#include "ingest/sources/kafka_source.h"
#include "runtime/engine_setup.h"
#include "service/end_watch.h"
#include "service/input.h"
#include "service/record_feeder.h"
#include "service/record_slice.h"

namespace tocsin {

class KafkaInput : public Input, private KafkaCallbacks {
 public:
  // The sources and the last tick that an earlier process had decided; kNoTime: none.
  struct Earlier {
    std::vector<std::string> sources;
    TimeUs tick = kNoTime;
  };
  // All arguments outlive the input.
  KafkaInput(const InputConfig* config, const EngineSetup* setup, DeadLetterObserver* dead_letters,
             const TimeSource* time, Executor partition_executor, Earlier earlier);
  ~KafkaInput() override;

  absl::Status Start() override;
  absl::Status Poll(absl::Duration wait) override;
  void Feed() override;
  void Settle() override;
  std::vector<InputPartition*> Partitions() override;
  void Pause(InputPartition* partition, bool pause) override;
  absl::Status CloseIdle(std::uint64_t released) override;
  std::optional<std::string> Position(InputPartition*, const SourceCommit&) override {
    return std::nullopt;
  }
  void OnDurable(std::span<const InputCommit> commits) override;
  absl::Status CommitLast(std::span<const InputCommit> commits, absl::Duration timeout) override;
  bool assigned() const override { return assigned_; }
  std::int64_t errors() const override { return errors_; }
  std::int64_t skipped() const override { return skipped_; }
  std::vector<std::string> TakeLosses() override { return std::exchange(losses_, {}); }
  void Stop() override;

 private:
  // A close that is committed before it takes effect.
  struct PendingClose {
    TimeUs tick = 0;
    std::uint64_t ticket = 0;
  };
  struct Partition : InputPartition {
    KafkaPartition kafka;
    std::int64_t end_offset = -1;  // where the end was reached; −1: not reached
    bool append_time = false;
    bool begun = false;  // stage 1 has a position
    bool ours = false;   // assigned to this process
    // Monotonic times:
    TimeUs lost_at = kNoTime;      // taken away by the group, and not back yet
    TimeUs answered_at = kNoTime;  // its broker was last heard of
    TimeUs settled_at = kNoTime;   // until then the last outage may still delay records
    std::size_t queue = 0;         // of feeder_
    RecordSlice taken;             // records not handed to feeder_ yet
    std::optional<PendingClose> closing;
  };

  absl::Status OnAssigned(std::span<KafkaAssignment> assigned) override;
  void OnRevoked(const KafkaPartition& partition) override;
  void OnRecord(const KafkaPartition& kafka, const KafkaRecord& record) override;
  void OnEnd(const KafkaPartition& kafka, std::int64_t end_offset) override;
  void OnSkipped(const KafkaPartition& kafka, std::int64_t from, std::int64_t to,
                 std::string_view reason) override;
  void OnError(std::string_view message) override;
  void OnCommitted(std::uint64_t ticket, const absl::Status& status) override;

  // Polls the source, which calls OnRecord for each record. Returns their number.
  std::size_t Take(absl::Duration wait);
  absl::StatusOr<Partition*> FindOrAdd(const KafkaPartition& kafka);
  Partition* Find(const KafkaPartition& kafka);
  using Visit = absl::FunctionRef<void(const KafkaProbe::End&)>;
  using Question = absl::FunctionRef<void(std::span<const KafkaPartition>, Visit)>;
  // Sets the start of partitions that were never read, for `start: now`.
  absl::Status BeginAtEnds(std::span<KafkaAssignment* const> assigned);
  // Sets the start of partitions whose committed position is gone.
  absl::Status BeginWhereDecided(std::span<KafkaAssignment* const> assigned);
  // Sets the start to the offset that the probe answers, or to the end if there is none.
  absl::Status BeginWhere(std::span<KafkaAssignment* const> assigned, Question ask);
  bool WasRead(const KafkaPartition& kafka) const;
  // Logs where partitions without a position start.
  void LogStartPositions(std::span<const KafkaPartition> partitions, std::size_t at_end) const;
  // Restarts partitions whose log is not the one that was read before.
  void CheckLogs(std::span<KafkaAssignment* const> assigned);
  void StartOver(Partition* partition, std::int64_t offset);

  // Broker time at a monotonic time; kNoTime while it is not known.
  TimeUs BrokerTime(const Partition& partition, TimeUs at) const;
  void Answered(Partition* partition);
  void WatchReach(Partition* partition);
  // Whether it is read to its end, all its records are fed, and it is neither paused nor closing.
  bool IsIdle(const Partition& partition) const;
  // The tick up to which it can be closed if its end, requested at `asked_at`, is our position;
  // kNoTime: none.
  TimeUs IdleTick(const Partition& partition, TimeUs asked_at) const;
  void TakeEnds(std::uint64_t released);
  void AskForEnds();
  void BeginClose(Partition* partition, TimeUs tick);
  // Hands the taken records to feeder_.
  void HandOver(Partition* partition);
  void HandOverAll();

  const InputConfig* config_;
  const EngineSetup* setup_;
  DeadLetterObserver* dead_letters_;
  const TimeSource* time_;
  const Earlier earlier_;
  std::unique_ptr<KafkaProbe> probe_;
  std::unique_ptr<EndWatch> ends_;
  std::unique_ptr<KafkaSource> source_;
  std::map<KafkaPartition, std::unique_ptr<Partition>> partitions_;
  Partition* last_ = nullptr;  // of the last record; nearly always the next one's too
  RecordFeeder feeder_;
  TimeSource::Reading now_;  // of the current call
  // Of the records of one Take:
  TimeUs newest_append_ = kNoTime;
  TimeUs newest_producer_ = kNoTime;
  DurationUs broker_offset_ = INT64_MIN;  // broker time − monotonic, the largest seen
  bool live_ = false;                     // the newest record was near the time it arrived
  TimeUs settled_at_ = kNoTime;           // until then, records may be old because of our pause
  bool assigned_ = false;
  bool stopping_ = false;
  std::int64_t errors_ = 0;
  std::int64_t skipped_ = 0;
  std::vector<std::string> losses_;
  absl::Status failure_;
};

}  // namespace tocsin
