#include <algorithm>
#include <map>
#include <optional>

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
std::optional<WeekHours> ReadHoursName(std::string_view key,
                                       const std::map<std::string, WeekHours>& hours,
                                       ConfigReader* match) {
  if (!match->Has(key)) return std::nullopt;
  const std::string name = match->String(key);
  const auto found = hours.find(name);
  if (found != hours.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [each, value] : hours) known.push_back(each);
  match->Error(
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
  route->categories = match.Strings("category");
  std::vector<std::string> categories;
  for (int i = 0; i <= static_cast<int>(Category::kCapacity); ++i) {
    categories.emplace_back(CategoryName(static_cast<Category>(i)));
  }
  for (const std::string& category : route->categories) {
    if (std::find(categories.begin(), categories.end(), category) != categories.end()) continue;
    match.Error("category", absl::StrCat("category is ", Quoted(category), ": expected one of ",
                                         absl::StrJoin(categories, ", ")));
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
  route->during = ReadHoursName("during", names.hours, &match);
  route->outside = ReadHoursName("outside", names.hours, &match);
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
  route.to = reader.Strings("to");
  if (node.kind == ConfigNode::Kind::kMap && route.to.empty() && !reader.Has("to")) {
    errors->Add(node.at, "a route needs 'to': the names of its sinks");
  }
  for (const std::string& sink : route.to) {
    if (std::find(names.sinks.begin(), names.sinks.end(), sink) != names.sinks.end()) continue;
    const std::string known =
        names.sinks.empty() ? " (there are no sinks)"
                            : absl::StrCat(" (sinks are ", absl::StrJoin(names.sinks, ", "), ")");
    const std::string suggestion = Suggestion(sink, names.sinks);
    reader.Error("to", absl::StrCat("a route to the unknown sink ", Quoted(sink),
                                    suggestion.empty() ? known : suggestion));
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
  for (const ConfigNode& element : list.list) {
    ConfigReader reader(element, absl::StrCat("a ", what), errors);
    const std::string name = reader.RequiredString("name");
    if (name.empty()) continue;
    if (!PlainName(name)) {
      reader.Error("name", absl::StrCat("name is ", Quoted(name), ": expected at most ",
                                        kNameBytesMax, " letters, digits, '-', '_' and '.'"));
      continue;
    }
    const auto [first, inserted] = seen.emplace(name, reader.At("name"));
    if (!inserted) ReportDuplicate(what, name, reader.At("name"), first->second, errors);
    if (reader.Bool("disabled", false)) {
      // Nothing but the name: the profile that should have brought the rest does not know it.
      if (element.map.size() == 2) {
        reader.Error("name", absl::StrCat("there is no ", what, " ", Quoted(name), " to disable"));
      }
      continue;
    }
    stanzas.push_back(element);
    RemoveKey("disabled", &stanzas.back());
  }
  return stanzas;
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
    detector.name = node.Find("name")->scalar;
    if (detector.name == kSeriesLimitAlarm) {
      errors->Add(node.Find("name")->at, absl::StrCat("the detector name ", Quoted(detector.name),
                                                      " is tocsin's own: expected another"));
    }
    ConfigReader reader(node, absl::StrCat("detector ", detector.name), errors);
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
    sink.name = node.Find("name")->scalar;
    sink.kind = ConfigReader(node, absl::StrCat("sink ", sink.name), errors).RequiredString("kind");
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
