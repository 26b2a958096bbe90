// Reading the batches that were measured by another plan.
//
//   PlanDescription description = plan.Describe();
//   auto translation = PlanTranslation::Between(description, &other_plan);
//   absl::StatusOr<PaneBatch> batch = translation->Decode(chunk, content);  // of the other plan
//
// Plans differ when the configuration changed, or when another build measures more. An aggregation
// is the same one where inputs, filter, labels and delay are the same; what both plans measure of
// it is taken over, the rest is empty, as if nothing had happened. Immutable, hence shareable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/hash.h"
#include "core/time.h"
#include "core/wire.h"
#include "panes/pane_batch.h"
#include "panes/pane_table.h"
#include "panes/plan.h"

namespace tocsin {

class PlanTranslation {
 public:
  // nullptr where nothing can be taken over: other panes, another scope, or no common aggregation.
  static std::unique_ptr<PlanTranslation> Between(const PlanDescription& from, const Plan* to);

  // Errors as of DecodeContent. REQUIRES: the chunk is of the plan that is described.
  absl::StatusOr<PaneBatch> Decode(const Chunk& header, std::string_view content) const;

 private:
  struct Table {
    TableLayout layout;  // as it was measured
    int to = -1;         // the aggregation of the other plan; −1: none
    std::vector<MeasurePair> pairs;
  };
  const Plan* to_ = nullptr;
  std::vector<Table> tables_;
};

}  // namespace tocsin
