// The rows of a second aggregation that explain the series of a detector, by service.
//
//   ExplainingRows rows(&plan, spec);           // of Detector::Explaining
//   rows.Take(table);                           // once a tick; null: nothing was measured
//   rows.NeedScopes();                          // where a series has no service
//   rows.Visit(scope, service, [](const SpecCells& cells) { … });
//
// A series with a service is explained by the row of its service and by the row of events without a
// service, because those may belong to any service. A series without a service is explained by the
// sum over the whole scope. Take and NeedScopes are called by one thread, Visit by any number of
// threads. Valid while the table lives.
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
  std::optional<PaneTable> scopes_;  // sums by scope, built by NeedScopes
};

}  // namespace tocsin
