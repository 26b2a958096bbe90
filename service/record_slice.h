// Some records of one source partition, their bytes one after another in memory of their own.
//
//   RecordSlice slice(previous.bytes());        // about so many bytes will follow
//   slice.Add(record);                          // copies
//   stage1->Feed(slice.record(0));
//
// Copying in order costs less than it saves: the Kafka client's messages go back to it at once and
// on the thread that took them, and whoever feeds walks one stretch of memory. Behind each record
// stands what decoders want there (kDecodePadding), so that they need no copy. Not thread-safe.
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
  // Asks the processor for the end of a record that is fed soon, if there is one: decoders look there
  // first, ahead of what it would fetch by itself.
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
