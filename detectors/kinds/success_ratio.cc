// success_ratio: too few payments, transfers or other business transactions succeed.
//
//   kind: success_ratio
//   where: {type: transaction, name: payment}   # the default type
//   by: [service]
//   critical: {below: 50%, clear: 70%, window: 5m, for: 5m, level: 2}
//   baseline: 97%                               # optional: fixes the usual share
//
// See failure_ratio.h for the rule, which is applied to successes. The evidence lists the names,
// versions and exceptions of the failures.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "detectors/failure_ratio.h"
#include "detectors/stanza.h"

namespace tocsin {

std::unique_ptr<Detector> NewSuccessRatio(const DetectorConfig& stanza,
                                          const DetectorEnvironment& environment,
                                          ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kAvailability}, &reader, errors,
      [](ConfigReader& level, int, LevelConfig* config) {
        if (!level.Has("below")) {
          level.Missing("", "success_ratio needs 'below', such as below: 50%");
        }
        config->above = level.Ratio("below", 0.5);
        if (config->above <= 0 || config->above >= 1) {
          level.Error("below", "below: expected a share between 0 and 100 %, both excluded");
          config->above = 0.5;
        }
        // By default clears when the failures have fallen to half, as for error_rate.
        config->clear = level.Ratio("clear", (1 + config->above) / 2);
        if (config->clear < config->above && level.Sound("below") && level.Sound("clear")) {
          level.Error("clear", "clear is smaller than below");
        }
      });
  const std::optional<double> usual = reader.OptionalRatio("baseline");
  FailureRatio ratio = {.type = EventType::kTransaction,
                        .noun = "success ratio",
                        .of_successes = true,
                        .top_fields = {Field::kName, Field::kVersion, Field::kException},
                        .counted = {},
                        .p0 = usual ? std::optional(1 - *usual) : std::nullopt};
  reader.Finish();
  return NewFailureRatio(std::move(common), environment, std::move(ratio));
}

}  // namespace tocsin
