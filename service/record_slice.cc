#include "service/record_slice.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ingest/decoder.h"

namespace tocsin {

void RecordSlice::Add(const KafkaRecord& record) {
  const std::size_t end = used_ + record.value.size();
  if (end + kDecodePadding > capacity_) Grow(end + kDecodePadding);
  std::copy(record.value.begin(), record.value.end(), bytes_.get() + used_);
  records_.push_back({.offset = record.offset,
                      .timestamp = record.timestamp,
                      .begin = used_,
                      .size = record.value.size(),
                      .append_time = record.append_time});
  bytes_[end] = '\0';
  used_ = end + 1;
}

void RecordSlice::Prefetch(std::size_t i) const {
  if (i >= records_.size()) return;
  __builtin_prefetch(bytes_.get() + records_[i].begin + records_[i].size);
}

SourceRecord RecordSlice::record(std::size_t i) const {
  const Entry& entry = records_[i];
  return {.offset = entry.offset,
          .next_offset = entry.offset + 1,
          .timestamp = entry.timestamp,
          .append_time = entry.append_time,
          .padded = true,
          .bytes = {bytes_.get() + entry.begin, entry.size}};
}

void RecordSlice::Grow(std::size_t needed) {
  capacity_ = std::max({needed, 2 * capacity_, bytes_hint_ + kDecodePadding});
  std::unique_ptr<char[]> larger = std::make_unique_for_overwrite<char[]>(capacity_);
  if (used_ > 0) std::memcpy(larger.get(), bytes_.get(), used_);
  bytes_ = std::move(larger);
}

}  // namespace tocsin
