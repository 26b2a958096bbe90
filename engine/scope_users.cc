#include "engine/scope_users.h"

namespace tocsin {

void ScopeUserCounts::Add(TimeUs tick, const PaneTable* table, MeasureSlot slot) {
  const TimeUs start = FloorTo(tick, kSlot);
  if (table != nullptr) {
    for (std::uint32_t row = 0; row < table->rows(); ++row) {
      const HyperLogLog& users = table->Cell(row).Distinct(slot);
      if (!users.empty()) slots_[std::string(table->key(row))][start].Merge(users);
    }
  }
  for (auto scope = slots_.begin(); scope != slots_.end();) {
    std::erase_if(scope->second,
                  [&](const auto& one) { return one.first <= start - kSlots * kSlot; });
    scope = scope->second.empty() ? slots_.erase(scope) : std::next(scope);
  }
}

std::vector<ScopeUsers> ScopeUserCounts::Counts() const {
  std::vector<ScopeUsers> counts;
  for (const auto& [scope, by_start] : slots_) {
    HyperLogLog all;
    for (const auto& [start, users] : by_start) all.Merge(users);
    counts.push_back({.scope = scope, .distinct = all.Estimate()});
  }
  return counts;
}

void ScopeUserCounts::Encode(ByteWriter* out) const {
  out->Varint(slots_.size());
  for (const auto& [scope, by_start] : slots_) {
    out->Bytes(scope);
    out->Varint(by_start.size());
    for (const auto& [start, users] : by_start) {
      out->Signed(start);
      users.Encode(out);
    }
  }
}

void ScopeUserCounts::Decode(ByteReader* in) {
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    auto& by_start = slots_[std::string(in->Bytes())];
    for (std::size_t n = in->Count(2); n > 0 && in->ok(); --n) {
      const TimeUs start = in->Signed();
      by_start[start] = HyperLogLog::Decode(in);
    }
  }
}

}  // namespace tocsin
