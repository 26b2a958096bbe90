#include "correlate/grouping.h"

#include "correlate/evidence.h"

namespace tocsin {
namespace {

constexpr const char* kAnyService = "any:service";
constexpr const char* kAnyDependency = "any:dependency";

// What is looked for exactly as it is offered.
Tokens SharedTokens(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = {SeriesToken(signal)};
  for (const Component& component : ComponentsOf(signal)) tokens.insert("c:" + component.name);
  for (const Deploy* deploy : search.DeploysBehind(signal)) {
    // Two deploys that name no service have nothing in common.
    if (!deploy->service.empty()) tokens.insert("d:" + deploy->service);
  }
  const std::string address = AttackingAddress(signal);
  if (!address.empty()) tokens.insert("a:" + address);
  return tokens;
}

}  // namespace

std::string SeriesToken(const Signal& signal) {
  std::string token = "s:";
  AppendKeyPart(signal.detector, &token);
  for (const auto& [name, value] : signal.series) {
    AppendKeyPart(name, &token);
    AppendKeyPart(value, &token);
  }
  return token;
}

Tokens TokensOf(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = SharedTokens(signal, search);
  for (const Component& component : ComponentsOf(signal)) {
    tokens.insert(component.dependency ? kAnyDependency : kAnyService);
  }
  return tokens;
}

Tokens WantedTokens(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = SharedTokens(signal, search);
  for (const Component& component : ComponentsOf(signal)) {
    const Topology::Neighbours neighbours = search.topology.NeighboursOf(component);
    for (const std::string& name : neighbours.names) tokens.insert("c:" + name);
    if (neighbours.every_service) tokens.insert(kAnyService);
    if (neighbours.every_dependency) tokens.insert(kAnyDependency);
  }
  return tokens;
}

bool JoinsInTime(const IncidentRecord& record, const Signal& signal, DurationUs join_window) {
  if (!record.firing.empty()) return true;
  const TimeUs onset = record.incident.onset;
  if (signal.onset >= onset - join_window && signal.onset <= onset + join_window) return true;
  // A slower detector reports only now what began while the others still fired.
  return record.quiet_since != kNoTime && signal.onset < record.quiet_since;
}

void GroupIndex::Put(std::uint64_t sequence, const Tokens& tokens) {
  tokens_of_[sequence].insert(tokens.begin(), tokens.end());
  for (const std::string& token : tokens) having_[token].insert(sequence);
}

void GroupIndex::Replace(std::uint64_t sequence, const Tokens& tokens) {
  const auto known = tokens_of_.find(sequence);
  if (known != tokens_of_.end() && known->second == tokens) return;
  Remove(sequence);
  Put(sequence, tokens);
}

void GroupIndex::Remove(std::uint64_t sequence) {
  const auto known = tokens_of_.find(sequence);
  if (known == tokens_of_.end()) return;
  for (const std::string& token : known->second) {
    const auto having = having_.find(token);
    having->second.erase(sequence);
    if (having->second.empty()) having_.erase(having);
  }
  tokens_of_.erase(known);
}

std::set<std::uint64_t> GroupIndex::Find(const Tokens& tokens) const {
  std::set<std::uint64_t> found;
  for (const std::string& token : tokens) {
    const auto having = having_.find(token);
    if (having != having_.end()) found.insert(having->second.begin(), having->second.end());
  }
  return found;
}

bool GroupIndex::Has(std::uint64_t sequence, const std::string& token) const {
  const auto having = having_.find(token);
  return having != having_.end() && having->second.contains(sequence);
}

}  // namespace tocsin
