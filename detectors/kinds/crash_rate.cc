// crash_rate: too many sessions of an app end in a crash.
//
//   kind: crash_rate
//   where: {type: session}                      # the default type
//   by: [app]
//   critical: {above: 1%, clear: 0.5%, window: 5m, for: 5m, level: 2}
//   baseline: 0.2%                              # optional: fixes the usual share
//
// See failure_ratio.h for the rule. The evidence lists the versions and exceptions of the crashes.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "detectors/failure_ratio.h"
#include "detectors/stanza.h"

namespace tocsin {

std::unique_ptr<Detector> NewCrashRate(const DetectorConfig& stanza,
                                       const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kAvailability}, &reader, errors, ReadShareAbove);
  FailureRatio ratio = {.type = EventType::kSession,
                        .noun = "crash rate",
                        .top_fields = {Field::kException, Field::kVersion},
                        .counted = {},
                        .p0 = reader.OptionalRatio("baseline")};
  reader.Finish();
  return NewFailureRatio(std::move(common), environment, std::move(ratio));
}

}  // namespace tocsin
