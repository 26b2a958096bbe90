#include "panes/plan_translation.h"

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

// A layout that a table can be decoded with: it says nothing of events.
TableLayout LayoutOf(const PlanDescription::Table& table, std::size_t scope_parts) {
  std::vector<Measure> measures;
  for (const PlanDescription::Column& column : table.columns) {
    Measure measure;
    measure.kind = column.kind;
    measure.k = column.k;
    measures.push_back(measure);
  }
  return TableLayout::InOrder(std::move(measures), scope_parts, table.parts);
}

}  // namespace

std::unique_ptr<PlanTranslation> PlanTranslation::Between(const PlanDescription& from,
                                                          const Plan* to) {
  const PlanDescription target = to->Describe();
  if (from.pane != target.pane || from.scope_parts != target.scope_parts) return nullptr;
  auto translation = std::make_unique<PlanTranslation>();
  translation->to_ = to;
  bool any = false;
  for (const PlanDescription::Table& table : from.tables) {
    Table ours{.layout = LayoutOf(table, from.scope_parts), .to = -1, .pairs = {}};
    for (std::size_t i = 0; i < target.tables.size() && ours.to < 0; ++i) {
      const PlanDescription::Table& theirs = target.tables[i];
      if (table.key != theirs.key || table.delay != theirs.delay) continue;
      ours.to = static_cast<int>(i);
      for (std::size_t mine = 0; mine < table.columns.size(); ++mine) {
        const auto same =
            std::find(theirs.columns.begin(), theirs.columns.end(), table.columns[mine]);
        if (same == theirs.columns.end()) continue;
        const auto other = static_cast<std::size_t>(same - theirs.columns.begin());
        ours.pairs.push_back(
            {.from = ours.layout.slots[mine], .to = to->aggregations()[i].layout.slots[other]});
      }
    }
    any = any || ours.to >= 0;
    translation->tables_.push_back(std::move(ours));
  }
  return any ? std::move(translation) : nullptr;
}

absl::StatusOr<PaneBatch> PlanTranslation::Decode(const Chunk& header,
                                                  std::string_view content) const {
  absl::StatusOr<PaneBatch> batch =
      DecodeTables(header, content, tables_.size(),
                   [this](std::size_t index) { return &tables_[index].layout; });
  if (!batch.ok()) return batch;
  // Tables of both plans are in order of their keys, so these stay in order.
  std::vector<std::pair<std::uint32_t, PaneTable>> tables;
  for (const auto& [index, table] : batch->tables) {
    const Table& known = tables_[index];
    if (known.to < 0) continue;
    const auto to = static_cast<std::uint32_t>(known.to);
    tables.emplace_back(to, table.Translated(&to_->aggregations()[to].layout, known.pairs));
  }
  batch->tables = std::move(tables);
  return batch;
}

}  // namespace tocsin
