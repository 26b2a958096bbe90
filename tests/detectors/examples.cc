#include "tests/detectors/examples.h"

namespace tocsin {

const std::vector<std::string>& ExampleStanzas() {
  static const std::vector<std::string> kExamples = {
      R"(name: n1
kind: absence
where: {type: [request, log]}
every: 10s
warn: {missed: 1}
critical: {missed: 2}
)",
      R"(name: u1
kind: burn_rate
objective: 99%
warn: {}
critical: {rate: 5, long: 10m, short: 2m}
)",
      R"(name: b1
kind: burst
where: {type: auth, outcome: failure}
per: client_ip
warn: {count: 4, window: 30s}
critical: {count: 12, window: 1m, clear: 3}
)",
      R"(name: b2
kind: burst
pattern: "(?i)refused"
critical: {count: 2, window: 20s}
)",
      R"(name: c1
kind: crash_rate
critical: {above: 10%, window: 1m}
)",
      R"(name: p1
kind: success_ratio
warn: {below: 80%, window: 30s}
critical: {below: 40%, window: 1m, for: 30s}
)",
      R"(name: d1
kind: deploy_regression
warn: {error_ratio: 2, error_above: 5%, window: 1m}
critical: {error_ratio: 3, p95_ratio: 1.5, p95_above: 10ms, window: 1m, for: 30s}
)",
      R"(name: e1
kind: error_rate
by: [service, endpoint]
warn: {above: 1.5%, window: 5m, for: 5m, level: 2}
critical: {above: 50%, window: 1m, level: 1}
advice: ["Look at the last deploy"]
)",
      R"(name: e2
kind: error_rate
where: {type: [request, session]}
baseline: 0.2%
min_volume: 5
critical: {above: 5%, clear: 1%, window: 30s}
)",
      R"(name: f1
kind: exhaustion
warn: {left: 10d}
critical: {left: 1d, at_least: 10%}
)",
      R"(name: f2
kind: leak
unit: percent
warn: {left: 10d}
)",
      R"(name: l1
kind: latency
warn: {p95_above_baseline: 2, window: 1m, for: 1m}
critical: {p95_above: 500ms, window: 1m}
)",
      R"(name: m1
kind: mismatch
compare: {unit: [a, b]}
warn: {above: 0}
critical: {above: 10, for: 30s}
)",
      R"(name: r1
kind: rate
warn: {above: 2, window: 1m, for: 30s}
critical: {above: 20, clear: 10, window: 30s}
)",
      R"(name: s1
kind: saturation
where: {type: metric}
warn: {for: 1m}
critical: {above: 95%}
)",
      R"(name: s2
kind: saturation
pattern: "(?i)refused|too many"
warn: {count: 2, window: 30s}
critical: {count: 5, window: 1m}
)",
      R"(name: a1
kind: state
warn: {for: 1m}
critical: {failures: 3}
)",
      R"(name: a2
kind: state
where: {type: check}
critical: {failures: 2}
)",
      R"(name: a3
kind: state
warn: {below: 10}
critical: {below: 5, clear: 7}
)",
      R"(name: a4
kind: state
critical: {cvss_above: 9}
)",
      R"(name: t1
kind: storm
warn: {above: 40, ratio: 2, window: 1m}
critical: {above: 60, window: 2m, for: 30s}
surge_level: 3
)",
      R"(name: t2
kind: storm
gauge: true
critical: {above: 50, for: 1m}
)"};
  return kExamples;
}

std::string KindOf(const std::string& yaml) {
  const std::size_t at = yaml.find("kind: ") + 6;
  return yaml.substr(at, yaml.find('\n', at) - at);
}

}  // namespace tocsin
