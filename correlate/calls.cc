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
  if (const auto known = last_seen_.find(call); known != last_seen_.end()) {
    known->second = std::max(known->second, seen);
    return false;
  }
  if (last_seen_.size() >= limits::kCallsMax) return false;
  last_seen_.emplace(call, seen);
  return true;
}

bool CallLog::ForgetBefore(TimeUs time) {
  return std::erase_if(last_seen_, [&](const auto& call) { return call.second < time; }) > 0;
}

void CallLog::Encode(ByteWriter* out) const {
  out->Varint(last_seen_.size());
  for (const auto& [call, seen] : last_seen_) {
    out->Bytes(call.service);
    out->Bytes(call.dependency);
    out->Signed(seen);
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
    const TimeUs seen = in->Signed();
    log.last_seen_.emplace(std::move(call), seen);
  }
  return in->ok() ? log : CallLog();
}

}  // namespace tocsin
