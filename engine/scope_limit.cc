#include "engine/scope_limit.h"

#include <algorithm>
#include <tuple>

#include "core/labels.h"

namespace tocsin {

void VisitScopes(const PaneTable& table, const Plan& plan,
                 absl::FunctionRef<void(std::string_view)> visit) {
  std::string_view last;
  for (std::uint32_t row = 0; row < table.rows(); ++row) {
    const std::string_view scope = plan.ScopeOf(table.key(row));
    if (row > 0 && scope == last) continue;
    visit(scope);
    last = scope;
  }
}

ScopeLimit::ScopeLimit(const Plan* plan, std::size_t scopes_max)
    : plan_(plan), scopes_max_(scopes_max), other_(OtherOf(plan->scope_fields())) {}

std::string ScopeLimit::OtherOf(std::size_t fields) {
  std::string other;
  for (std::size_t i = 0; i < fields; ++i) AppendKeyPart(kOtherValue, &other);
  return other;
}

ScopeLimit::Scopes ScopeLimit::Look(TimeUs tick, const Tables& tables, const Facts& facts) {
  Scopes fresh;
  const auto look = [&](std::string_view scope) {
    if (scope == other_) return;
    const auto known = seen_.find(scope);
    if (known == seen_.end()) {
      fresh.insert(scope);
    } else {
      known->second = tick;
    }
  };
  for (const std::optional<PaneTable>& table : tables) {
    if (table) VisitScopes(*table, *plan_, look);
  }
  for (const auto& [scope, fact] : facts) look(scope);
  return fresh;
}

std::vector<std::string> ScopeLimit::Admit(const Scopes& scopes, TimeUs tick,
                                           absl::FunctionRef<bool(std::string_view)> busy) {
  std::vector<std::tuple<TimeUs, std::string>> idle;
  if (seen_.size() + scopes.size() > scopes_max_) {
    for (const auto& [scope, seen] : seen_) {
      if (seen + kIdleMin <= tick && !busy(scope)) idle.emplace_back(seen, scope);
    }
    std::sort(idle.begin(), idle.end());
  }
  std::vector<std::string> gone;
  for (const std::string_view scope : scopes) {
    if (seen_.size() >= scopes_max_) {
      if (gone.size() == idle.size()) break;
      gone.push_back(std::get<std::string>(idle[gone.size()]));
      seen_.erase(gone.back());
    }
    seen_.emplace(scope, tick);
  }
  return gone;
}

std::vector<std::string> ScopeLimit::Take(TimeUs tick,
                                          absl::FunctionRef<bool(std::string_view)> busy,
                                          Tables* tables, Facts* facts) {
  const Scopes fresh = Look(tick, *tables, *facts);
  if (fresh.empty()) return {};
  std::vector<std::string> gone = Admit(fresh, tick, busy);
  const bool all = std::all_of(fresh.begin(), fresh.end(),
                               [this](std::string_view scope) { return Admits(scope); });
  if (all) return gone;
  Fold(tables);
  for (auto& [scope, fact] : *facts) {
    if (!Admits(scope)) scope = other_;
  }
  return gone;
}

void ScopeLimit::Fold(Tables* tables) const {
  for (std::optional<PaneTable>& table : *tables) {
    if (!table) continue;
    bool has_others = false;
    VisitScopes(*table, *plan_,
                [&](std::string_view scope) { has_others = has_others || !Admits(scope); });
    if (!has_others) continue;
    const TableLayout& layout = table->layout();
    PaneTable folded(&layout);
    for (const std::uint32_t row : table->SortedRows()) {
      const std::string_view key = table->key(row);
      const bool admitted = Admits(plan_->ScopeOf(key));
      folded.MergeRow(*table, row, admitted ? key : layout.other_scope + layout.other_suffix);
    }
    table = std::move(folded);
  }
}

void ScopeLimit::Encode(ByteWriter* out) const {
  out->Varint(seen_.size());
  for (const auto& [scope, seen] : seen_) {
    out->Bytes(scope);
    out->Signed(seen);
  }
}

void ScopeLimit::Decode(ByteReader* in) {
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    std::string scope(in->Bytes());
    const TimeUs seen = in->Signed();
    if (KeyParts(scope).size() == plan_->scope_fields()) seen_[std::move(scope)] = seen;
  }
}

}  // namespace tocsin
