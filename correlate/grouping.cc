#include "correlate/grouping.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "correlate/evidence.h"

namespace tocsin {
namespace {

Token TokenOf(std::string_view kind, std::string_view name) { return HashParts({kind, name}); }
Token ComponentToken(std::string_view name) { return TokenOf("component", name); }
Token AnyService() { return TokenOf("any", "service"); }
Token AnyDependency() { return TokenOf("any", "dependency"); }

// Tokens that are both offered and looked for.
Tokens SharedTokens(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = {SeriesToken(signal)};
  for (const Component& component : ComponentsOf(signal))
    tokens.insert(ComponentToken(component.name));
  for (const Deploy* deploy : search.DeploysBehind(signal)) {
    // Two deploys that name no service share nothing.
    if (!deploy->service.empty()) tokens.insert(TokenOf("deploy", deploy->service));
  }
  const std::string address = AttackingAddress(signal);
  if (!address.empty()) tokens.insert(TokenOf("address", address));
  return tokens;
}

}  // namespace

Token SeriesToken(const Signal& signal) {
  std::string key;
  AppendKeyPart(signal.detector, &key);
  for (const auto& [name, value] : signal.series) {
    AppendKeyPart(name, &key);
    AppendKeyPart(value, &key);
  }
  return TokenOf("series", key);
}

Tokens TokensOf(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = SharedTokens(signal, search);
  for (const Component& component : ComponentsOf(signal)) {
    tokens.insert(component.dependency ? AnyDependency() : AnyService());
  }
  return tokens;
}

Tokens WantedTokens(const Signal& signal, const SuspectSearch& search) {
  Tokens tokens = SharedTokens(signal, search);
  for (const Component& component : ComponentsOf(signal)) {
    const Topology::Neighbours neighbours = search.topology.NeighboursOf(component);
    for (const std::string& name : neighbours.names) tokens.insert(ComponentToken(name));
    if (neighbours.every_service) tokens.insert(AnyService());
    if (neighbours.every_dependency) tokens.insert(AnyDependency());
  }
  return tokens;
}

void GroupIndex::Holders::Insert(std::uint64_t sequence) {
  if (many_ == nullptr && (only_ == kNone || only_ == sequence)) {
    only_ = sequence;
    return;
  }
  if (many_ == nullptr) {
    many_ = std::make_unique<absl::btree_set<std::uint64_t>>();
    many_->insert(only_);
  }
  many_->insert(sequence);
}

bool GroupIndex::Holders::Erase(std::uint64_t sequence) {
  if (many_ == nullptr) return true;
  many_->erase(sequence);
  return many_->empty();
}

void GroupIndex::Holders::AddTo(std::set<std::uint64_t>* found) const {
  if (many_ == nullptr) {
    found->insert(only_);
  } else {
    found->insert(many_->begin(), many_->end());
  }
}

void GroupIndex::Put(std::uint64_t sequence, const Tokens& tokens) {
  std::vector<Token>& known = tokens_of_[sequence];
  std::vector<Token> fresh;
  std::set_difference(tokens.begin(), tokens.end(), known.begin(), known.end(),
                      std::back_inserter(fresh));
  if (fresh.empty()) return;
  for (const Token& token : fresh) having_[token].Insert(sequence);
  std::vector<Token> all;
  all.reserve(known.size() + fresh.size());
  std::merge(known.begin(), known.end(), fresh.begin(), fresh.end(), std::back_inserter(all));
  known = std::move(all);
}

void GroupIndex::Replace(std::uint64_t sequence, const Tokens& tokens) {
  const auto known = tokens_of_.find(sequence);
  if (known != tokens_of_.end() &&
      std::equal(known->second.begin(), known->second.end(), tokens.begin(), tokens.end())) {
    return;
  }
  Remove(sequence);
  Put(sequence, tokens);
}

void GroupIndex::Remove(std::uint64_t sequence) {
  const auto known = tokens_of_.find(sequence);
  if (known == tokens_of_.end()) return;
  for (const Token& token : known->second) {
    const auto having = having_.find(token);
    if (having->second.Erase(sequence)) having_.erase(having);
  }
  tokens_of_.erase(known);
}

std::set<std::uint64_t> GroupIndex::Find(const Tokens& tokens) const {
  std::set<std::uint64_t> found;
  for (const Token& token : tokens) {
    const auto having = having_.find(token);
    if (having != having_.end()) having->second.AddTo(&found);
  }
  return found;
}

bool GroupIndex::Has(std::uint64_t sequence, const Token& token) const {
  const auto having = tokens_of_.find(sequence);
  return having != tokens_of_.end() &&
         std::binary_search(having->second.begin(), having->second.end(), token);
}

}  // namespace tocsin
