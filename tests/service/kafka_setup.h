// What tests of a Kafka input need to begin with: one input, one detector.
//
//   KafkaSetup setup(kafka_.brokers(), "app-logs");
//   KafkaInput input(&setup.config->inputs.front(), setup.engine.get(), …);
//
// A failure of the running test where something is wrong; the members are then empty.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "runtime/engine_setup.h"

namespace tocsin {

struct KafkaSetup {
  KafkaSetup(const std::string& brokers, const std::string& topic) {
    ErrorList errors;
    config = LoadConfigText("inputs: [{name: logs, kafka: {brokers: \"" + brokers +
                                "\", topics: [" + topic +
                                "], group: g, start: earliest, "
                                "properties: {session.timeout.ms: 6000}}}]\n"
                                "detectors: [{name: e, kind: error_rate, by: [service], "
                                "critical: {above: 50%, window: 1m}}]\n",
                            "test", &errors);
    if (config) engine = EngineSetup::Build(&*config, &errors);
    EXPECT_NE(engine, nullptr) << ErrorsText(errors);
  }
  // The engine holds a pointer to the configuration.
  KafkaSetup(const KafkaSetup&) = delete;
  KafkaSetup& operator=(const KafkaSetup&) = delete;

  std::optional<Config> config;
  std::unique_ptr<EngineSetup> engine;
};

}  // namespace tocsin
