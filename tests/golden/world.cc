#include "tests/golden/world.h"

#include <array>
#include <fstream>
#include <sstream>
#include <utility>

namespace tocsin {
namespace {

constexpr double kMany = 1e9;
constexpr DurationUs kFaultDefault = 15 * kMinuteUs;
constexpr DurationUs kFaultAt = kHourUs;

constexpr std::array<std::pair<const char*, Fault::Kind>, 12> kKinds = {{
    {"fail", Fault::Kind::kFail},
    {"slow", Fault::Kind::kSlow},
    {"stop", Fault::Kind::kStop},
    {"more", Fault::Kind::kMore},
    {"flood", Fault::Kind::kFlood},
    {"crash", Fault::Kind::kCrash},
    {"gauge", Fault::Kind::kGauge},
    {"log", Fault::Kind::kLog},
    {"check", Fault::Kind::kCheck},
    {"deploy", Fault::Kind::kDeploy},
    {"logins", Fault::Kind::kLogins},
    {"alarm", Fault::Kind::kAlarm},
}};

// Calls `read` with a reader for each map of the list under `key`.
template <typename Read>
void ForEach(ConfigReader* reader, const char* key, ErrorList* errors, const Read& read) {
  const ConfigNode* node = reader->Node(key);
  if (node == nullptr) return;
  for (const ConfigNode& one : node->list) {
    ConfigReader item(one, key, errors);
    read(&item);
    item.Finish();
  }
}

double Rate(ConfigReader* reader, const char* key, double fallback) {
  return reader->Number(key, fallback, 0, kMany);
}

double Milliseconds(ConfigReader* reader, const char* key, DurationUs fallback) {
  return static_cast<double>(reader->Duration(key, fallback)) / kMillisecondUs;
}

World::Service ReadService(ConfigReader* reader, ErrorList* errors) {
  World::Service service;
  service.name = reader->RequiredString("name");
  service.rate = Rate(reader, "rate", service.rate);
  service.version = reader->String("version", service.version);
  service.hosts = reader->Int("hosts", service.hosts, 1, 1'000);
  service.checks = reader->Strings("checks");
  service.connections = Rate(reader, "connections", 0);
  service.logins = Rate(reader, "logins", 0);
  service.logs = Rate(reader, "logs", service.logs);
  ForEach(reader, "endpoints", errors, [&](ConfigReader* item) {
    World::Endpoint endpoint;
    endpoint.path = item->RequiredString("path");
    endpoint.weight = Rate(item, "weight", endpoint.weight);
    endpoint.median_ms = Milliseconds(item, "median", 30 * kMillisecondUs);
    service.endpoints.push_back(std::move(endpoint));
  });
  ForEach(reader, "queries", errors, [&](ConfigReader* item) {
    World::Queries queries;
    queries.dependency = item->RequiredString("dependency");
    queries.rate = Rate(item, "rate", queries.rate);
    queries.median_ms = Milliseconds(item, "median", 8 * kMillisecondUs);
    service.queries.push_back(std::move(queries));
  });
  return service;
}

World::Metric ReadMetric(ConfigReader* reader) {
  World::Metric metric;
  metric.name = reader->RequiredString("name");
  metric.service = reader->String("service");
  metric.dependency = reader->String("dependency");
  metric.host = reader->String("host");
  metric.unit = reader->String("unit");
  metric.source = reader->String("source");
  metric.value = reader->Number("value", 0, -kMany, kMany);
  metric.noise = Rate(reader, "noise", 0);
  metric.growth = Rate(reader, "growth", 0);
  metric.sawtooth = Rate(reader, "sawtooth", 0);
  metric.limit = reader->OptionalNumber("limit", 0, kMany);
  metric.every = reader->Duration("every", metric.every, kSecondUs);
  return metric;
}

Fault ReadFault(ConfigReader* reader) {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kKinds) names.emplace_back(name);
  Fault fault;
  const std::string said = reader->Choice("fault", names, names[0]);
  for (const auto& [name, kind] : kKinds) {
    if (said == name) fault.kind = kind;
  }
  fault.at = reader->Duration("at", kFaultAt);
  fault.length = reader->Duration("for", kFaultDefault, kSecondUs);
  fault.over = reader->Duration("over", 0);
  for (const auto& [key, field] : {std::pair{"service", &fault.service},
                                   {"endpoint", &fault.endpoint},
                                   {"dependency", &fault.dependency},
                                   {"transaction", &fault.transaction},
                                   {"app", &fault.app},
                                   {"version", &fault.version},
                                   {"host", &fault.host},
                                   {"source", &fault.source},
                                   {"name", &fault.name},
                                   {"agent", &fault.agent},
                                   {"exception", &fault.exception},
                                   {"message", &fault.message}}) {
    *field = reader->String(key);
  }
  fault.share = reader->Ratio("share", fault.share);
  fault.users = reader->Ratio("users", fault.users);
  fault.times = Rate(reader, "times", fault.times);
  fault.to = reader->Number("to", 0, -kMany, kMany);
  fault.rate = Rate(reader, "rate", 0);
  fault.addresses = reader->Int("addresses", 1, 1, 1'000'000);
  fault.status = reader->String("status", fault.status);
  fault.rollback = reader->Bool("rollback", false);
  fault.cvss = reader->OptionalNumber("cvss", 0, 10);
  fault.connections = reader->Bool("connections", false);
  return fault;
}

}  // namespace

std::optional<World> ReadWorld(const std::string& path, ErrorList* errors) {
  std::ifstream file(path);
  if (!file) {
    errors->Add({.file = path}, "cannot be read");
    return std::nullopt;
  }
  std::ostringstream text;
  text << file.rdbuf();
  ErrorList own;
  const ConfigNode root = ParseYaml(text.str(), path, &own);
  ConfigReader reader(root, "", &own);
  World world;
  world.users = reader.Int("users", world.users, 1, 10'000'000);
  world.agents = reader.Strings("agents");
  ForEach(&reader, "services", &own,
          [&](ConfigReader* item) { world.services.push_back(ReadService(item, &own)); });
  ForEach(&reader, "metrics", &own,
          [&](ConfigReader* item) { world.metrics.push_back(ReadMetric(item)); });
  ForEach(&reader, "transactions", &own, [&](ConfigReader* item) {
    World::Transactions kind;
    kind.service = item->RequiredString("service");
    kind.name = item->RequiredString("name");
    kind.rate = Rate(item, "rate", kind.rate);
    kind.failing = item->Ratio("failing", kind.failing);
    world.transactions.push_back(std::move(kind));
  });
  ForEach(&reader, "apps", &own, [&](ConfigReader* item) {
    World::App app;
    app.name = item->RequiredString("name");
    app.rate = Rate(item, "rate", app.rate);
    app.crashing = item->Ratio("crashing", app.crashing);
    app.versions = item->Strings("versions");
    world.apps.push_back(std::move(app));
  });
  if (world.agents.empty()) reader.Error("agents", "agents: expected at least one user agent");
  reader.Finish();
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  if (!own.empty()) return std::nullopt;
  return world;
}

std::vector<Fault> ReadFaults(const ConfigNode* node, ErrorList* errors) {
  std::vector<Fault> faults;
  if (node == nullptr) return faults;
  for (const ConfigNode& one : node->list) {
    ConfigReader reader(one, "fault", errors);
    faults.push_back(ReadFault(&reader));
    reader.Finish();
  }
  return faults;
}

}  // namespace tocsin
