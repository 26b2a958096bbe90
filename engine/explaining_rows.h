// The rows of a second aggregation that explain the series of a detector, by service.
//
//   ExplainingRows rows(&plan, spec);           // of Detector::Explaining
//   rows.Take(table);                           // once a tick; null: nothing was measured
//   rows.NeedScopes();                          // where a series has no service
//   rows.Visit(scope, service, [](const SpecCells& cells) { … });
//
// A service has its own row and that of events without a service, which may be anybody's. Without a
// service it is the sum of the whole scope. Take and NeedScopes are called by one thread, Visit by any
// number of them. Valid while the table lives.
#pragma once

#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "detectors/detector.h"
#include "panes/pane_table.h"
#include "panes/plan.h"

namespace tocsin {

class ExplainingRows {
 public:
  // `plan` outlives the rows.
  ExplainingRows(const Plan* plan, std::size_t spec);

  std::size_t aggregation() const { return plan_->AggregationOf(spec_); }
  void Take(const PaneTable* table);
  void NeedScopes();
  void Visit(std::string_view scope, std::string_view service,
             absl::FunctionRef<void(const SpecCells&)> visit) const;

 private:
  SpecCells CellsOf(const CellView& cell) const;

  const Plan* plan_;
  std::size_t spec_;
  const PaneTable* table_ = nullptr;
  std::optional<PaneTable> scopes_;  // the sum of each, by scope, once they are needed
};

}  // namespace tocsin
