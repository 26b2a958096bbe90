#include "correlate/topology.h"

#include <algorithm>

namespace tocsin {
namespace {

constexpr std::string_view kEvery = "*";

bool Contains(const std::map<std::string, std::set<std::string>, std::less<>>& edges,
              std::string_view from, std::string_view to) {
  const auto found = edges.find(from);
  return found != edges.end() && found->second.contains(std::string(to));
}

// Disjoint sets of numbers, each represented by its smallest member.
class Sets {
 public:
  int Add() {
    parents_.push_back(static_cast<int>(parents_.size()));
    return parents_.back();
  }
  int Find(int of) {
    while (parents_[static_cast<std::size_t>(of)] != of) {
      int& parent = parents_[static_cast<std::size_t>(of)];
      parent = parents_[static_cast<std::size_t>(parent)];
      of = parent;
    }
    return of;
  }
  void Join(int a, int b) {
    a = Find(a);
    b = Find(b);
    parents_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  std::size_t size() const { return parents_.size(); }

 private:
  std::vector<int> parents_;
};

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
  for (const auto& [call, seen] : calls.seen()) {
    // In a call, an asterisk is a literal name; it must not be mistaken for "every".
    if (call.service != kEvery && call.dependency != kEvery) add(call.service, call.dependency);
  }
  Close();
  Divide(needs, calls);
}

void Topology::Divide(const std::map<std::string, std::vector<std::string>>& needs,
                      const CallLog& calls) {
  Sets sets;
  const auto number = [&sets](Part* part) {
    if (*part == kNoPart) *part = sets.Add();
    return *part;
  };
  const auto node = [&](const std::string& name) {
    return number(&parts_.try_emplace(name, kNoPart).first->second);
  };
  for (const auto& [service, needed] : needs) {
    const int from = service == kEvery ? number(&every_service_) : node(service);
    for (const std::string& name : needed) {
      sets.Join(from, name == kEvery ? number(&every_dependency_) : node(name));
    }
  }
  const std::size_t configured = sets.size();
  for (const auto& [call, seen] : calls.seen()) {
    if (call.service == kEvery || call.dependency == kEvery) continue;
    sets.Join(node(call.service), node(call.dependency));
  }
  // A component that needs something is a service. One that is needed may be a dependency.
  for (const auto& [name, needed] : needs_) {
    if (every_service_ != kNoPart && name != kEvery) sets.Join(node(name), every_service_);
  }
  for (const auto& [name, needing] : needed_by_) {
    if (every_dependency_ != kNoPart) sets.Join(node(name), every_dependency_);
  }
  known_from_.assign(sets.size(), INT64_MAX);
  const auto known_from = [&](int part) -> TimeUs& {
    return known_from_[static_cast<std::size_t>(sets.Find(part))];
  };
  for (std::size_t i = 0; i < configured; ++i) known_from(static_cast<int>(i)) = INT64_MIN;
  for (const auto& [call, seen] : calls.seen()) {
    if (calls.full() || call.service == kEvery || call.dependency == kEvery) continue;
    TimeUs& from = known_from(node(call.service));
    from = std::min(from, seen.first + kCallsKnownAfter);
  }
  for (auto& [name, part] : parts_) part = sets.Find(part);
  for (Part* const part : {&every_service_, &every_dependency_}) {
    if (*part != kNoPart) *part = sets.Find(*part);
  }
}

Topology::Part Topology::PartOf(const Component& component) const {
  const auto found = parts_.find(component.name);
  if (found != parts_.end()) return found->second;
  return component.dependency ? every_dependency_ : every_service_;
}

Topology::Part Topology::PartOf(const Signal& signal) const {
  Part part = kNoPart;
  bool first = true;
  for (const Component& component : ComponentsOf(signal)) {
    const Part of = PartOf(component);
    if (of == kNoPart || (!first && of != part)) return kNoPart;
    part = of;
    first = false;
  }
  return part;
}

bool Topology::KnownApart(Part a, Part b, TimeUs now) const {
  if (a == kNoPart || b == kNoPart || a == b) return false;
  return known_from_[static_cast<std::size_t>(a)] <= now &&
         known_from_[static_cast<std::size_t>(b)] <= now;
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
