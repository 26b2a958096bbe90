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
// go; after an error a getter returns the default. Whoever reads goes on after an error, and leaves
// out only what cannot be judged because of it. A key without a value (`warn:`) counts as absent,
// which is how a file takes back what its profile says. Not thread-safe.
#pragma once

#include <cstddef>
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
  // "file:line:column: message"; the message alone where it has no place in a file.
  std::string ToString() const;
  auto operator<=>(const ConfigError&) const = default;
};

// Not thread-safe.
class ErrorList {
 public:
  // What a command makes of secrets and certificates that are not there: one that sends or receives
  // needs them, one that only decides does not.
  enum class Secrets : std::uint8_t { kNeeded, kNotNeeded };
  explicit ErrorList(Secrets secrets = Secrets::kNeeded) : secrets_(secrets) {}

  void Add(const Location& at, std::string message);
  // Something else in the configuration lacks what this place needs. Nothing is added once a part
  // of it could not be read, since that part may have it.
  void AddMissing(const Location& at, std::string message);
  void SetPartUnread() { part_unread_ = true; }
  // A secret or certificate outside the configuration cannot be used: a warning where it is not
  // needed.
  void AddSecret(const Location& at, std::string message);

  bool empty() const { return errors_.empty(); }
  // Grows with every error: whoever reads a part compares it before and after.
  std::size_t count() const { return count_; }
  // By file, line and column; the same error once. Of more than limits::kConfigErrorsMax the first
  // ones, and a last one that says so.
  std::vector<ConfigError> Sorted() const;
  std::vector<ConfigError> Warnings() const;

 private:
  // The errors of the lowest places.
  class Lowest {
   public:
    void Add(const Location& at, std::string message);
    bool empty() const { return kept_.empty(); }
    std::vector<ConfigError> Sorted() const;

   private:
    std::set<ConfigError> kept_;
    bool more_ = false;
  };

  Secrets secrets_;
  bool part_unread_ = false;
  std::size_t count_ = 0;
  Lowest errors_;
  Lowest warnings_;
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

// Parses one document. Syntax errors, aliases that explode, excess size or depth go to `errors`;
// the sections before them remain, and of a list that they are in the elements before them. Of
// duplicate keys the first is kept and the others are errors.
ConfigNode ParseYaml(std::string_view text, const std::string& file, ErrorList* errors);

// `over` on top of `base`: maps merge by key, lists of maps with a `name` merge by name (new ones
// and those that lack a name are appended; one of another `kind` replaces), everything else is
// replaced. What remains keeps its own location.
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
  std::vector<ConfigNode> Texts(std::string_view key);     // the same, each with its place
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
  // ErrorList::AddMissing at the place of the key, or of the map where it is absent.
  void Missing(std::string_view key, std::string message);
  // ErrorList::AddSecret.
  void Secret(std::string_view key, std::string message);
  // Whether nothing was found wrong with the key so far. What two keys mean together is only judged
  // where both are sound.
  bool Sound(std::string_view key) const { return !unsound_.contains(key); }
  // Reports every key that no getter asked for.
  void Finish();
  // For what is nested, and for places that are no key's.
  ErrorList* errors() const { return errors_; }

 private:
  bool IsMap() const;
  const ConfigNode* Scalar(std::string_view key, std::string_view expected);
  template <typename Value>
  std::optional<Value> Checked(std::string_view key, std::optional<Value> value) {
    if (!value) unsound_.emplace(key);
    return value;
  }

  const ConfigNode& node_;
  std::string what_;
  ErrorList* errors_;
  std::set<std::string, std::less<>> known_;
  std::set<std::string, std::less<>> unsound_;
};

// The candidate nearest to `word` by edit distance, or "" if none is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tocsin
