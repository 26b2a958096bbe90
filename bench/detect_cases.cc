#include "bench/detect_cases.h"

#include <cstdio>
#include <string>

#include "core/event.h"

namespace tocsin {
namespace {

// An event that owns its texts, to be accumulated at once.
class Source {
 public:
  Source(Rng* rng, PaneTable* table) : rng_(*rng), table_(table), row_(table->Row("")) {}

  std::string Address() {
    char text[64];
    const auto part = [&] { return static_cast<unsigned>(rng_.Below(65'536)); };
    if (rng_.Chance(0.5)) {
      std::snprintf(text, sizeof text, "%u.%u.%u.%u", 1 + part() % 223, part() % 256, part() % 256,
                    part() % 256);
    } else {
      std::snprintf(text, sizeof text, "2001:db8:%04x:%04x:%04x:%04x:%04x:%04x", part() | 4096,
                    part() | 4096, part() | 4096, part() | 4096, part() | 4096, part() | 4096);
    }
    return text;
  }
  std::string Agent() {
    return "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
           "Chrome/" +
           std::to_string(90 + Skewed(60)) + ".0.0.0 Safari/537.36";
  }
  std::string Endpoint() {
    return "/api/v2/customers/:id/orders/:id/section-" + std::to_string(Skewed(200));
  }
  std::string Exception() {
    return "com.example.payments.gateway.TimeoutException" + std::to_string(Skewed(50));
  }
  // Few of n are frequent.
  std::int64_t Skewed(std::int64_t n) { return rng_.Below(1 + rng_.Below(n)); }

  void Add(Event event) {
    event.Normalize();
    table_->Accumulate(row_, event);
  }
  // `address`, or a new one where it is empty.
  void AddWithSource(Event event, const std::string& address = "") {
    const std::string client = address.empty() ? Address() : address, agent = Agent(),
                      endpoint = Endpoint(), exception = Exception(),
                      version = "v2.41." + std::to_string(Skewed(20)),
                      host = "api-7d9c6b5f4-" + std::to_string(1000 + Skewed(100)),
                      user = "user-" + std::to_string(rng_.Below(1'000'000));
    event.Set(Field::kClientIp, client);
    event.Set(Field::kUserAgent, agent);
    event.Set(Field::kEndpoint, endpoint);
    event.Set(Field::kException, exception);
    event.Set(Field::kVersion, version);
    event.Set(Field::kHost, host);
    event.Set(Field::kUser, user);
    event.Set(Field::kName, endpoint);
    Add(event);
  }

 private:
  Rng& rng_;
  PaneTable* table_;
  std::uint32_t row_;
};

Event Of(EventType type, Outcome outcome = Outcome::kSuccess) {
  Event event;
  event.type = type;
  event.outcome = outcome;
  return event;
}

// 1,000 a pane, of which two fail, or half.
auto Failures(EventType type) {
  return [type](bool incident, int, TimeUs, Rng* rng, PaneTable* table) {
    Source source(rng, table);
    const int failing = incident ? 500 : 2;
    for (int i = 0; i < 1000; ++i) {
      source.AddWithSource(Of(type, i < failing ? Outcome::kFailure : Outcome::kSuccess));
    }
  };
}

// 1,000 a pane, log-normal; in an incident 25 times slower.
void Durations(bool incident, int, TimeUs, Rng* rng, PaneTable* table) {
  Source source(rng, table);
  for (int i = 0; i < 1000; ++i) {
    Event event =
        Of(EventType::kRequest, incident && i % 4 == 0 ? Outcome::kFailure : Outcome::kSuccess);
    event.duration = static_cast<DurationUs>(rng->LogNormal(incident ? 2e6 : 80e3, 1));
    source.AddWithSource(event);
  }
}

// Alarms or samples, two of each of the sources a and b.
auto Samples(std::function<double(bool incident, int n)> value_of) {
  return [value_of](bool incident, int n, TimeUs start, Rng* rng, PaneTable* table) {
    Source source(rng, table);
    for (const char* unit : {"a", "b"}) {
      Event event = Of(EventType::kMetric);
      event.time = start + 4 * kSecondUs;
      event.limit = 100;
      event.value = value_of(incident, n) + (incident && *unit == 'b' ? 1 : 0);
      event.Set(Field::kUnit, unit);
      source.Add(event);
    }
  };
}

// `quiet` a pane, ten times as many in an incident, each from an address of its own.
auto Crowd(EventType type, int quiet) {
  return [type, quiet](bool incident, int, TimeUs, Rng* rng, PaneTable* table) {
    Source source(rng, table);
    for (int i = 0; i < (incident ? 10 : 1) * quiet; ++i) {
      Event event = Of(type);
      if (type == EventType::kConnection) event.action = ConnectionAction::kOpen;
      source.AddWithSource(event);
    }
  };
}

// One address that fails now and then, ten times as often in an incident.
void FewFailedLogins(bool incident, int n, TimeUs, Rng* rng, PaneTable* table) {
  if (!incident && n % 10 != 0) return;
  Source source(rng, table);
  source.AddWithSource(Of(EventType::kAuth, Outcome::kFailure), "203.0.113.7");
  source.AddWithSource(Of(EventType::kAuth, Outcome::kFailure), "203.0.113.7");
}

// 20 addresses a second that fail once; in an incident a dozen more that go on.
void FailedLogins(bool incident, int, TimeUs, Rng* rng, PaneTable* table) {
  Source source(rng, table);
  for (int i = 0; i < 200; ++i) source.AddWithSource(Of(EventType::kAuth, Outcome::kFailure));
  for (int i = 0; i < (incident ? 60 : 0); ++i) {
    source.AddWithSource(Of(EventType::kAuth, Outcome::kFailure),
                         "2001:db8:1234:5678:9abc:def0:1234:" + std::to_string(1000 + i % 12));
  }
}

void Silence(bool incident, int, TimeUs, Rng* rng, PaneTable* table) {
  if (incident) return;
  Source source(rng, table);
  for (int i = 0; i < 100; ++i) source.Add(Of(EventType::kRequest));
}

double Level(bool incident, int) { return incident ? 99 : 50; }
double Target(bool incident, int) { return incident ? 0 : 5; }
// 10 % an hour, after four hours at 50.
double Rising(bool incident, int n) { return 50 + (incident ? n / 36.0 : 0); }

}  // namespace

std::vector<DetectCase> DetectCases() {
  return {
      {.name = "error_rate",
       .stanza = "{name: d, kind: error_rate, warn: {above: 1.5%, for: 5m},"
                 " critical: {above: 30%, window: 1m}}",
       .firing = Keeps::kSketches,
       .fill = Failures(EventType::kRequest)},
      {.name = "error_rate, over 6h",
       .stanza = "{name: d, kind: error_rate, warn: {above: 1.5%, window: 6h, for: 1h},"
                 " critical: {above: 30%, window: 10m}}",
       .firing = Keeps::kSketches,
       .fill = Failures(EventType::kRequest)},
      {.name = "success_ratio",
       .stanza = "{name: d, kind: success_ratio, warn: {below: 90%}, critical: {below: 70%}}",
       .firing = Keeps::kSketches,
       .fill = Failures(EventType::kTransaction)},
      {.name = "crash_rate",
       .stanza = "{name: d, kind: crash_rate, warn: {above: 1%}, critical: {above: 10%, for: 5m}}",
       .firing = Keeps::kSketches,
       .fill = Failures(EventType::kSession)},
      {.name = "burn_rate",
       .stanza = "{name: d, kind: burn_rate, objective: 99.5%, warn: {}, critical: {}}",
       .fill = Failures(EventType::kRequest),
       .quiet_panes = 3 * 8640},
      {.name = "absence",
       .stanza = "{name: d, kind: absence, warn: {}, critical: {}}",
       .quiet = Keeps::kSeason,
       .firing = Keeps::kSeason,
       .fill = Silence},
      {.name = "saturation",
       .stanza = "{name: d, kind: saturation, warn: {above: 80%}, critical: {above: 95%}}",
       .fill = Samples(Level),
       .timed = true},
      {.name = "leak",
       .stanza = "{name: d, kind: leak, warn: {left: 6h}, critical: {left: 30m}}",
       .fill = Samples(Rising),
       .quiet_panes = 1440,
       .incident_panes = 1700,
       .timed = true},
      {.name = "exhaustion",
       .stanza = "{name: d, kind: exhaustion, warn: {left: 6h}, critical: {left: 30m}}",
       .fill = Samples(Rising),
       .quiet_panes = 1440,
       .incident_panes = 1700,
       .timed = true},
      {.name = "state",
       .stanza = "{name: d, kind: state, warn: {below: 3}, critical: {below: 2}}",
       .fill = Samples(Target),
       .timed = true},
      {.name = "mismatch",
       .stanza = "{name: d, kind: mismatch, compare: {unit: [a, b]}, warn: {above: 0},"
                 " critical: {above: 0.5, for: 5m}}",
       .fill = Samples(Level),
       .timed = true},
      {.name = "storm, a gauge",
       .stanza = "{name: d, kind: storm, gauge: true, where: {type: metric},"
                 " critical: {above: 60, ratio: 1.5}}",
       .quiet = Keeps::kSeason,
       .firing = Keeps::kSeason,
       .fill = Samples(Level),
       .timed = true},
      {.name = "storm, an explained gauge",
       .stanza = "{name: d, kind: storm, gauge: true, where: {type: metric},"
                 " critical: {above: 60, ratio: 1.5}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Samples(Level),
       .explain = Crowd(EventType::kConnection, 1000),
       .timed = true},
      {.name = "burst, nothing to name",
       .stanza = "{name: d, kind: burst, where: {type: check}, warn: {count: 10000},"
                 " critical: {count: 20000, window: 5m}}",
       .fill = Crowd(EventType::kCheck, 200)},
      {.name = "burst, over 6h",
       .stanza = "{name: d, kind: burst, where: {type: check}, warn: {count: 10000},"
                 " critical: {count: 600000, window: 6h}}",
       .fill = Crowd(EventType::kCheck, 200)},
      {.name = "burst of requests",
       .stanza = "{name: d, kind: burst, where: {type: request}, warn: {count: 10000},"
                 " critical: {count: 20000, window: 5m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Crowd(EventType::kRequest, 200)},
      {.name = "burst per address, few",
       .stanza = "{name: d, kind: burst, where: {type: auth, outcome: failure}, per: client_ip,"
                 " critical: {count: 10}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = FewFailedLogins},
      {.name = "burst per address",
       .stanza = "{name: d, kind: burst, where: {type: auth, outcome: failure}, per: client_ip,"
                 " warn: {count: 10}, critical: {count: 30}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = FailedLogins},
      {.name = "burst per address, over 10m",
       .stanza = "{name: d, kind: burst, where: {type: auth, outcome: failure}, per: client_ip,"
                 " warn: {count: 30}, critical: {count: 100, window: 10m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = FailedLogins},
      {.name = "storm of connections",
       .stanza = "{name: d, kind: storm, warn: {above: 1000, ratio: 3},"
                 " critical: {above: 1000, ratio: 5, for: 5m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Crowd(EventType::kConnection, 1000)},
      {.name = "storm of requests",
       .stanza = "{name: d, kind: storm, where: {type: request}, warn: {above: 1000, ratio: 3},"
                 " critical: {above: 1000, ratio: 5, for: 5m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Crowd(EventType::kRequest, 1000)},
      {.name = "latency, fixed",
       .stanza = "{name: d, kind: latency, warn: {p95_above: 2s, for: 5m},"
                 " critical: {p95_above: 5s, for: 5m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Durations},
      {.name = "latency, of the usual",
       .stanza = "{name: d, kind: latency, warn: {p95_above_baseline: 2, for: 5m},"
                 " critical: {p95_above_baseline: 4, window: 1m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Durations,
       .quiet_panes = 2 * 8640},
      {.name = "deploy_regression",
       .stanza = "{name: d, kind: deploy_regression,"
                 " warn: {error_ratio: 3, p95_ratio: 1.5, for: 2m},"
                 " critical: {error_ratio: 10, p95_ratio: 3, for: 5m}}",
       .quiet = Keeps::kSketches,
       .firing = Keeps::kSketches,
       .fill = Durations,
       .quiet_panes = 2 * 8640,
       .deployed = true},
  };
}

}  // namespace tocsin
