#include "correlate/suspects.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/limits.h"
#include "correlate/evidence.h"

namespace tocsin {
namespace {

// Components that are ranked; ranking is quadratic, and nobody reads further.
constexpr std::size_t kRankedMax = 64;
// Addresses listed as suspects; the others are in the evidence.
constexpr std::size_t kAddressesMax = 5;
// Deploys listed, so that a busy release day leaves room for the components.
constexpr std::size_t kDeploySuspectsMax = limits::kIncidentSuspectsMax / 2;

// A component of the incident, as its signals show it.
struct Node {
  Component component;
  TimeUs onset = kNoTime;  // earliest signal
  std::string detector;    // of that signal
  int rank = 0;            // how many other components are strictly upstream
  std::vector<std::string> downstream;
};

std::vector<Node> NodesOf(std::span<const Signal> signals) {
  std::map<std::string, Node> by_name;
  for (const Signal& signal : signals) {
    for (Component& component : ComponentsOf(signal)) {
      Node& node = by_name[component.name];
      if (node.onset == kNoTime || signal.onset < node.onset) {
        node.onset = signal.onset;
        node.detector = signal.detector;
      }
      component.dependency = component.dependency || node.component.dependency;
      node.component = std::move(component);
    }
  }
  std::vector<Node> nodes;
  for (auto& [name, node] : by_name) nodes.push_back(std::move(node));
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const Node& a, const Node& b) { return a.onset < b.onset; });
  if (nodes.size() > kRankedMax) nodes.resize(kRankedMax);
  return nodes;
}

// Edges that the signals themselves show: a service and a dependency in one series.
std::set<std::pair<std::string, std::string>> SeenEdges(std::span<const Signal> signals) {
  std::set<std::pair<std::string, std::string>> edges;
  for (const Signal& signal : signals) {
    const std::vector<Component> components = ComponentsOf(signal);
    if (components.size() == 2) edges.emplace(components[0].name, components[1].name);
  }
  return edges;
}

// Furthest upstream first; among equals the one that explains most, because most other firing
// components need it; then the earliest, a dependency before a service, then by name.
void RankNodes(std::span<const Signal> signals, const Topology& topology,
               std::vector<Node>* nodes) {
  const auto seen = SeenEdges(signals);
  const auto needs = [&](const Node& from, const Node& to) {
    return seen.contains({from.component.name, to.component.name}) ||
           topology.Reaches(from.component, to.component);
  };
  for (Node& node : *nodes) {
    for (const Node& other : *nodes) {
      if (&other == &node) continue;
      const bool up = needs(node, other);
      const bool down = needs(other, node);
      if (up && !down) ++node.rank;
      if (down && !up) node.downstream.push_back(other.component.name);
    }
    std::sort(node.downstream.begin(), node.downstream.end());
  }
  std::sort(nodes->begin(), nodes->end(), [](const Node& a, const Node& b) {
    const auto order = [](const Node& node) {
      return std::tuple(node.rank, -std::ssize(node.downstream), node.onset,
                        !node.component.dependency, std::string_view(node.component.name));
    };
    return order(a) < order(b);
  });
}

// "5 min", "40 s".
std::string Ago(DurationUs duration) {
  if (duration < kMinuteUs) return std::to_string(duration / kSecondUs) + " s";
  return std::to_string(duration / kMinuteUs) + " min";
}

std::string DeployName(const Deploy& deploy) {
  if (deploy.service.empty()) return deploy.version.empty() ? "deploy" : deploy.version;
  return deploy.version.empty() ? deploy.service : deploy.service + " " + deploy.version;
}

std::string RollBackAdvice(const Deploy& deploy, TimeUs rolled_back_at) {
  const std::string what =
      (deploy.service.empty() ? "" : deploy.service + " ") + "to the version before " +
      (deploy.version.empty() ? "the deploy at " + FormatTime(deploy.time) : deploy.version);
  if (rolled_back_at == kNoTime) return "Roll back " + what;
  // Tell the reader, so that nobody rolls back twice.
  return "Roll back of " + what + " is done, at " + FormatClock(rolled_back_at) +
         ": see that it lasts";
}

// A release does not cause an attack or a crowd; advice to roll one back would waste time.
bool CausedByClients(const Signal& signal) {
  return IsHostile(signal) || signal.classification == "botnet" || signal.classification == "surge";
}

bool Concerns(const Deploy& deploy, const Signal& signal, const Topology& topology) {
  if (deploy.service.empty()) return true;
  const std::vector<Component> components = ComponentsOf(signal);
  const std::string_view app = LabelValue(signal.series, "app");
  if (deploy.service == app) return true;
  // A series over the whole scope covers every service.
  if (components.empty()) return app.empty();
  const Component deployed{.name = deploy.service, .dependency = false};
  for (const Component& component : components) {
    if (component.name == deploy.service || topology.Reaches(component, deployed)) return true;
  }
  // A leak in a service shows first in the database that it needs.
  return components.size() == 1 && components[0].dependency &&
         topology.Needs(deployed, components[0]);
}

struct SuspectedDeploy {
  const Deploy* deploy = nullptr;
  TimeUs onset = kNoTime;  // of the earliest of `signals`
  TimeUs rolled_back_at = kNoTime;
  std::vector<const Signal*> signals = {};  // that it is suspected of

  // When the last of `signals` cleared that cleared after the rollback; kNoTime while one fires and
  // if it was not rolled back.
  TimeUs RestoredAt() const {
    TimeUs restored = kNoTime;
    for (const Signal* signal : signals) {
      if (rolled_back_at == kNoTime || signal->firing()) return kNoTime;
      if (signal->cleared_at >= rolled_back_at) restored = std::max(restored, signal->cleared_at);
    }
    return restored;
  }
};

// One per service and version: a rollout host by host is one deploy. First those whose rollback
// ended all their signals, then the latest.
std::vector<SuspectedDeploy> SuspectedDeploys(const SuspectSearch& search,
                                              std::span<const Signal> signals) {
  std::map<std::pair<std::string, std::string>, SuspectedDeploy> found;
  for (const Signal& signal : signals) {
    for (const Deploy* deploy : search.DeploysBehind(signal)) {
      SuspectedDeploy& suspected = found[{deploy->service, deploy->version}];
      if (suspected.deploy == nullptr || deploy->time < suspected.deploy->time) {
        suspected.deploy = deploy;
      }
      if (suspected.onset == kNoTime || signal.onset < suspected.onset) {
        suspected.onset = signal.onset;
      }
      suspected.signals.push_back(&signal);
    }
  }
  std::vector<SuspectedDeploy> deploys;
  for (auto& [key, suspected] : found) {
    suspected.rolled_back_at = search.deploys.RolledBackAt(*suspected.deploy);
    deploys.push_back(std::move(suspected));
  }
  std::stable_sort(deploys.begin(), deploys.end(),
                   [](const SuspectedDeploy& a, const SuspectedDeploy& b) {
                     const bool a_restored = a.RestoredAt() != kNoTime;
                     const bool b_restored = b.RestoredAt() != kNoTime;
                     if (a_restored != b_restored) return a_restored;
                     return a.deploy->time > b.deploy->time;
                   });
  if (deploys.size() > kDeploySuspectsMax) deploys.resize(kDeploySuspectsMax);
  return deploys;
}

void AddDeploys(const SuspectSearch& search, std::span<const Signal> signals,
                SuspectReport* report) {
  for (const SuspectedDeploy& suspected : SuspectedDeploys(search, signals)) {
    const Deploy& deploy = *suspected.deploy;
    std::string reason =
        deploy.time >= suspected.onset
            ? "deployed at the onset"
            : "deployed " + Ago(suspected.onset - deploy.time) + " before the onset";
    const TimeUs rolled_back_at = suspected.rolled_back_at;
    if (rolled_back_at != kNoTime) {
      reason += ", rolled back at " + FormatClock(rolled_back_at);
      if (report->rolled_back_at == kNoTime || rolled_back_at < report->rolled_back_at) {
        report->rolled_back_at = rolled_back_at;
      }
    }
    const TimeUs restored_at = suspected.RestoredAt();
    if (restored_at != kNoTime) reason += ", which restored it by " + FormatClock(restored_at);
    report->suspects.push_back(
        {.kind = "deploy", .name = DeployName(deploy), .at = deploy.time, .reason = reason});
    if (report->roll_back.empty()) report->roll_back = RollBackAdvice(deploy, rolled_back_at);
  }
}

// Whether a third party runs it: by configuration, or because its name looks like a public host.
bool IsExternal(const Component& component, std::span<const std::string> external) {
  if (!component.dependency) return false;
  const std::string& name = component.name;
  if (std::find(external.begin(), external.end(), name) != external.end()) return true;
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return false;
  const std::string_view last = std::string_view(name).substr(dot + 1);
  const bool letters = last.size() >= 2 && std::all_of(last.begin(), last.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                       });
  // Suffixes reserved for private use, or that a cloud gives to resources rented there.
  static constexpr std::string_view kOwn[] = {".internal", ".local", ".lan",          ".svc",
                                              ".corp",     ".home",  ".amazonaws.com"};
  return letters && std::none_of(std::begin(kOwn), std::end(kOwn),
                                 [&](std::string_view own) { return name.ends_with(own); });
}

std::string ReasonOf(const Node& node, bool first, bool external) {
  std::string reason = external ? "external; " : "";
  if (node.downstream.empty()) {
    reason += "fires itself";
  } else {
    const std::size_t others = node.downstream.size() - 1;
    const bool shared = node.component.dependency && others > 0;
    reason += (shared ? "shared dependency of " : "needed by ") + node.downstream.front();
    if (others > 0) reason += " and " + std::to_string(others) + " more";
    reason += node.rank == 0 ? "; the furthest upstream that fires" : "; upstream, and fires too";
  }
  if (first) reason += "; began first";
  return reason + " (" + node.detector + " since " + FormatClock(node.onset) + ")";
}

void AddComponents(const std::vector<Node>& nodes, std::span<const std::string> external,
                   SuspectReport* report) {
  for (const Node& node : nodes) {
    if (node.downstream.empty() && !node.component.dependency) continue;
    const bool first =
        nodes.size() > 1 && std::none_of(nodes.begin(), nodes.end(), [&](const Node& other) {
          return &other != &node && other.onset <= node.onset;
        });
    report->suspects.push_back(
        {.kind = node.component.dependency ? "dependency" : "service",
         .name = node.component.name,
         .at = node.onset,
         .reason = ReasonOf(node, first, IsExternal(node.component, external))});
  }
}

// The endpoint, if all signals are about one endpoint.
void AddEndpoint(std::span<const Signal> signals, SuspectReport* report) {
  const Signal* only = nullptr;
  for (const Signal& signal : signals) {
    const std::string_view endpoint = LabelValue(signal.series, "endpoint");
    if (endpoint.empty() || endpoint == kOtherValue) return;
    if (only != nullptr && endpoint != LabelValue(only->series, "endpoint")) return;
    if (only == nullptr || signal.onset < only->onset) only = &signal;
  }
  if (only == nullptr) return;
  report->suspects.push_back({.kind = "endpoint",
                              .name = std::string(LabelValue(only->series, "endpoint")),
                              .at = only->onset,
                              .reason = "the only endpoint that fires"});
}

void AddClients(std::span<const Signal> signals, SuspectReport* report) {
  std::set<std::string> named;
  const auto add = [&](const char* kind, const std::string& name, const Signal& signal,
                       const char* reason) {
    if (name.empty() || name == kOtherValue || !named.insert(name).second) return;
    report->suspects.push_back(
        {.kind = kind, .name = name, .at = signal.onset, .reason = reason + signal.detector});
  };
  for (const Signal& signal : signals) {
    if (signal.classification == "client") {
      const std::vector<std::string> agents = TopNames(signal, "user_agent");
      if (!agents.empty()) add("client", agents.front(), signal, "most frequent client in ");
    }
    if (!IsHostile(signal)) continue;
    std::vector<std::string> addresses = TopNames(signal, "client_ip");
    addresses.resize(std::min(addresses.size(), kAddressesMax));
    for (const std::string& address : addresses) {
      add("address", address, signal, "among the most frequent addresses in ");
    }
  }
}

// The component of a series that has neither service nor dependency.
std::string FallbackComponent(const Signal& signal) {
  for (const char* label : {"app", "host", "endpoint", "name"}) {
    const std::string_view value = LabelValue(signal.series, label);
    if (!value.empty() && value != kOtherValue) return std::string(value);
  }
  return "";
}

}  // namespace

std::vector<const Deploy*> SuspectSearch::DeploysBehind(const Signal& signal) const {
  std::vector<const Deploy*> found;
  if (CausedByClients(signal)) return found;
  // An onset is the start of a pane, and the deploy may have happened within that pane.
  for (const Deploy& deploy : deploys.Between(signal.onset - window, signal.onset + pane)) {
    if (!deploy.rollback && Concerns(deploy, signal, topology)) found.push_back(&deploy);
  }
  return found;
}

SuspectReport SuspectSearch::Report(std::span<const Signal> signals) const {
  SuspectReport report;
  std::vector<Node> nodes = NodesOf(signals);
  RankNodes(signals, topology, &nodes);
  if (!nodes.empty()) {
    report.component = nodes.front().component.name;
  } else if (!signals.empty()) {
    report.component = FallbackComponent(signals.front());
  }
  AddDeploys(*this, signals, &report);
  AddComponents(nodes, external, &report);
  AddEndpoint(signals, &report);
  AddClients(signals, &report);
  if (report.suspects.size() > limits::kIncidentSuspectsMax) {
    report.suspects.resize(limits::kIncidentSuspectsMax);
  }
  return report;
}

}  // namespace tocsin
