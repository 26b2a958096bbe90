// What a golden scenario's traffic is made of: an ordinary day of some services, and what goes
// wrong in it. Both are read from YAML; README.md documents every key.
//
//   ErrorList errors;
//   std::optional<World> world = ReadWorld("tests/golden/worlds/rupaya.yaml", &errors);
//   std::vector<Fault> faults = ReadFaults(*node, &errors);
//
// Rates are per second at noon, times count from the start of the run. Value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/time.h"

namespace tocsin {

struct World {
  struct Endpoint {
    std::string path;
    double weight = 1;
    double median_ms = 30;
  };
  struct Queries {
    std::string dependency;
    double rate = 1;
    double median_ms = 8;
  };
  struct Service {
    std::string name;
    double rate = 10;
    std::string version = "v1";
    std::int64_t hosts = 2;
    std::vector<Endpoint> endpoints;
    std::vector<Queries> queries;
    std::vector<std::string> checks;
    double connections = 0;  // opened
    double logins = 0;
    double logs = 0.2;
  };
  struct Metric {
    std::string name, service, dependency, host, unit, source;
    double value = 0;
    double noise = 0;
    double growth = 0;  // per second
    // Rises by this much and falls back, as a heap does between collections.
    double sawtooth = 0;
    std::optional<double> limit;
    DurationUs every = 10 * kSecondUs;
  };
  struct Transactions {
    std::string service, name;
    double rate = 1;
    double failing = 0.02;
  };
  struct App {
    std::string name;
    double rate = 2;
    double crashing = 0.002;
    std::vector<std::string> versions;
  };

  std::int64_t users = 5'000;
  std::vector<std::string> agents;
  std::vector<Service> services;
  std::vector<Metric> metrics;
  std::vector<Transactions> transactions;
  std::vector<App> apps;
};

struct Fault {
  enum class Kind : std::uint8_t {
    kFail,
    kSlow,
    kStop,
    kMore,
    kFlood,
    kCrash,
    kGauge,
    kLog,
    kCheck,
    kDeploy,
    kLogins,
    kAlarm
  };
  Kind kind = Kind::kFail;
  DurationUs at = 0, length = 0;
  DurationUs over = 0;  // grows to its full size over this time
  // What it hits; empty: any.
  std::string service, endpoint, dependency, transaction, app, version, host, source;
  std::string name;  // of a metric, check or alarm
  double share = 1;  // of what fails
  double users = 1;  // share of users that are hit
  double times = 1;
  double to = 0;
  double rate = 0;  // of a flood, per second; of log lines and failed logins, per minute
  std::int64_t addresses = 1;
  std::string agent, exception, message;
  std::string status = "500";  // or "timeout"
  bool rollback = false;
  std::optional<double> cvss;
  bool connections = false;  // connections instead of requests, of `more` and `flood`

  bool ActiveAt(DurationUs time) const { return time >= at && time < at + length; }
  // In (0, 1].
  double SizeAt(DurationUs time) const {
    if (over <= 0 || time - at >= over) return 1;
    return static_cast<double>(time - at) / static_cast<double>(over);
  }
};

std::optional<World> ReadWorld(const std::string& path, ErrorList* errors);
// `node`: a list; nothing is an empty one.
std::vector<Fault> ReadFaults(const ConfigNode* node, ErrorList* errors);

}  // namespace tocsin
