#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/sections.h"
#include "config/value.h"
#include "core/signal.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// A name becomes part of dedup keys, metric labels and file names.
constexpr std::size_t kNameBytesMax = 64;

bool PlainName(const std::string& name) {
  return name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

void RemoveKey(std::string_view key, ConfigNode* node) {
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    if (node->map[i].key != key) continue;
    node->map.erase(node->map.begin() + static_cast<std::ptrdiff_t>(i));
    node->key_locations.erase(node->key_locations.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

// Reads a misspelt key as the one that was meant, so that what hangs on it is judged all the same.
void MendKey(const std::string& key, const std::string& what, ConfigNode* node, ErrorList* errors) {
  if (node->Find(key) != nullptr) return;
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    if (Nearest(node->map[i].key, {key}).empty()) continue;
    errors->Add(node->key_locations[i], absl::StrCat("unknown key ", Quoted(node->map[i].key),
                                                     " in ", what, ": did you mean '", key, "'?"));
    node->map[i].key = key;
    return;
  }
}

void ReportDuplicate(const std::string& what, const std::string& name, const Location& at,
                     const Location& first, ErrorList* errors) {
  const std::string where = at.file == first.file ? absl::StrCat("at line ", first.line)
                                                  : absl::StrCat("in ", first.ToString());
  errors->Add(at,
              absl::StrCat("duplicate ", what, " name ", Quoted(name), ": the other is ", where));
}

// A map of lists of texts.
std::map<std::string, std::vector<std::string>> ReadLists(const ConfigNode& node,
                                                          const std::string& what,
                                                          ErrorList* errors) {
  std::map<std::string, std::vector<std::string>> lists;
  ConfigReader reader(node, what, errors);
  for (const ConfigNode::Entry& entry : node.map) lists[entry.key] = reader.Strings(entry.key);
  reader.Finish();
  return lists;
}

// One of the names in `hours:`.
std::optional<WeekHours> ReadHoursName(std::string_view key, const RouteNames& names,
                                       ConfigReader* match) {
  if (!match->Has(key)) return std::nullopt;
  const std::string name = match->String(key);
  const auto found = names.hours.find(name);
  if (found != names.hours.end()) return found->second;
  if (!match->Sound(key) || !names.hours_read) return std::nullopt;
  std::vector<std::string> known;
  for (const auto& [each, value] : names.hours) known.push_back(each);
  match->Missing(
      key,
      absl::StrCat(ToAbsl(key), " names ", Quoted(name), ": expected one of the section 'hours'",
                   known.empty() ? ", which is missing"
                                 : absl::StrCat(" (", absl::StrJoin(known, ", "), ")")));
  return std::nullopt;
}

void ReadMatch(const ConfigNode& node, const RouteNames& names, const SeverityScheme& scheme,
               ErrorList* errors, RouteConfig* route) {
  ConfigReader match(node, "match of a route", errors);
  if (const ConfigNode* level = match.Node("level")) {
    const std::vector<ConfigNode> one = {*level};
    for (const ConfigNode& element : level->kind == ConfigNode::Kind::kList ? level->list : one) {
      route->levels.push_back(ReadLevel(element, "level", scheme, errors));
    }
  }
  route->services = match.Strings("service");
  route->environments = match.Strings("env");
  std::vector<std::string> categories;
  for (int i = 0; i <= static_cast<int>(Category::kCapacity); ++i) {
    categories.emplace_back(CategoryName(static_cast<Category>(i)));
  }
  for (const ConfigNode& category : match.Texts("category")) {
    route->categories.push_back(category.scalar);
    if (std::find(categories.begin(), categories.end(), category.scalar) != categories.end()) {
      continue;
    }
    errors->Add(category.at, absl::StrCat("category is ", Quoted(category.scalar),
                                          ": expected one of ", absl::StrJoin(categories, ", ")));
  }
  route->teams = match.Strings("team");
  for (const std::string& team : route->teams) {
    const auto owned = names.teams.find(team);
    if (owned == names.teams.end()) continue;
    route->team_services.insert(route->team_services.end(), owned->second.begin(),
                                owned->second.end());
  }
  if (const ConfigNode* labels = match.Node("label")) {
    route->labels = ReadLists(*labels, "label of a route", errors);
  }
  route->during = ReadHoursName("during", names, &match);
  route->outside = ReadHoursName("outside", names, &match);
  match.Finish();
}

RouteConfig ReadRoute(const ConfigNode& node, const RouteNames& names, const SeverityScheme& scheme,
                      ErrorList* errors) {
  RouteConfig route;
  route.at = node.at;
  ConfigReader reader(node, "a route", errors);
  if (const ConfigNode* match = reader.Node("match")) {
    ReadMatch(*match, names, scheme, errors, &route);
  }
  route.proceed = reader.Bool("continue", false);
  if (!reader.Has("to")) reader.Missing("to", "a route needs 'to': the names of its sinks");
  for (const ConfigNode& to : reader.Texts("to")) {
    const std::string& sink = to.scalar;
    route.to.push_back(sink);
    const bool known = std::find(names.sinks.begin(), names.sinks.end(), sink) != names.sinks.end();
    if (known || !names.all_sinks_named) continue;
    const std::string sinks =
        names.sinks.empty() ? " (there are no sinks)"
                            : absl::StrCat(" (sinks are ", absl::StrJoin(names.sinks, ", "), ")");
    const std::string suggestion = Suggestion(sink, names.sinks);
    errors->AddMissing(to.at, absl::StrCat("a route to the unknown sink ", Quoted(sink),
                                           suggestion.empty() ? sinks : suggestion));
  }
  reader.Finish();
  return route;
}

}  // namespace

std::vector<ConfigNode> NamedStanzas(const ConfigNode& list, const std::string& what,
                                     ErrorList* errors) {
  std::vector<ConfigNode> stanzas;
  if (list.kind != ConfigNode::Kind::kList) {
    errors->Add(list.at, absl::StrCat(what, "s is ", Found(list), ": expected a list, each ", what,
                                      " with a name"));
    return stanzas;
  }
  std::map<std::string, Location> seen;
  const std::string one = absl::StrCat(absl::StartsWith(what, "i") ? "an " : "a ", what);
  for (ConfigNode element : list.list) {
    MendKey("name", one, &element, errors);
    ConfigReader reader(element, one, errors);
    const std::string name = reader.RequiredString("name");
    if (element.kind != ConfigNode::Kind::kMap) continue;
    if (!PlainName(name)) {
      reader.Error("name", absl::StrCat("name is ", Quoted(name), ": expected at most ",
                                        kNameBytesMax, " letters, digits, '-', '_' and '.'"));
    } else if (!name.empty()) {
      const auto [first, inserted] = seen.emplace(name, reader.At("name"));
      if (!inserted) ReportDuplicate(what, name, reader.At("name"), first->second, errors);
    }
    if (reader.Bool("disabled", false)) {
      // Nothing but the name: the profile that should have brought the rest does not know it.
      if (element.map.size() == 2 && reader.Has("name")) {
        reader.Missing("name",
                       absl::StrCat("there is no ", what, " ", Quoted(name), " to disable"));
      }
      continue;
    }
    stanzas.push_back(element);
    RemoveKey("disabled", &stanzas.back());
  }
  return stanzas;
}

std::string StanzaName(const ConfigNode& stanza) {
  const ConfigNode* name = stanza.Find("name");
  return name == nullptr ? "" : name->scalar;
}

std::map<std::string, std::vector<std::string>> ReadAdviceIf(ConfigReader* reader,
                                                             ErrorList* errors) {
  std::map<std::string, std::vector<std::string>> advice;
  const ConfigNode* node = reader->Node("advice_if");
  if (node == nullptr) return advice;
  ConfigReader classes(*node, "advice_if", errors);
  for (const char* name : {"attack", "botnet", "surge", "client"}) {
    if (classes.Has(name)) advice[name] = classes.Strings(name);
  }
  classes.Finish();
  return advice;
}

std::vector<DetectorConfig> ReadDetectors(const ConfigNode& list, ErrorList* errors,
                                          std::map<std::string, DetectorAdvice>* advice) {
  std::vector<DetectorConfig> detectors;
  for (ConfigNode& node : NamedStanzas(list, "detector", errors)) {
    DetectorConfig detector;
    detector.name = StanzaName(node);
    if (detector.name == kSeriesLimitAlarm) {
      errors->Add(node.Find("name")->at, absl::StrCat("the detector name ", Quoted(detector.name),
                                                      " is tocsin's own: expected another"));
    }
    const std::string what = absl::StrCat("detector ", detector.name);
    MendKey("kind", what, &node, errors);
    ConfigReader reader(node, what, errors);
    detector.kind = reader.RequiredString("kind");
    (*advice)[detector.name] = {.advice = reader.Strings("advice"),
                                .runbook = reader.String("runbook"),
                                .title = reader.String("title"),
                                .escalate_to = reader.Strings("escalate_to"),
                                .advice_if = ReadAdviceIf(&reader, errors)};
    detector.node = std::move(node);
    detectors.push_back(std::move(detector));
  }
  return detectors;
}

std::vector<SinkConfig> ReadSinks(const ConfigNode& list, ErrorList* errors) {
  std::vector<SinkConfig> sinks;
  for (ConfigNode& node : NamedStanzas(list, "sink", errors)) {
    SinkConfig sink;
    sink.name = StanzaName(node);
    const std::string what = absl::StrCat("sink ", sink.name);
    MendKey("kind", what, &node, errors);
    sink.kind = ConfigReader(node, what, errors).RequiredString("kind");
    sink.node = std::move(node);
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

std::vector<RouteConfig> ReadRoutes(const ConfigNode& list, const RouteNames& names,
                                    const SeverityScheme& scheme, ErrorList* errors) {
  std::vector<RouteConfig> routes;
  if (list.kind != ConfigNode::Kind::kList) {
    errors->Add(list.at, absl::StrCat("routes is ", Found(list), ": expected a list of routes"));
    return routes;
  }
  for (const ConfigNode& node : list.list) {
    routes.push_back(ReadRoute(node, names, scheme, errors));
  }
  return routes;
}

std::map<std::string, std::vector<std::string>> ReadTeams(const ConfigNode& node,
                                                          ErrorList* errors) {
  return ReadLists(node, "teams", errors);
}

}  // namespace tocsin
