#include "detectors/registry.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "detectors/stanza.h"

namespace tocsin {

using DetectorFactory = std::unique_ptr<Detector>(const DetectorConfig& stanza,
                                                  const DetectorEnvironment& environment,
                                                  ErrorList* errors);
// One .cc each under kinds/; a header for one function would add nothing.
DetectorFactory NewAbsence;
DetectorFactory NewBurnRate;
DetectorFactory NewBurst;
DetectorFactory NewCrashRate;
DetectorFactory NewDeployRegression;
DetectorFactory NewErrorRate;
DetectorFactory NewExhaustion;
DetectorFactory NewLatency;
DetectorFactory NewLeak;
DetectorFactory NewMismatch;
DetectorFactory NewRate;
DetectorFactory NewSaturation;
DetectorFactory NewState;
DetectorFactory NewStorm;
DetectorFactory NewSuccessRatio;

namespace {

struct Kind {
  const char* name;
  DetectorFactory* create;
};

constexpr std::array kKinds = {
    Kind{"absence", &NewAbsence},
    Kind{"burn_rate", &NewBurnRate},
    Kind{"burst", &NewBurst},
    Kind{"crash_rate", &NewCrashRate},
    Kind{"deploy_regression", &NewDeployRegression},
    Kind{"error_rate", &NewErrorRate},
    Kind{"exhaustion", &NewExhaustion},
    Kind{"latency", &NewLatency},
    Kind{"leak", &NewLeak},
    Kind{"mismatch", &NewMismatch},
    Kind{"rate", &NewRate},
    Kind{"saturation", &NewSaturation},
    Kind{"state", &NewState},
    Kind{"storm", &NewStorm},
    Kind{"success_ratio", &NewSuccessRatio},
};

// With an unknown input the detector would wait for ever.
void CheckInputs(const Config& config, const DetectorConfig& stanza, ErrorList* errors) {
  std::vector<std::string> names;
  for (const InputConfig& input : config.inputs) names.push_back(input.name);
  const bool all_named = std::find(names.begin(), names.end(), "") == names.end();
  if (names.empty() || !all_named) return;
  ErrorList repeated;  // discarded: the kind reads the key as well
  ConfigReader reader(stanza.node, "", &repeated);
  for (const ConfigNode& input : reader.Texts("inputs")) {
    if (std::find(names.begin(), names.end(), input.scalar) != names.end()) continue;
    const std::string nearest = Nearest(input.scalar, names);
    errors->AddMissing(
        input.at,
        absl::StrCat("detector ", stanza.name, " reads the unknown input '", input.scalar, "'",
                     nearest.empty()
                         ? absl::StrCat(" (inputs are ", absl::StrJoin(names, ", "), ")")
                         : absl::StrCat(": did you mean '", nearest, "'?")));
  }
}

}  // namespace

std::unique_ptr<Detector> NewDetector(const DetectorConfig& stanza,
                                      const DetectorEnvironment& environment, ErrorList* errors) {
  for (const Kind& kind : kKinds) {
    if (stanza.kind != kind.name) continue;
    const std::size_t before = errors->count();
    std::unique_ptr<Detector> detector = kind.create(stanza, environment, errors);
    return errors->count() == before ? std::move(detector) : nullptr;
  }
  CheckCommon(stanza, errors);
  if (stanza.kind.empty()) return nullptr;  // the configuration loader has reported it
  const ConfigNode* at = stanza.node.Find("kind");
  const std::string nearest = Nearest(stanza.kind, DetectorKinds());
  errors->Add(at != nullptr ? at->at : stanza.node.at,
              absl::StrCat("kind is '", stanza.kind, "': expected one of ",
                           absl::StrJoin(DetectorKinds(), ", "),
                           nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
  return nullptr;
}

std::vector<std::unique_ptr<Detector>> NewDetectors(const Config& config, ErrorList* errors) {
  const DetectorEnvironment environment = {
      .pane = config.pane,
      .false_pages_per_series_week = config.limits.false_pages_per_series_week,
      .series_expected = config.limits.series_expected};
  std::vector<std::unique_ptr<Detector>> detectors;
  for (const DetectorConfig& stanza : config.detectors) {
    CheckInputs(config, stanza, errors);
    std::unique_ptr<Detector> detector = NewDetector(stanza, environment, errors);
    if (detector != nullptr) detectors.push_back(std::move(detector));
  }
  return detectors;
}

std::vector<std::string> DetectorKinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

}  // namespace tocsin
