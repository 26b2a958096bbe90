// A configuration document as a tree that knows where every value stood.
//
//   ErrorList errors;
//   ConfigNode root = ParseYaml(text, "tocsin.yaml", &errors);
//   ConfigReader reader(root, "", &errors);
//   std::string name = reader.RequiredString("name");
//   DurationUs window = reader.Duration("window", 5 * kMinuteUs);
//   reader.Finish();                      // reports keys that nobody asked for, with a suggestion
//
// A reader collects every error instead of stopping at the first, so `check` can report all in one
// go; after an error a getter returns the default. A key without a value (`warn:`) counts as
// absent, which is how a file takes back what its profile says. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct Location {
  std::string file;
  int line = 0;                  // from 1; 0 where the value is a default
  int column = 0;                // from 1
  std::string ToString() const;  // "file:line:column", or "file" without a line
  auto operator<=>(const Location&) const = default;
};

struct ConfigError {
  Location at;
  std::string message;  // what was found, what was expected, what to do
  std::string ToString() const { return at.ToString() + ": " + message; }
};

class ErrorList {
 public:
  void Add(const Location& at, std::string message);
  bool empty() const { return errors_.empty(); }
  // By file, line and column; the same error once. Past limits::kConfigErrorsMax they are dropped.
  std::vector<ConfigError> Sorted() const;

 private:
  std::vector<ConfigError> errors_;
};

struct ConfigNode {
  struct Entry;  // a key and its value
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Location at;
  std::string scalar;
  bool quoted = false;  // "5" is a string, 5 a number
  std::vector<ConfigNode> list;
  std::vector<Entry> map;               // in file order
  std::vector<Location> key_locations;  // parallel to map

  // The value of a key of a map; nullptr when absent.
  const ConfigNode* Find(std::string_view key) const;
};

struct ConfigNode::Entry {
  Entry(std::string key_text, ConfigNode value_node)
      : key(std::move(key_text)), value(std::move(value_node)) {}
  std::string key;
  ConfigNode value;
};

// Parses one document. Syntax errors, aliases that explode, excess size or depth go to `errors` and
// leave nothing; of duplicate keys the first is kept and the others are errors.
ConfigNode ParseYaml(std::string_view text, const std::string& file, ErrorList* errors);

// `over` on top of `base`: maps merge by key, lists of maps with a `name` merge by name (new ones
// are appended; one of another `kind` replaces), everything else is replaced. What remains keeps
// its own location.
ConfigNode MergeNodes(const ConfigNode& base, const ConfigNode& over);

// Whether both say the same, wherever it stands.
bool SameValue(const ConfigNode& a, const ConfigNode& b);

// Reads the keys of one map. `what` names it in messages ("detector api-errors"); empty is the top
// level. The node must outlive the reader; one that is no map is an error and reads as empty.
class ConfigReader {
 public:
  ConfigReader(const ConfigNode& node, std::string what, ErrorList* errors);

  bool Has(std::string_view key) const;
  const Location& at() const { return node_.at; }
  // Where a key's value stands; the map's own place if it is absent.
  Location At(std::string_view key) const;
  const ConfigNode* Node(std::string_view key);  // marks the key as known

  // Absent: the default, or an error where there is none.
  std::string RequiredString(std::string_view key);
  std::string String(std::string_view key, std::string fallback = "");
  std::vector<std::string> Strings(std::string_view key);  // a scalar counts as a list of one
  bool Bool(std::string_view key, bool fallback);
  std::int64_t Int(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  double Number(std::string_view key, double fallback, double min, double max);
  std::optional<double> OptionalNumber(std::string_view key, double min, double max);
  // "1.5%" or 0.015; within [0, 1].
  std::optional<double> OptionalRatio(std::string_view key);
  double Ratio(std::string_view key, double fallback);
  // "90s", "5m", "1h30m"; a bare number is refused, naming the units.
  DurationUs Duration(std::string_view key, DurationUs fallback, DurationUs min = 0,
                      DurationUs max = 10 * 365 * kDayUs);
  std::optional<DurationUs> OptionalDuration(std::string_view key);
  // One of `choices`; otherwise an error that lists them and suggests the nearest.
  std::string Choice(std::string_view key, const std::vector<std::string>& choices,
                     std::string fallback);

  void Error(std::string_view key, std::string message);
  // Reports every key that no getter asked for.
  void Finish();

 private:
  const ConfigNode* Scalar(std::string_view key, std::string_view expected);

  const ConfigNode& node_;
  std::string what_;
  ErrorList* errors_;
  std::set<std::string, std::less<>> known_;
};

// The candidate nearest to `word` by edit distance, or "" if none is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tocsin
