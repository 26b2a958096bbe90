#include "correlate/calls.h"

#include <algorithm>
#include <utility>

#include "core/labels.h"
#include "core/limits.h"

namespace tocsin {

bool CallLog::Add(const Call& call, TimeUs seen) {
  for (const std::string& name : {call.service, call.dependency}) {
    if (name.empty() || name == kOtherValue) return false;
  }
  if (call.service == call.dependency) return false;
  if (const auto known = seen_.find(call); known != seen_.end()) {
    known->second.last = std::max(known->second.last, seen);
    return false;
  }
  if (full()) return false;
  seen_.emplace(call, Seen{.first = seen, .last = seen});
  return true;
}

bool CallLog::full() const { return seen_.size() >= limits::kCallsMax; }

bool CallLog::ForgetBefore(TimeUs time) {
  return std::erase_if(seen_, [&](const auto& call) { return call.second.last < time; }) > 0;
}

void CallLog::Encode(ByteWriter* out) const {
  out->Varint(seen_.size());
  for (const auto& [call, seen] : seen_) {
    out->Bytes(call.service);
    out->Bytes(call.dependency);
    out->Signed(seen.last);
    out->Signed(seen.first);
  }
}

CallLog CallLog::Decode(ByteReader* in) {
  CallLog log;
  const std::size_t size = in->Count(3);
  if (size > limits::kCallsMax) in->Fail();
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    Call call;
    call.service = in->Bytes();
    call.dependency = in->Bytes();
    Seen seen;
    seen.last = seen.first = in->Signed();
    if (in->format() >= 6) seen.first = in->Signed();
    log.seen_.emplace(std::move(call), seen);
  }
  return in->ok() ? log : CallLog();
}

}  // namespace tocsin
