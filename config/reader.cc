#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/node.h"
#include "config/value.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// Longer words are no misspelt keys, and the distance is quadratic.
constexpr std::size_t kNearestBytesMax = 64;

// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kNearestBytesMax) return "";
  std::string nearest;
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kNearestBytesMax) continue;
    const std::size_t distance = EditDistance(word, candidate);
    // Of a one-letter word nothing would be left.
    if (distance < best && distance < word.size()) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

ConfigReader::ConfigReader(const ConfigNode& node, std::string what, ErrorList* errors)
    : node_(node), what_(std::move(what)), errors_(errors) {
  if (!IsMap()) {
    errors_->Add(node.at, absl::StrCat(what_.empty() ? "the configuration" : what_, " is ",
                                       Found(node), ": expected a map of keys"));
  }
}

bool ConfigReader::Has(std::string_view key) const {
  const ConfigNode* node = node_.Find(key);
  return node != nullptr && node->kind != ConfigNode::Kind::kNull;
}

Location ConfigReader::At(std::string_view key) const {
  const ConfigNode* node = node_.Find(key);
  return node == nullptr ? node_.at : node->at;
}

const ConfigNode* ConfigReader::Node(std::string_view key) {
  known_.emplace(key);
  const ConfigNode* node = node_.Find(key);
  return node == nullptr || node->kind == ConfigNode::Kind::kNull ? nullptr : node;
}

bool ConfigReader::IsMap() const {
  return node_.kind != ConfigNode::Kind::kScalar && node_.kind != ConfigNode::Kind::kList;
}

const ConfigNode* ConfigReader::Scalar(std::string_view key, std::string_view expected) {
  const ConfigNode* node = Node(key);
  if (node == nullptr || node->kind == ConfigNode::Kind::kScalar) return node;
  Error(key, absl::StrCat(ToAbsl(key), " is ", Found(*node), ": expected ", ToAbsl(expected)));
  return nullptr;
}

std::string ConfigReader::RequiredString(std::string_view key) {
  if (!Has(key)) {
    known_.emplace(key);
    Missing("", absl::StrCat(what_.empty() ? "the configuration" : what_, " needs '", ToAbsl(key),
                             "'"));
    return "";
  }
  const ConfigNode* node = Scalar(key, "a string");
  if (node == nullptr) return "";
  if (node->scalar.empty()) Error(key, absl::StrCat(ToAbsl(key), " is empty"));
  return node->scalar;
}

std::string ConfigReader::String(std::string_view key, std::string fallback) {
  const ConfigNode* node = Scalar(key, "a string");
  return node == nullptr ? std::move(fallback) : node->scalar;
}

std::vector<std::string> ConfigReader::Strings(std::string_view key) {
  std::vector<std::string> strings;
  for (ConfigNode& text : Texts(key)) strings.push_back(std::move(text.scalar));
  return strings;
}

std::vector<ConfigNode> ConfigReader::Texts(std::string_view key) {
  const ConfigNode* node = Node(key);
  if (node == nullptr) return {};
  const std::size_t before = errors_->count();
  std::vector<ConfigNode> texts = TextNodes(*node, key, errors_);
  if (errors_->count() != before) unsound_.emplace(key);
  return texts;
}

bool ConfigReader::Bool(std::string_view key, bool fallback) {
  const ConfigNode* node = Node(key);
  return node == nullptr ? fallback
                         : Checked(key, BoolValue(*node, key, errors_)).value_or(fallback);
}

std::int64_t ConfigReader::Int(std::string_view key, std::int64_t fallback, std::int64_t min,
                               std::int64_t max) {
  const ConfigNode* node = Node(key);
  return node == nullptr ? fallback
                         : Checked(key, IntValue(*node, key, min, max, errors_)).value_or(fallback);
}

double ConfigReader::Number(std::string_view key, double fallback, double min, double max) {
  return OptionalNumber(key, min, max).value_or(fallback);
}

std::optional<double> ConfigReader::OptionalNumber(std::string_view key, double min, double max) {
  const ConfigNode* node = Node(key);
  return node == nullptr ? std::nullopt : Checked(key, NumberValue(*node, key, min, max, errors_));
}

std::optional<double> ConfigReader::OptionalRatio(std::string_view key) {
  const ConfigNode* node = Node(key);
  return node == nullptr ? std::nullopt : Checked(key, RatioValue(*node, key, errors_));
}

double ConfigReader::Ratio(std::string_view key, double fallback) {
  return OptionalRatio(key).value_or(fallback);
}

DurationUs ConfigReader::Duration(std::string_view key, DurationUs fallback, DurationUs min,
                                  DurationUs max) {
  const ConfigNode* node = Node(key);
  return node == nullptr
             ? fallback
             : Checked(key, DurationValue(*node, key, min, max, errors_)).value_or(fallback);
}

std::optional<DurationUs> ConfigReader::OptionalDuration(std::string_view key) {
  const ConfigNode* node = Node(key);
  if (node == nullptr) return std::nullopt;
  return Checked(key,
                 DurationValue(*node, key, 0, std::numeric_limits<DurationUs>::max(), errors_));
}

std::string ConfigReader::Choice(std::string_view key, const std::vector<std::string>& choices,
                                 std::string fallback) {
  const std::string expected = absl::StrCat("one of ", absl::StrJoin(choices, ", "));
  const ConfigNode* node = Scalar(key, expected);
  if (node == nullptr) return fallback;
  if (std::find(choices.begin(), choices.end(), node->scalar) != choices.end()) {
    return node->scalar;
  }
  const std::string nearest = Nearest(node->scalar, choices);
  Error(key, absl::StrCat(ToAbsl(key), " is ", Quoted(node->scalar), ": expected ", expected,
                          nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
  return fallback;
}

void ConfigReader::Error(std::string_view key, std::string message) {
  unsound_.emplace(key);
  errors_->Add(At(key), std::move(message));
}

void ConfigReader::Missing(std::string_view key, std::string message) {
  if (IsMap()) errors_->AddMissing(At(key), std::move(message));
}

void ConfigReader::Secret(std::string_view key, std::string message) {
  errors_->AddSecret(At(key), std::move(message));
}

void ConfigReader::Finish() {
  // A key that is there already is not what the writer of another one meant.
  std::vector<std::string> missing;
  for (const std::string& key : known_) {
    if (node_.Find(key) == nullptr) missing.push_back(key);
  }
  for (std::size_t i = 0; i < node_.map.size(); ++i) {
    const std::string& key = node_.map[i].key;
    if (known_.contains(key)) continue;
    std::string message = absl::StrCat("unknown key ", Quoted(key));
    if (!what_.empty()) absl::StrAppend(&message, " in ", what_);
    const std::string suggestion = Suggestion(key, missing);
    absl::StrAppend(&message, suggestion.empty()
                                  ? absl::StrCat(" (known are ", absl::StrJoin(known_, ", "), ")")
                                  : suggestion);
    errors_->Add(node_.key_locations[i], std::move(message));
  }
}

}  // namespace tocsin
