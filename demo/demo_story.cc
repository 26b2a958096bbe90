#include "demo/demo_story.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "core/json_writer.h"
#include "core/math.h"

namespace tocsin {
namespace {

struct Endpoint {
  std::string_view method;
  std::string_view path;  // with a random number behind it where it ends with '/'
  double weight;          // of the service's endpoints, summing to 1
  double median_ms;
};

constexpr std::array<Endpoint, 6> kApiEndpoints = {{
    {"GET", "/api/balance", 0.30, 28},
    {"GET", "/api/accounts/", 0.24, 35},
    {"GET", "/api/transactions", 0.24, 62},
    {"POST", "/api/transfers", 0.10, 120},
    {"POST", "/api/login", 0.10, 95},
    {"GET", "/api/transactions/export", 0.02, 380},
}};
constexpr std::array<Endpoint, 2> kPaymentsEndpoints = {{
    {"POST", "/payments", 0.45, 170},
    {"GET", "/payments/", 0.55, 45},
}};
constexpr std::array<Endpoint, 2> kNotificationsEndpoints = {{
    {"GET", "/inbox", 0.70, 18},
    {"POST", "/push-tokens", 0.30, 24},
}};

// Of a response within its service; sigma of the logarithm. The p95 is about 2.3 times the median.
constexpr double kLatencySpread = 0.5;
// What a client waits for a connection before it gives up.
constexpr double kTimeoutMs = 5'000;
// Failures on a good day.
constexpr double kUsualFailures = 0.002;
constexpr double kFailuresAtFullPool = 0.80;
// Gives about 250 failed ones between the first and the last failure.
constexpr double kTransactionsPerSecond = 0.345;
constexpr DurationUs kMetricInterval = 10 * kSecondUs;

constexpr std::array<std::string_view, 3> kUserAgents = {
    "RupayaApp/5.2.1 (Android 14)", "RupayaApp/5.2.1 (iOS 17.3)", "RupayaApp/5.1.0 (Android 13)"};

double Between(double from, double to, TimeUs time, TimeUs begin, TimeUs end) {
  return from + (to - from) * static_cast<double>(time - begin) / static_cast<double>(end - begin);
}

// Begins an event that every service sends.
void Begin(std::string_view type, TimeUs time, std::string_view service, JsonWriter* json) {
  json->BeginObject();
  json->Key("time").String(FormatTime(time));
  json->Key("type").String(type);
  json->Key("env").String("prod");
  if (!service.empty()) json->Key("service").String(service);
}

std::string UserName(int user) { return "customer-" + std::to_string(10'000 + user); }

// One address a user, from the range that mobile networks share.
std::string UserAddress(int user) {
  return "100.64." + std::to_string(user / 250) + "." + std::to_string(1 + user % 250);
}

// Two digits are all that a latency needs.
double Rounded(double value) { return static_cast<double>(std::llround(value * 100)) / 100; }

const Endpoint& Choose(std::span<const Endpoint> endpoints, double uniform) {
  for (const Endpoint& endpoint : endpoints) {
    uniform -= endpoint.weight;
    if (uniform < 0) return endpoint;
  }
  return endpoints.back();
}

struct Service {
  std::string_view name;
  double rate;  // requests a second
  bool needs_database;
  int tasks;
  std::span<const Endpoint> endpoints;
};
constexpr std::array<Service, 3> kServices = {{
    {"api", 60, true, 4, kApiEndpoints},
    {"payments", 12, true, 4, kPaymentsEndpoints},
    {"notifications", 8, false, 4, kNotificationsEndpoints},
}};

struct Dependency {
  std::string_view service;
  std::string_view name;
  double rate;
  double median_ms;
};
// A sample of the calls, not all.
constexpr std::array<Dependency, 4> kDependencies = {{
    {"api", story::kDatabase, 6, 8},
    {"payments", story::kDatabase, 2, 11},
    {"payments", "card-gateway", 1, 140},
    {"notifications", "rupaya-cache", 2, 1.2},
}};

std::string HostName(const Service& service, int task) {
  return std::string(service.name) + "-" + std::to_string(task + 1);
}

std::string_view ApiVersion(TimeUs time) {
  return time < story::kDeploy || time >= story::kRollbackEnd ? story::kVersionBefore
                                                              : story::kVersion;
}

}  // namespace

namespace story {

double PoolInUse(TimeUs time) {
  constexpr double kUsual = 32;
  // The new tasks take over one by one: the pool stays full until the last of the old ones has
  // gone.
  constexpr TimeUs kDraining = At(21, 19, 30);
  constexpr TimeUs kDrained = At(21, 21, 50);
  if (time < kDeploy || time >= kDrained) return kUsual;
  if (time < kPoolFull) return Between(kUsual, kPoolLimit, time, kDeploy, kPoolFull);
  if (time < kDraining) return kPoolLimit;
  return Between(kPoolLimit, kUsual, time, kDraining, kDrained);
}

double FailureShare(TimeUs time) {
  if (time < kFirstFailure || time >= kLastFailure) return 0;
  if (time < kPoolFull) return Between(0.10, 0.50, time, kFirstFailure, kPoolFull);
  if (time < kRollbackStart) return kFailuresAtFullPool;
  if (time < kRollbackEnd) {
    return Between(kFailuresAtFullPool, 0.40, time, kRollbackStart, kRollbackEnd);
  }
  return Between(0.40, 0.02, time, kRollbackEnd, kLastFailure);
}

}  // namespace story

std::string_view StoryTopicName(StoryTopic topic) {
  return topic == StoryTopic::kRequests ? "rupaya-requests" : "rupaya-platform";
}

bool DemoStory::Next(StoryRecord* out) {
  while (next_ == second_.size()) {
    if (now_ >= story::kEnd) return false;
    MakeSecond();
    now_ += kSecondUs;
  }
  *out = std::move(second_[next_++]);
  return true;
}

void DemoStory::MakeSecond() {
  second_.clear();
  next_ = 0;
  Requests();
  Queries();
  Transactions();
  Logs();
  Connections();
  if (now_ % kMetricInterval == 0) Metrics();
  Deploys();
  std::stable_sort(second_.begin(), second_.end(),
                   [](const StoryRecord& a, const StoryRecord& b) { return a.time < b.time; });
}

void DemoStory::Requests() {
  for (std::size_t i = 0; i < kServices.size(); ++i) {
    for (int n = Times(kServices[i].rate); n > 0; --n) Request(static_cast<int>(i));
  }
}

void DemoStory::Request(int index) {
  const Service& service = kServices[static_cast<std::size_t>(index)];
  const Endpoint& endpoint = Choose(service.endpoints, Uniform());
  const int user = NextUser();
  StoryRecord record{.time = Moment(), .type = EventType::kRequest};
  const bool timeout = service.needs_database && Chance(story::FailureShare(record.time));
  record.failed = timeout || Chance(kUsualFailures);
  record.duration_ms = Rounded(timeout ? kTimeoutMs + Below(200) : Latency(endpoint.median_ms));
  const bool refused = !record.failed && Chance(0.01);  // the client's own mistakes

  JsonWriter json;
  Begin("request", record.time, service.name, &json);
  json.Key("host").String(HostName(service, Below(service.tasks)));
  if (index == 0) json.Key("version").String(ApiVersion(record.time));
  json.Key("method").String(endpoint.method);
  std::string path(endpoint.path);
  if (path.back() == '/') path += std::to_string(10'000 + Below(80'000));
  json.Key("endpoint").String(path);
  if (timeout) {
    json.Key("outcome").String("failure");
  } else {
    json.Key("status").Int(record.failed ? 500 : refused ? 404 : 200);
  }
  json.Key("duration_ms").Number(record.duration_ms);
  json.Key("user").String(UserName(user));
  json.Key("client_ip").String(UserAddress(user));
  json.Key("user_agent").String(kUserAgents[static_cast<std::size_t>(user) % kUserAgents.size()]);
  record.json = json.EndObject().Take();
  Put(StoryTopic::kRequests, user % kStoryPartitions, std::move(record));
}

void DemoStory::Queries() {
  for (const Dependency& dependency : kDependencies) {
    for (int n = Times(dependency.rate); n > 0; --n) {
      StoryRecord record{.time = Moment(), .type = EventType::kQuery};
      // Whoever gets no connection sends no query; those that are sent are as fast as ever.
      if (dependency.name == story::kDatabase && Chance(story::FailureShare(record.time))) continue;
      JsonWriter json;
      Begin("query", record.time, dependency.service, &json);
      json.Key("dependency").String(dependency.name);
      json.Key("duration_ms").Number(Rounded(Latency(dependency.median_ms)));
      json.Key("outcome").String("success");
      record.json = json.EndObject().Take();
      Put(StoryTopic::kRequests, Below(kStoryPartitions), std::move(record));
    }
  }
}

void DemoStory::Transactions() {
  for (int n = Times(kTransactionsPerSecond); n > 0; --n) {
    const int user = NextUser();
    StoryRecord record{.time = Moment(), .type = EventType::kTransaction};
    record.failed = Chance(story::FailureShare(record.time));
    const bool payment = Chance(0.6);
    JsonWriter json;
    Begin("transaction", record.time, payment ? "payments" : "api", &json);
    json.Key("name").String(payment ? "payment" : "transfer");
    json.Key("outcome").String(record.failed ? "failure" : "success");
    json.Key("amount").Int(50 + Below(3'000));
    json.Key("currency").String("INR");
    json.Key("user").String(UserName(user));
    record.json = json.EndObject().Take();
    Put(StoryTopic::kRequests, user % kStoryPartitions, std::move(record));
  }
}

void DemoStory::Logs() {
  for (const Service& service : kServices) {
    const bool hurt = service.needs_database && Chance(story::FailureShare(now_));
    for (int n = hurt ? 2 : Times(0.6); n > 0; --n) {
      StoryRecord record{.time = Moment(), .type = EventType::kLog};
      const int task = Below(service.tasks);
      JsonWriter json;
      Begin("log", record.time, service.name, &json);
      json.Key("host").String(HostName(service, task));
      json.Key("level").String(hurt ? "error" : "info");
      json.Key("message").String(hurt ? "could not connect to server: timeout expired"
                                      : "request handled");
      record.json = json.EndObject().Take();
      Put(StoryTopic::kPlatform, task % kStoryPartitions, std::move(record));
    }
  }
}

// Of the apps to the load balancer; they never notice the database.
void DemoStory::Connections() {
  for (int n = Times(1.0); n > 0; --n) {
    const int user = Below(story::kUsers);
    StoryRecord record{.time = Moment(), .type = EventType::kConnection};
    JsonWriter json;
    Begin("connection", record.time, "edge", &json);
    json.Key("action").String(Chance(0.5) ? "open" : "close");
    json.Key("client_ip").String(UserAddress(user));
    json.Key("user_agent").String(kUserAgents[static_cast<std::size_t>(user) % kUserAgents.size()]);
    record.json = json.EndObject().Take();
    Put(StoryTopic::kPlatform, user % kStoryPartitions, std::move(record));
  }
}

void DemoStory::Metrics() {
  const double noise = story::PoolInUse(now_) < story::kPoolLimit ? Below(5) - 2 : 0;
  const double in_use = static_cast<double>(static_cast<int>(story::PoolInUse(now_) + noise));
  Metric(0, "db_connections", "dependency", story::kDatabase, in_use, story::kPoolLimit);
  second_.back().connections = in_use;
  Metric(1, "cpu_utilization", "dependency", story::kDatabase, 34 + Below(6), 0);
  Metric(2, "memory_utilization", "dependency", "rupaya-cache", 61 + Below(2), 0);
  for (const Service& service : kServices) {
    Metric(3, "healthy_targets", "service", service.name, service.tasks, service.tasks);
    for (int task = 0; task < service.tasks; ++task) {
      const std::string host = HostName(service, task);
      // Waiting for a connection costs no CPU.
      Metric(task % kStoryPartitions, "cpu_utilization", "host", host, 38 + Below(9), 0);
      Metric(task % kStoryPartitions, "memory_utilization", "host", host, 57 + Below(4), 0);
    }
  }
}

// `limit` 0: none.
void DemoStory::Metric(int partition, std::string_view name, std::string_view label,
                       std::string_view subject, double value, double limit) {
  StoryRecord record{.time = now_, .type = EventType::kMetric};
  JsonWriter json;
  Begin("metric", record.time, "", &json);
  json.Key("name").String(name).Key(label).String(subject).Key("value").Number(value);
  if (limit > 0) json.Key("limit").Number(limit);
  record.json = json.EndObject().Take();
  Put(StoryTopic::kPlatform, partition, std::move(record));
}

void DemoStory::Deploys() {
  // One that has nothing to do with it, to be told apart.
  if (now_ == story::At(20, 52)) Deploy("notifications", "v3.4.1", "release");
  if (now_ == story::kDeploy) Deploy(story::kService, story::kVersion, "release");
  if (now_ == story::kRollbackEnd) Deploy(story::kService, story::kVersionBefore, "rollback");
}

void DemoStory::Deploy(std::string_view service, std::string_view version, std::string_view name) {
  StoryRecord record{.time = now_, .type = EventType::kDeploy};
  JsonWriter json;
  Begin("deploy", record.time, service, &json);
  json.Key("id").String("deploy-" + std::string(service) + "-" + FormatClock(now_));
  json.Key("version").String(version).Key("name").String(name);
  record.json = json.EndObject().Take();
  record.note = std::string(name) + " of " + std::string(service) + " to " + std::string(version);
  Put(StoryTopic::kPlatform, 0, std::move(record));
}

// splitmix64, by Steele, Lea and Flood (2014).
std::uint64_t DemoStory::Random() {
  std::uint64_t z = random_ += 0x9E37'79B9'7F4A'7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
  return z ^ (z >> 31);
}

double DemoStory::Uniform() { return static_cast<double>(Random() >> 11) / 0x1p53; }

int DemoStory::Times(double rate) {
  // Knuth's way: as many uniforms as it takes for their product to fall below e^−rate.
  const double limit = Exp(-rate);
  double product = Uniform();
  int times = 0;
  while (product > limit) {
    product *= Uniform();
    ++times;
  }
  return times;
}

double DemoStory::Latency(double median_ms) {
  // Twelve uniforms have variance 1: close to a normal, and the same on every machine.
  double normal = -6;
  for (int i = 0; i < 12; ++i) normal += Uniform();
  return median_ms * Exp(kLatencySpread * normal);
}

// Everyone's app asks about every three minutes, so an outage of a quarter of an hour meets them
// all.
int DemoStory::NextUser() {
  constexpr std::int64_t kStride = 7'919;  // coprime to the number of users: each gets a turn
  return static_cast<int>(turns_++ * kStride % story::kUsers);
}

void DemoStory::Put(StoryTopic topic, int partition, StoryRecord record) {
  record.topic = topic;
  record.partition = partition;
  second_.push_back(std::move(record));
}

}  // namespace tocsin
