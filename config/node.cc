#include "config/node.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// The name of an element that lists merge by, or nullptr.
const std::string* NameOf(const ConfigNode& node) {
  if (node.kind != ConfigNode::Kind::kMap) return nullptr;
  const ConfigNode* name = node.Find("name");
  return name != nullptr && name->kind == ConfigNode::Kind::kScalar ? &name->scalar : nullptr;
}

bool AllNamed(const ConfigNode& node) {
  return node.kind == ConfigNode::Kind::kList &&
         std::all_of(node.list.begin(), node.list.end(),
                     [](const ConfigNode& element) { return NameOf(element) != nullptr; });
}

// The keys of a stanza belong to its kind, so under another kind they would all be unknown.
bool SameKind(const ConfigNode& base, const ConfigNode& over) {
  const ConfigNode* old_kind = base.Find("kind");
  const ConfigNode* new_kind = over.Find("kind");
  return old_kind == nullptr || new_kind == nullptr || old_kind->scalar == new_kind->scalar;
}

ConfigNode MergeMaps(const ConfigNode& base, const ConfigNode& over) {
  ConfigNode merged = base;
  merged.at = over.at;
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < base.map.size(); ++i) index.emplace(base.map[i].key, i);
  for (std::size_t i = 0; i < over.map.size(); ++i) {
    const auto& [key, value] = over.map[i];
    const auto found = index.find(key);
    if (found == index.end()) {
      merged.map.push_back(over.map[i]);
      merged.key_locations.push_back(over.key_locations[i]);
      continue;
    }
    merged.map[found->second].value = MergeNodes(base.map[found->second].value, value);
    merged.key_locations[found->second] = over.key_locations[i];
  }
  return merged;
}

ConfigNode MergeNamedLists(const ConfigNode& base, const ConfigNode& over) {
  ConfigNode merged = base;
  merged.at = over.at;
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < base.list.size(); ++i) index.emplace(*NameOf(base.list[i]), i);
  for (const ConfigNode& element : over.list) {
    const auto found = index.find(*NameOf(element));
    if (found == index.end()) {
      merged.list.push_back(element);
      continue;
    }
    const ConfigNode& below = base.list[found->second];
    merged.list[found->second] = SameKind(below, element) ? MergeNodes(below, element) : element;
    // A second element of the same name is a mistake in `over`; appended, the loader sees it.
    index.erase(found);
  }
  return merged;
}

}  // namespace

std::string Location::ToString() const {
  return line == 0 ? file : absl::StrCat(file, ":", line, ":", column);
}

void ErrorList::Add(const Location& at, std::string message) {
  if (errors_.size() > limits::kConfigErrorsMax) return;
  if (errors_.size() == limits::kConfigErrorsMax)
    message = "too many errors, the rest is not shown";
  errors_.push_back({at, std::move(message)});
}

std::vector<ConfigError> ErrorList::Sorted() const {
  std::vector<ConfigError> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::tie(a.at, a.message) < std::tie(b.at, b.message);
  });
  const auto same = [](const ConfigError& a, const ConfigError& b) {
    return a.at == b.at && a.message == b.message;
  };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  return sorted;
}

const ConfigNode* ConfigNode::Find(std::string_view key) const {
  for (const auto& [name, value] : map) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool SameValue(const ConfigNode& a, const ConfigNode& b) {
  const auto same_entry = [](const ConfigNode::Entry& x, const ConfigNode::Entry& y) {
    return x.key == y.key && SameValue(x.value, y.value);
  };
  return a.kind == b.kind && a.scalar == b.scalar && a.quoted == b.quoted &&
         std::equal(a.list.begin(), a.list.end(), b.list.begin(), b.list.end(), SameValue) &&
         std::equal(a.map.begin(), a.map.end(), b.map.begin(), b.map.end(), same_entry);
}

ConfigNode MergeNodes(const ConfigNode& base, const ConfigNode& over) {
  if (base.kind == ConfigNode::Kind::kMap && over.kind == ConfigNode::Kind::kMap) {
    return MergeMaps(base, over);
  }
  if (AllNamed(base) && AllNamed(over) && !over.list.empty()) return MergeNamedLists(base, over);
  return over;
}

}  // namespace tocsin
