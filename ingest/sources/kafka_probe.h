// A second client of an input's brokers that queries its partitions: their end offsets, the offset
// of a timestamp, and the record at an offset.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<KafkaProbe> probe, KafkaProbe::New(brokers, {}));
//   probe->EndOffsets(partitions, 2 * kSecondUs, [&](const KafkaProbe::End& end) { … });
//
// It is a separate client because it reads uncommitted: for a read_committed consumer a partition
// ends at the oldest open transaction, although records after that may be days old by their append
// time when they are committed. It joins no group and commits nothing.
//
// Each leader gets one request. A leader that does not answer in time is not asked again for
// kSilentFor, so that a dead broker does not delay the answers of others. All calls block.
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
  // `monotonic` is the clock for End::asked_at and the pauses.
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
  // Calls `visit` once per partition; partitions of one leader together, as soon as it has
  // answered. `timeout` is per leader.
  void EndOffsets(std::span<const KafkaPartition> partitions, DurationUs timeout,
                  absl::FunctionRef<void(const End&)> visit);

  // The same for the first record whose timestamp is `since` or later.
  void OffsetsSince(std::span<const KafkaPartition> partitions, TimeUs since, DurationUs timeout,
                    absl::FunctionRef<void(const End&)> visit);

  // Makes current and future calls of EndOffsets return before they ask the next leader.
  // Thread-safe.
  void Cancel();

  struct Record {
    std::int64_t offset = 0;
    TimeUs timestamp = kNoTime;
    std::int64_t bytes = 0;
  };
  struct RecordQuestion {
    KafkaPartition partition;
    std::int64_t offset = 0;
    // The first record at or after the offset; nullopt: there is none.
    std::optional<Record> record = std::nullopt;
  };
  // Fills in `record` of each question. DeadlineExceeded if some are not answered within `timeout`.
  absl::Status RecordsAt(std::span<RecordQuestion> questions, DurationUs timeout);

 private:
  class Impl;
  explicit KafkaProbe(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
