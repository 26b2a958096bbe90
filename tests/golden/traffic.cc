#include "tests/golden/traffic.h"

#include <algorithm>
#include <cmath>

namespace tocsin {
namespace {

constexpr double kUsualFailures = 0.002;
constexpr double kClientMistakes = 0.01;
constexpr double kFailedLogins = 0.03;
constexpr double kLatencySpread = 0.5;  // sigma of the logarithm: p95 is 2.3 times the median
constexpr double kTimeoutMs = 5'000;
constexpr DurationUs kArrivesWithin = 2 * kSecondUs;
constexpr DurationUs kCheckEvery = 10 * kSecondUs;
constexpr DurationUs kCollectionEvery = 7 * kMinuteUs;
constexpr std::int64_t kStride = 7'919;  // coprime to 1,000

bool Matches(const std::string& wanted, const std::string& is) {
  return wanted.empty() || wanted == is;
}

std::string Address(std::string_view prefix, std::int64_t number) {
  return std::string(prefix) + std::to_string(number / 250 % 250) + '.' +
         std::to_string(1 + number % 250);
}

double Rounded(double value) { return std::round(value * 100) / 100; }

}  // namespace

Traffic::Traffic(const World* world, const std::vector<Fault>* faults, Options options)
    : world_(world), faults_(faults), options_(options), random_(options.seed) {}

bool Traffic::Next(std::string* line) {
  while (now_ < options_.length && (waiting_.empty() || waiting_.front().at >= kStart + now_)) {
    MakeSecond();
  }
  if (waiting_.empty()) return false;
  const auto later = [](const Arrival& a, const Arrival& b) { return b < a; };
  std::pop_heap(waiting_.begin(), waiting_.end(), later);
  *line = std::move(waiting_.back().line);
  waiting_.pop_back();
  return true;
}

void Traffic::MakeSecond() {
  active_.clear();
  for (const Fault& fault : *faults_) {
    if (fault.ActiveAt(now_)) active_.push_back(&fault);
  }
  for (const Fault& fault : *faults_) Tell(fault);
  for (const World::Service& service : world_->services) {
    if (!Stopped(service.name)) {
      Requests(service);
      Queries(service);
      Logins(service);
    }
    Connections(service);
    Checks(service);
    Logs(service);
  }
  for (const World::Transactions& kind : world_->transactions) Transactions(kind);
  for (const World::App& app : world_->apps) Sessions(app);
  for (const World::Metric& metric : world_->metrics) {
    if (Every(metric.every)) Metric(metric);
  }
  now_ += kSecondUs;
}

double Traffic::Rhythm() const {
  const DurationUs of_day = (kStart + now_) % kDayUs;
  const double hours = static_cast<double>(of_day) / static_cast<double>(kHourUs);
  // A parabola from its top at 13:00 down to a third, twelve hours away.
  const double away = std::min(std::abs(hours - 13), 24 - std::abs(hours - 13)) / 12;
  return 1 - 2.0 / 3 * away * away;
}

bool Traffic::Stopped(const std::string& service) const {
  return std::any_of(active_.begin(), active_.end(), [&](const Fault* fault) {
    return fault->kind == Fault::Kind::kStop && Matches(fault->service, service);
  });
}

double Traffic::Crowd(const World::Service& service, bool connections) const {
  double times = 1;
  for (const Fault* fault : active_) {
    if (fault->kind == Fault::Kind::kMore && fault->connections == connections &&
        Matches(fault->service, service.name)) {
      times *= 1 + (fault->times - 1) * fault->SizeAt(now_);
    }
  }
  return times;
}

template <typename Hits>
const Fault* Traffic::FailedBy(const Caller* caller, const Hits& hits) {
  for (const Fault* fault : active_) {
    if (fault->kind != Fault::Kind::kFail || !hits(*fault)) continue;
    if (caller != nullptr && fault->users < 1) {
      // The same users as long as it lasts: spread over the crowd.
      const auto slot = static_cast<double>(caller->number * kStride % 1'000);
      if (slot >= fault->users * 1'000) continue;
    }
    if (random_.Chance(fault->share * fault->SizeAt(now_))) return fault;
  }
  return nullptr;
}

template <typename Hits>
double Traffic::Slowness(const Hits& hits) const {
  double times = 1;
  for (const Fault* fault : active_) {
    if (fault->kind != Fault::Kind::kSlow || !hits(*fault)) continue;
    times *= 1 + (fault->times - 1) * fault->SizeAt(now_);
  }
  return times;
}

std::string Traffic::VersionOf(const World::Service& service) const {
  const auto found = versions_.find(service.name);
  return found == versions_.end() ? service.version : found->second;
}

Traffic::Caller Traffic::AnyUser(double crowd) {
  const auto users = static_cast<std::int64_t>(static_cast<double>(world_->users) * crowd);
  const std::int64_t user = random_.Below(std::max<std::int64_t>(1, users));
  const auto agents = static_cast<std::int64_t>(world_->agents.size());
  return {.number = user,
          .user = "user-" + std::to_string(user),
          .address = Address("100.64.", user),
          .agent = world_->agents[static_cast<std::size_t>(user % agents)]};
}

Traffic::Caller Traffic::FloodCaller(const Fault& fault) {
  if (fault.users < 1) {
    // The same few users, over and over, with the agent of the fault.
    Caller caller = AnyUser(fault.users);
    if (!fault.agent.empty()) caller.agent = fault.agent;
    return caller;
  }
  const std::int64_t who = random_.Below(fault.addresses);
  const std::string agent = fault.agent.empty() ? world_->agents[0] : fault.agent;
  return {.number = 0, .user = "", .address = Address("203.0.", who), .agent = agent};
}

JsonWriter& Traffic::Begin(std::string_view type, const std::string& service) {
  moment_ = kStart + now_ + random_.Below(1'000) * kMillisecondUs;
  json_.BeginObject();
  json_.Key("time").String(FormatTime(moment_));
  json_.Key("type").String(type);
  Field("service", service);
  return json_;
}

void Traffic::Field(const char* key, const std::string& value) {
  if (!value.empty()) json_.Key(key).String(value);
}

void Traffic::End() {
  json_.EndObject();
  waiting_.push_back({.at = moment_ + random_.Below(kArrivesWithin),
                      .sequence = sequence_++,
                      .line = json_.Take()});
  std::push_heap(waiting_.begin(), waiting_.end(),
                 [](const Arrival& a, const Arrival& b) { return b < a; });
}

void Traffic::Requests(const World::Service& service) {
  if (service.endpoints.empty()) return;
  const double crowd = Crowd(service, /*connections=*/false);
  double weights = 0;
  for (const World::Endpoint& endpoint : service.endpoints) weights += endpoint.weight;
  for (int n = random_.Poisson(service.rate * Rhythm() * crowd); n > 0; --n) {
    double at = random_.Uniform() * weights;
    const World::Endpoint* chosen = &service.endpoints.back();
    for (const World::Endpoint& endpoint : service.endpoints) {
      at -= endpoint.weight;
      if (at < 0) {
        chosen = &endpoint;
        break;
      }
    }
    Request(service, *chosen, AnyUser(crowd));
  }
}

void Traffic::Request(const World::Service& service, const World::Endpoint& endpoint,
                      const Caller& caller) {
  const auto hits = [&](const Fault& fault) {
    return Matches(fault.service, service.name) && Matches(fault.endpoint, endpoint.path) &&
           fault.dependency.empty() && fault.transaction.empty();
  };
  const Fault* failed = FailedBy(&caller, hits);
  const bool timeout = failed != nullptr && failed->status == "timeout";
  std::string status = failed != nullptr                 ? failed->status
                       : random_.Chance(kUsualFailures)  ? "500"
                       : random_.Chance(kClientMistakes) ? "404"
                                                         : "200";
  Begin("request", service.name);
  json_.Key("host").String(service.name + '-' + std::to_string(1 + random_.Below(service.hosts)));
  json_.Key("version").String(VersionOf(service));
  json_.Key("method").String("GET");
  json_.Key("endpoint").String(endpoint.path);
  if (timeout) {
    json_.Key("outcome").String("failure");
    json_.Key("duration_ms").Number(kTimeoutMs + static_cast<double>(random_.Below(200)));
  } else {
    json_.Key("status").Raw(status);
    json_.Key("duration_ms")
        .Number(Rounded(random_.LogNormal(endpoint.median_ms, kLatencySpread) * Slowness(hits)));
  }
  if (failed != nullptr) Field("exception", failed->exception);
  Field("user", caller.user);
  json_.Key("client_ip").String(caller.address);
  json_.Key("user_agent").String(caller.agent);
  End();
}

void Traffic::Queries(const World::Service& service) {
  for (const World::Queries& queries : service.queries) {
    const auto hits = [&](const Fault& fault) {
      return !fault.dependency.empty() && fault.dependency == queries.dependency &&
             Matches(fault.service, service.name);
    };
    for (int n = random_.Poisson(queries.rate * Rhythm()); n > 0; --n) {
      const Fault* failed = FailedBy(nullptr, hits);
      const bool timeout = failed != nullptr && failed->status == "timeout";
      const double duration =
          timeout ? kTimeoutMs
                  : random_.LogNormal(queries.median_ms, kLatencySpread) * Slowness(hits);
      Begin("query", service.name);
      json_.Key("dependency").String(queries.dependency);
      json_.Key("duration_ms").Number(Rounded(duration));
      const bool failure = failed != nullptr || random_.Chance(kUsualFailures);
      json_.Key("outcome").String(failure ? "failure" : "success");
      End();
    }
  }
}

void Traffic::Transactions(const World::Transactions& kind) {
  if (Stopped(kind.service)) return;
  for (int n = random_.Poisson(kind.rate * Rhythm()); n > 0; --n) {
    const Caller caller = AnyUser();
    const Fault* failed = FailedBy(&caller, [&](const Fault& fault) {
      return !fault.transaction.empty() && fault.transaction == kind.name;
    });
    Begin("transaction", kind.service);
    json_.Key("name").String(kind.name);
    const bool failure = failed != nullptr || random_.Chance(kind.failing);
    json_.Key("outcome").String(failure ? "failure" : "success");
    json_.Key("amount").Int(50 + random_.Below(3'000));
    json_.Key("currency").String("INR");
    json_.Key("user").String(caller.user);
    End();
  }
}

void Traffic::Sessions(const World::App& app) {
  for (int n = random_.Poisson(app.rate * Rhythm()); n > 0; --n) {
    const Caller caller = AnyUser();
    const auto versions = static_cast<std::int64_t>(app.versions.size());
    const std::string& version = app.versions[static_cast<std::size_t>(random_.Below(versions))];
    std::string exception;
    for (const Fault* fault : active_) {
      const bool hits = fault->kind == Fault::Kind::kCrash && Matches(fault->app, app.name) &&
                        Matches(fault->version, version);
      if (hits && random_.Chance(fault->share * fault->SizeAt(now_))) exception = fault->exception;
    }
    if (exception.empty() && random_.Chance(app.crashing)) exception = "OutOfMemory";
    Begin("session", "");
    json_.Key("app").String(app.name);
    json_.Key("version").String(version);
    json_.Key("outcome").String(exception.empty() ? "success" : "failure");
    Field("exception", exception);
    json_.Key("user").String(caller.user);
    End();
  }
}

void Traffic::Connections(const World::Service& service) {
  const double crowd = Crowd(service, /*connections=*/true);
  for (int n = random_.Poisson(service.connections * Rhythm() * crowd); n > 0; --n) {
    Connection(service.name, AnyUser(crowd));
  }
}

void Traffic::Connection(const std::string& service, const Caller& caller) {
  Begin("connection", service);
  json_.Key("action").String("open");
  json_.Key("client_ip").String(caller.address);
  json_.Key("user_agent").String(caller.agent);
  Field("user", caller.user);
  End();
}

void Traffic::Logins(const World::Service& service) {
  for (int n = random_.Poisson(service.logins * Rhythm()); n > 0; --n) {
    Login(service.name, AnyUser(), random_.Chance(kFailedLogins));
  }
}

void Traffic::Login(const std::string& service, const Caller& caller, bool failed) {
  Begin("auth", service);
  json_.Key("name").String("password");
  json_.Key("outcome").String(failed ? "failure" : "success");
  json_.Key("client_ip").String(caller.address);
  Field("user", caller.user);
  End();
}

void Traffic::Checks(const World::Service& service) {
  if (!Every(kCheckEvery)) return;
  for (const std::string& name : service.checks) {
    const bool failed = std::any_of(active_.begin(), active_.end(), [&](const Fault* fault) {
      return fault->kind == Fault::Kind::kCheck && Matches(fault->service, service.name) &&
             Matches(fault->name, name);
    });
    Begin("check", service.name);
    json_.Key("name").String(name);
    json_.Key("outcome").String(failed ? "failure" : "success");
    End();
  }
}

void Traffic::Logs(const World::Service& service) {
  for (int n = random_.Poisson(service.logs); n > 0; --n) {
    // A client that went away is no reason to wake anybody.
    const bool one_of_those = random_.Chance(0.001);
    Log(service.name, "", one_of_those ? "warn" : "info",
        one_of_those ? "could not connect to server: retrying" : "request handled");
  }
}

void Traffic::Log(const std::string& service, const std::string& dependency, std::string_view level,
                  std::string_view message) {
  Begin("log", service);
  Field("dependency", dependency);
  json_.Key("level").String(level);
  json_.Key("message").String(message);
  End();
}

void Traffic::Metric(const World::Metric& metric) {
  const double seconds = static_cast<double>(now_) / static_cast<double>(kSecondUs);
  double value = metric.value + metric.growth * seconds;
  if (metric.sawtooth > 0) {
    value += metric.sawtooth * static_cast<double>(now_ % kCollectionEvery) /
             static_cast<double>(kCollectionEvery);
  }
  for (const Fault* fault : active_) {
    const bool hits = fault->kind == Fault::Kind::kGauge && fault->name == metric.name &&
                      Matches(fault->service, metric.service) &&
                      Matches(fault->dependency, metric.dependency) &&
                      Matches(fault->host, metric.host) && Matches(fault->source, metric.source);
    if (!hits) continue;
    const double base = metric.value + metric.growth * seconds;
    value += (fault->to - base) * fault->SizeAt(now_);
  }
  value += metric.noise * random_.Normal();
  if (metric.limit) value = std::min(value, *metric.limit);
  Begin("metric", metric.service);
  json_.Key("name").String(metric.name);
  Field("dependency", metric.dependency);
  Field("host", metric.host);
  Field("unit", metric.unit);
  json_.Key("value").Number(Rounded(std::max(0.0, value)));
  if (metric.limit) json_.Key("limit").Number(*metric.limit);
  if (!metric.source.empty()) {
    json_.Key("labels").BeginObject();
    json_.Key("source").String(metric.source);
    json_.EndObject();
  }
  End();
}

void Traffic::Flood(const Fault& fault) {
  for (int n = random_.Poisson(fault.rate * fault.SizeAt(now_)); n > 0; --n) {
    const Caller caller = FloodCaller(fault);
    if (fault.connections) {
      Connection(fault.service, caller);
      continue;
    }
    for (const World::Service& service : world_->services) {
      if (service.name != fault.service) continue;
      for (const World::Endpoint& endpoint : service.endpoints) {
        if (endpoint.path == fault.endpoint) Request(service, endpoint, caller);
      }
    }
  }
}

// Evenly spaced, the first one at once, so that just below a count is just below it.
std::int64_t Traffic::Due(const Fault& fault) const {
  const auto before = [&](DurationUs time) {
    return static_cast<std::int64_t>(
        std::ceil(static_cast<double>(time - fault.at) * fault.rate / kMinuteUs));
  };
  return before(now_ + kSecondUs) - before(now_);
}

void Traffic::Tell(const Fault& fault) {
  const bool begins = now_ == fault.at;
  const bool ends = now_ == fault.at + fault.length;
  switch (fault.kind) {
    case Fault::Kind::kDeploy:
      if (!begins) break;
      versions_[fault.service] = fault.version;
      Begin("deploy", fault.service);
      json_.Key("id").String(fault.service + '-' + fault.version + '-' + std::to_string(now_));
      json_.Key("name").String(fault.rollback ? "rollback" : "release");
      json_.Key("version").String(fault.version);
      End();
      break;
    case Fault::Kind::kAlarm:
      if (!begins && !ends) break;
      Begin("alarm", fault.service);
      json_.Key("id").String(fault.name + '-' + std::to_string(now_));
      Field("dependency", fault.dependency);
      json_.Key("name").String(fault.name);
      json_.Key("state").String(begins ? "alarm" : "ok");
      if (fault.cvss) json_.Key("cvss").Number(*fault.cvss);
      End();
      break;
    case Fault::Kind::kLog:
      if (!fault.ActiveAt(now_)) break;
      for (std::int64_t n = Due(fault); n > 0; --n) {
        Log(fault.service, fault.dependency, "error", fault.message);
      }
      break;
    case Fault::Kind::kLogins:
      if (!fault.ActiveAt(now_)) break;
      for (std::int64_t n = Due(fault); n > 0; --n) {
        Caller caller = AnyUser();
        caller.address = Address("203.0.", random_.Below(fault.addresses));
        Login(fault.service, caller, /*failed=*/true);
      }
      break;
    case Fault::Kind::kFlood:
      if (fault.ActiveAt(now_)) Flood(fault);
      break;
    default:
      break;
  }
}

}  // namespace tocsin
