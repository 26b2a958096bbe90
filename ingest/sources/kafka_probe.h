// A second client of the brokers that an input reads from, for questions about its partitions: where
// they end, where a time begins, and what stands at an offset.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<KafkaProbe> probe, KafkaProbe::New(brokers, {}));
//   probe->EndOffsets(partitions, 2 * kSecondUs, [&](const KafkaProbe::End& end) { … });
//
// It is a client of its own because it reads uncommitted: to a consumer that waits for transactions
// a partition ends where the oldest open one begins, although records behind that may be days old
// by their append time when they are committed. It joins no group and commits nothing.
//
// One request goes to each leader; one that does not answer in time is not asked again for
// kSilentFor, so that a dead broker does not hold up the answers of the others. All calls block.
// EndOffsets, OffsetsSince and Cancel are thread-safe; RecordsAt is for one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/time.h"
#include "ingest/sources/kafka_records.h"
#include "system/host_clock.h"

namespace tocsin {

class KafkaProbe {
 public:
  static constexpr DurationUs kSilentFor = 10 * kSecondUs;

  using Clock = std::function<TimeUs()>;
  // `monotonic` is what End::asked_at and the pauses are measured in.
  static absl::StatusOr<std::unique_ptr<KafkaProbe>> New(
      const std::string& brokers, const std::map<std::string, std::string>& properties,
      Clock monotonic = HostMonotonic);
  ~KafkaProbe();
  KafkaProbe(const KafkaProbe&) = delete;
  KafkaProbe& operator=(const KafkaProbe&) = delete;

  struct End {
    enum class Answer : std::uint8_t {
      kOffset,   // the high watermark, or the first record since the time
      kNone,     // no record since the time
      kRefused,  // a broker answered that it has no such partition, or is not its leader
      kNoAnswer,
    };
    KafkaPartition partition;
    Answer answer = Answer::kNoAnswer;
    std::int64_t offset = -1;
    TimeUs asked_at = 0;  // monotonic, before the request left
  };
  // Calls `visit` once for each partition, those of one leader together as soon as it has answered.
  // `timeout` is of one leader.
  void EndOffsets(std::span<const KafkaPartition> partitions, DurationUs timeout,
                  absl::FunctionRef<void(const End&)> visit);

  // The same for the first record of `since` or later, by the records' timestamps.
  void OffsetsSince(std::span<const KafkaPartition> partitions, TimeUs since, DurationUs timeout,
                    absl::FunctionRef<void(const End&)> visit);

  // EndOffsets returns before it asks the next leader, now and from now on. From any thread.
  void Cancel();

  struct Record {
    std::int64_t offset = 0;
    TimeUs timestamp = kNoTime;
    std::int64_t bytes = 0;
  };
  struct RecordQuestion {
    KafkaPartition partition;
    std::int64_t offset = 0;
    // The first record at or behind the offset; nullopt: the log has none there.
    std::optional<Record> record = std::nullopt;
  };
  // DeadlineExceeded where not all were answered within `timeout`.
  absl::Status RecordsAt(std::span<RecordQuestion> questions, DurationUs timeout);

 private:
  class Impl;
  explicit KafkaProbe(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
