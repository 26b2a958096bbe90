#include "engine/explaining_rows.h"

#include <string>

#include "core/labels.h"

namespace tocsin {

ExplainingRows::ExplainingRows(const Plan* plan, std::size_t spec) : plan_(plan), spec_(spec) {}

void ExplainingRows::Take(const PaneTable* table) {
  table_ = table;
  scopes_.reset();
}

void ExplainingRows::NeedScopes() {
  if (table_ == nullptr || scopes_) return;
  scopes_.emplace(&table_->layout());
  // In key order, because the content of a full ranking depends on the order.
  for (const std::uint32_t row : table_->SortedRows()) {
    scopes_->MergeRow(*table_, row, plan_->ScopeOf(table_->key(row)));
  }
}

SpecCells ExplainingRows::CellsOf(const CellView& cell) const {
  return {.cell = cell, .slots = &plan_->SlotsOf(spec_)};
}

void ExplainingRows::Visit(std::string_view scope, std::string_view service,
                           absl::FunctionRef<void(const SpecCells&)> visit) const {
  if (table_ == nullptr) return;
  const auto visit_row = [&](const PaneTable& table, std::string_view key) {
    if (const std::optional<std::uint32_t> row = table.FindRow(key)) {
      visit(CellsOf(table.Cell(*row)));
    }
  };
  if (service.empty()) {
    if (scopes_) visit_row(*scopes_, scope);
    return;
  }
  for (const std::string_view name : {std::string_view(), service}) {
    std::string key(scope);
    AppendKeyPart(name, &key);
    visit_row(*table_, key);
  }
}

}  // namespace tocsin
