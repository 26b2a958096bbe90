// `check` finds every mistake in one go: into each configuration that is shipped mistakes are put
// at random places, and each of them must be reported at its place, in order, whatever the others
// are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/config_check.h"
#include "core/limits.h"

namespace tocsin {
namespace {

constexpr int kRounds = 150;  // of each configuration
constexpr int kFaultsMax = 12;

// Where a node stands in the tree: what lies below another one begins with its path.
using Path = std::vector<std::size_t>;

bool Within(const Path& inner, const Path& outer) {
  return inner.size() >= outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
}

struct Fault {
  int line = 0, column = 0;  // from 1
  std::string old_text, new_text;
  Path hides;          // nothing below it can be judged
  bool alone = false;  // nothing else is said because of it
  std::string ToString() const {
    return absl::StrCat(line, ":", column, " ", old_text, " -> ", new_text);
  }
};

// Maps whose keys are the user's own.
bool HasOwnKeys(const std::string& key) {
  static const std::set<std::string> kOwn = {
      "topology", "teams",      "hours",  "label",        "headers",     "properties",
      "values",   "components", "labels", "public_names", "escalate_to", "escalation"};
  return kOwn.contains(key);
}

bool LooksLike(const std::string& text, const char* end) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  return digits != std::string::npos && digits > 0 && text.substr(digits) == end;
}

bool IsDuration(const std::string& text) {
  for (const char* unit : {"ms", "s", "m", "h", "d", "w"}) {
    if (LooksLike(text, unit)) return true;
  }
  return false;
}

// All mistakes that could be made in one configuration.
class FaultFinder {
 public:
  explicit FaultFinder(const std::string& text) : lines_(absl::StrSplit(text, '\n')) {
    ErrorList errors;
    const ConfigNode root = ParseYaml(text, "t.yaml", &errors);
    EXPECT_TRUE(errors.empty());
    Visit(root, {}, {}, {});
  }

  const std::vector<Fault>& faults() const { return faults_; }
  std::string With(const std::vector<Fault>& chosen) const {
    std::vector<std::string> lines = lines_;
    for (const Fault& fault : chosen) {
      lines[static_cast<std::size_t>(fault.line - 1)].replace(
          static_cast<std::size_t>(fault.column - 1), fault.old_text.size(), fault.new_text);
    }
    return absl::StrJoin(lines, "\n");
  }

 private:
  bool Stands(const Location& at, const std::string& text) const {
    const auto line = static_cast<std::size_t>(at.line - 1);
    return line < lines_.size() && !text.empty() &&
           lines_[line].compare(static_cast<std::size_t>(at.column - 1), text.size(), text) == 0;
  }

  void Add(const Location& at, const std::string& old_text, std::string new_text, Path hides,
           bool alone) {
    if (!Stands(at, old_text)) return;  // in quotes, or over several lines
    faults_.push_back({.line = at.line,
                       .column = at.column,
                       .old_text = old_text,
                       .new_text = std::move(new_text),
                       .hides = std::move(hides),
                       .alone = alone});
  }

  // `keys` are those on the way to the node; `stanza` is the path of the stanza around it.
  void Visit(const ConfigNode& node, const Path& path, const std::vector<std::string>& keys,
             const Path& stanza) {
    const std::string key = keys.empty() ? "" : keys.back();
    if (node.kind == ConfigNode::Kind::kScalar) return VisitScalar(node, path, keys, stanza);
    for (std::size_t i = 0; i < node.list.size(); ++i) {
      Path below = path;
      below.push_back(i);
      const bool is_stanza = node.list[i].Find("name") != nullptr;
      Visit(node.list[i], below, keys, is_stanza ? below : stanza);
    }
    for (std::size_t i = 0; i < node.map.size(); ++i) {
      Path below = path;
      below.push_back(i);
      const auto& [name, value] = node.map[i];
      // What is below a key that is misspelt is not read.
      if (!HasOwnKeys(key) && !name.starts_with("labels.")) {
        Add(node.key_locations[i], name, name + "x", below, false);
      }
      std::vector<std::string> more = keys;
      more.push_back(name);
      Visit(value, below, more, stanza);
    }
  }

  void VisitScalar(const ConfigNode& node, const Path& path, const std::vector<std::string>& keys,
                   const Path& stanza) {
    if (keys.empty()) return;
    const std::string& text = node.scalar;
    const std::string& key = keys.back();
    const std::string parent = keys.size() < 2 ? "" : keys[keys.size() - 2];
    const auto wrong = [&](const char* instead) { Add(node.at, text, instead, path, true); };
    if (key == "kind") {
      // Which keys a stanza may have, only its kind says.
      Add(node.at, text, "nonsense", stanza, true);
    } else if (key == "unit" && parent != "where") {
      Add(node.at, text, "nonsense", stanza, true);
    } else if (key == "category" || key == "by" || key == "days") {
      wrong("nonsense");
    } else if (key == "format" || key == "preset") {
      Add(node.at, text, "nonsense", stanza, true);
    } else if (key == "type" && parent == "where") {
      Add(node.at, text, "nonsense", path, false);
    } else if (key == "to" && keys[0] == "routes") {
      Add(node.at, text, "nobody", path, false);
    } else if (key == "name" && !stanza.empty() && path.size() == stanza.size() + 1) {
      Add(node.at, text, "{}", path, false);
    } else if (IsDuration(text)) {
      wrong("soon");
      wrong("[]");
    } else if (LooksLike(text, "%")) {
      wrong("lots");
      wrong("140%");
    } else if (text == "true" || text == "false") {
      wrong("maybe");
    } else if (key == "level" || key == "count" || key == "failures" || key == "min_volume" ||
               key == "series_max" || key == "surge_level" || key == "year") {
      wrong("many");
      wrong("-7");
    }
  }

  const std::vector<std::string> lines_;
  std::vector<Fault> faults_;
};

std::map<std::string, std::string> Shipped() {
  std::map<std::string, std::string> texts;
  for (const std::string& name : ProfileNames()) texts["@" + name] = ProfileText(name);
  for (const auto& entry : std::filesystem::directory_iterator("config/examples")) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    texts[entry.path().string()] = text.str();
  }
  return texts;
}

// At most one a line, so that columns stay where they are, and none that hides another.
std::vector<Fault> Choose(const std::vector<Fault>& from, std::mt19937_64* random) {
  const auto wanted = 1 + (*random)() % kFaultsMax;
  std::vector<Fault> chosen;
  for (std::size_t tries = 0; tries < 20 * wanted && chosen.size() < wanted; ++tries) {
    const Fault& fault = from[(*random)() % from.size()];
    const bool fits = std::none_of(chosen.begin(), chosen.end(), [&](const Fault& other) {
      return other.line == fault.line || Within(fault.hides, other.hides) ||
             Within(other.hides, fault.hides);
    });
    if (fits) chosen.push_back(fault);
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const Fault& a, const Fault& b) { return a.line < b.line; });
  return chosen;
}

void CheckRound(const FaultFinder& finder, const std::vector<Fault>& chosen) {
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  EXPECT_FALSE(CheckedConfigText(finder.With(chosen), "t.yaml", &errors).has_value());
  const std::vector<ConfigError> found = errors.Sorted();
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  ASSERT_LE(found.size(), limits::kConfigErrorsMax);
  std::string said;
  for (const ConfigError& error : found) said += "\n  " + error.ToString();
  const bool unread = std::any_of(chosen.begin(), chosen.end(), [](const Fault& fault) {
    return fault.ToString().ends_with("-> {}");
  });
  for (const Fault& fault : chosen) {
    const bool told = std::any_of(found.begin(), found.end(), [&](const ConfigError& error) {
      return error.at == Location{"t.yaml", fault.line, fault.column};
    });
    // A name that cannot be read may be the one that another place asks for, and what is wrong with
    // a stanza is not known where its kind is not; that is said in its line.
    const bool hidden = (unread && fault.ToString().ends_with("-> nobody")) ||
                        std::any_of(found.begin(), found.end(), [&](const ConfigError& error) {
                          return error.at.line == fault.line;
                        });
    EXPECT_TRUE(told || hidden) << fault.ToString() << " is not among" << said;
  }
  if (std::all_of(chosen.begin(), chosen.end(), [](const Fault& fault) { return fault.alone; })) {
    EXPECT_EQ(found.size(), chosen.size()) << said;
  }
}

TEST(ConfigFaults, AllAreReportedAtTheirPlacesInOrder) {
  for (const auto& [name, text] : Shipped()) {
    const FaultFinder finder(text);
    ErrorList none(ErrorList::Secrets::kNotNeeded);
    ASSERT_TRUE(CheckedConfigText(text, "t.yaml", &none).has_value()) << name;
    ASSERT_GT(finder.faults().size(), 5U) << name;
    for (int seed = 0; seed < kRounds; ++seed) {
      std::mt19937_64 random(static_cast<std::uint64_t>(seed));
      const std::vector<Fault> chosen = Choose(finder.faults(), &random);
      std::string listed;
      for (const Fault& fault : chosen) listed += "\n  " + fault.ToString();
      SCOPED_TRACE(absl::StrCat(name, ", seed ", seed, listed));
      CheckRound(finder, chosen);
      if (testing::Test::HasFailure()) return;
    }
  }
}

// Each mistake by itself, so that none depends on the seeds.
TEST(ConfigFaults, EachIsReportedAtItsPlace) {
  for (const auto& [name, text] : Shipped()) {
    const FaultFinder finder(text);
    for (const Fault& fault : finder.faults()) {
      SCOPED_TRACE(absl::StrCat(name, " ", fault.ToString()));
      CheckRound(finder, {fault});
      if (testing::Test::HasFailure()) return;
    }
  }
}

// What the issue is about: an unknown key at the top, and what is below it.
TEST(ConfigFaults, AnUnknownKeyHidesNothingBelowIt) {
  ErrorList errors;
  EXPECT_FALSE(CheckedConfigText(R"(
colour: red
detectors:
  - {name: a, kind: error_rate, by: [servce], warn: {above: 5%, window: 5}}
  - {name: b, kind: nonsense, where: {tpe: log}, warn: {windw: 5m, for: 5}}
sinks:
  - {name: s, kind: stdout, formt: text, fallback: nobody}
)",
                                 "t.yaml", &errors)
                   .has_value());
  std::vector<std::string> places;
  for (const ConfigError& error : errors.Sorted()) {
    places.push_back(absl::StrCat(error.at.line, ":", error.at.column));
  }
  // Of a kind that is unknown nobody can say which keys it has.
  EXPECT_THAT(places,
              testing::ElementsAre("2:1", "4:38", "4:73", "5:21", "5:39", "5:73", "7:29", "7:52"));
}

}  // namespace
}  // namespace tocsin
