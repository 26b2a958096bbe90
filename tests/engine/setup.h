// A configuration with its detectors and plan, as the engine's tests and the simulation need it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/config.h"
#include "detectors/registry.h"
#include "engine/decider.h"

namespace tocsin::testing {

struct EngineSetup {
  Config config;
  std::vector<std::unique_ptr<Detector>> detectors;
  Plan plan;

  // nullptr, and a failure of the running test, when the text is wrong.
  static std::unique_ptr<EngineSetup> From(const std::string& yaml) {
    ErrorList errors;
    std::optional<Config> config = LoadConfigText(yaml, "test.yaml", &errors);
    auto setup = std::make_unique<EngineSetup>();
    if (config) {
      setup->config = *std::move(config);
      setup->detectors = NewDetectors(setup->config, &errors);
    }
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    if (!errors.empty()) return nullptr;
    setup->plan = CompilePlan(setup->config, setup->detectors);
    return setup;
  }
};

}  // namespace tocsin::testing
