// Copies of some records of one source partition, in one contiguous buffer.
//
//   RecordSlice slice(previous.bytes());        // expected size in bytes
//   slice.Add(record);                          // copies
//   stage1->Feed(slice.record(0));
//
// The copy costs less than it saves: the Kafka client's messages are released at once, on the
// thread that took them, and the feeding thread reads memory sequentially. Each record is followed
// by the padding that decoders need (kDecodePadding), so that they do not copy. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/source_partition.h"
#include "ingest/sources/kafka_source.h"

namespace tocsin {

class RecordSlice {
 public:
  RecordSlice() = default;
  explicit RecordSlice(std::size_t bytes_hint) : bytes_hint_(bytes_hint) {}

  void Add(const KafkaRecord& record);
  // Valid while the slice lives and nothing is added.
  SourceRecord record(std::size_t i) const;
  // Prefetches the end of record `i`, if it exists: decoders read the end first, which the hardware
  // prefetcher does not expect.
  void Prefetch(std::size_t i) const;

  std::size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  std::size_t bytes() const { return used_; }

 private:
  struct Entry {
    std::int64_t offset;
    TimeUs timestamp;
    std::size_t begin;
    std::size_t size;
    bool append_time;
  };
  void Grow(std::size_t needed);

  std::size_t bytes_hint_ = 0;
  std::vector<Entry> records_;
  std::unique_ptr<char[]> bytes_;
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace tocsin
