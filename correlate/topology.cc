#include "correlate/topology.h"

namespace tocsin {
namespace {

constexpr std::string_view kEvery = "*";

bool Contains(const std::map<std::string, std::set<std::string>, std::less<>>& edges,
              std::string_view from, std::string_view to) {
  const auto found = edges.find(from);
  return found != edges.end() && found->second.contains(std::string(to));
}

}  // namespace

std::vector<Component> ComponentsOf(const Signal& signal) {
  std::vector<Component> components;
  const std::string_view service = LabelValue(signal.series, "service");
  if (!service.empty() && service != kOtherValue) {
    components.push_back({.name = std::string(service), .dependency = false});
  }
  const std::string_view dependency = LabelValue(signal.series, "dependency");
  if (!dependency.empty() && dependency != kOtherValue) {
    components.push_back({.name = std::string(dependency), .dependency = true});
  }
  return components;
}

Topology::Topology(const std::map<std::string, std::vector<std::string>>& needs,
                   const CallLog& calls) {
  const auto add = [&](const std::string& service, const std::string& name) {
    needs_[service].insert(name);
    if (name != kEvery) needed_by_[name].insert(service);
  };
  for (const auto& [service, needed] : needs) {
    for (const std::string& name : needed) add(service, name);
  }
  for (const auto& [call, seen] : calls.last_seen()) {
    // An asterisk is a name like any other there, and not to be mistaken for "every".
    if (call.service != kEvery && call.dependency != kEvery) add(call.service, call.dependency);
  }
  Close();
}

void Topology::Close() {
  for (const auto& [service, direct] : needs_) {
    std::set<std::string>& reached = upstream_[service];
    std::vector<std::string> pending(direct.begin(), direct.end());
    while (!pending.empty()) {
      const std::string name = pending.back();
      pending.pop_back();
      if (!reached.insert(name).second || name == kEvery) continue;
      if (const auto next = needs_.find(name); next != needs_.end()) {
        pending.insert(pending.end(), next->second.begin(), next->second.end());
      }
    }
  }
}

Topology::Neighbours Topology::NeighboursOf(const Component& component) const {
  Neighbours neighbours;
  const auto add = [&neighbours](const Edges& edges, std::string_view from) {
    const auto found = edges.find(from);
    if (found != edges.end()) neighbours.names.insert(found->second.begin(), found->second.end());
  };
  add(needs_, component.name);
  if (!component.dependency) add(needs_, kEvery);
  neighbours.every_dependency = neighbours.names.erase(std::string(kEvery)) > 0;

  add(needed_by_, component.name);
  if (component.dependency) {
    for (const auto& [service, needed] : needs_) {
      if (needed.contains(std::string(kEvery))) neighbours.names.insert(service);
    }
  }
  neighbours.every_service = neighbours.names.erase(std::string(kEvery)) > 0;
  neighbours.names.erase(component.name);
  return neighbours;
}

bool Topology::Holds(const Edges& edges, std::string_view from, const Component& to) {
  return Contains(edges, from, to.name) || (to.dependency && Contains(edges, from, kEvery));
}

bool Topology::Needs(const Component& from, const Component& to) const {
  if (from.name == to.name) return false;
  return Holds(needs_, from.name, to) || (!from.dependency && Holds(needs_, kEvery, to));
}

bool Topology::Reaches(const Component& from, const Component& to) const {
  if (from.name == to.name) return false;
  return Holds(upstream_, from.name, to) || (!from.dependency && Holds(upstream_, kEvery, to));
}

}  // namespace tocsin
