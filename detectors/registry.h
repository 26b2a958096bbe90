// The table of detector kinds. A new kind is one .cc under kinds/, one test, and one line in
// registry.cc; nothing else changes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "detectors/detector.h"

namespace tocsin {

// nullptr with errors when the kind is unknown or the stanza is invalid.
std::unique_ptr<Detector> NewDetector(const DetectorConfig& stanza,
                                      const DetectorEnvironment& environment, ErrorList* errors);

// All detectors of a configuration; errors are collected over all stanzas.
std::vector<std::unique_ptr<Detector>> NewDetectors(const Config& config, ErrorList* errors);

std::vector<std::string> DetectorKinds();

}  // namespace tocsin
