#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/config.h"
#include "config/sections.h"
#include "config/transport.h"
#include "config/value.h"
#include "core/limits.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// One text of the chain that `extends:` makes.
struct Document {
  std::string name;      // for messages
  std::string identity;  // equal for two names of one file
  std::string text;
};

std::string ProfileList() {
  std::vector<std::string> names;
  for (const std::string& name : ProfileNames()) names.push_back("@" + name);
  return absl::StrJoin(names, ", ");
}

std::optional<Document> ReadProfile(const std::string& name, const Location& at,
                                    ErrorList* errors) {
  const std::string_view text = ProfileText(std::string_view(name).substr(1));
  if (!text.empty()) return Document{name, name, std::string(text)};
  const std::string nearest = Nearest(std::string_view(name).substr(1), ProfileNames());
  errors->Add(
      at,
      absl::StrCat("there is no profile ", Quoted(name), ": the built-in ones are ", ProfileList(),
                   nearest.empty() ? "" : absl::StrCat("; did you mean '@", nearest, "'?")));
  return std::nullopt;
}

std::optional<Document> ReadTextFile(const std::string& path, const Location& at,
                                     ErrorList* errors) {
  const auto fail = [&](const std::string& why) {
    errors->Add(at, absl::StrCat("cannot read ", Quoted(path), ": ", why));
    return std::nullopt;
  };
  std::error_code code;
  // fopen opens a directory; only the first read would fail, with a message about reading.
  if (fs::is_directory(path, code)) return fail("it is a directory, not a file");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return fail(std::strerror(errno));
  // One byte more than allowed, so that ParseYaml sees what is too large; a device may never end.
  std::string text(limits::kConfigBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return fail(std::strerror(errno));
  const fs::path canonical = fs::weakly_canonical(path, code);
  return Document{path, code ? path : canonical.string(), std::move(text)};
}

std::optional<Document> ReadDocument(const std::string& name, const Location& at,
                                     ErrorList* errors) {
  return name.starts_with("@") ? ReadProfile(name, at, errors) : ReadTextFile(name, at, errors);
}

// `target` as written in the file `from`: relative to that file.
std::string ResolveExtends(const std::string& from, const std::string& target) {
  if (target.starts_with("@") || fs::path(target).is_absolute()) return target;
  return (fs::path(from).parent_path() / target).lexically_normal().string();
}

// Parses `first` and what it extends, and merges them.
ConfigNode LoadChain(Document first, ErrorList* errors) {
  std::vector<ConfigNode> nodes;
  std::vector<std::string> identities, names;
  std::optional<Document> document = std::move(first);
  while (document) {
    nodes.push_back(ParseYaml(document->text, document->name, errors));
    identities.push_back(document->identity);
    names.push_back(document->name);
    const std::string from = document->name;
    document.reset();

    // Each file by itself: a merge would replace one that is no map by one that is.
    ConfigReader reader(nodes.back(), "", errors);
    const ConfigNode* extends = reader.Node("extends");
    if (extends == nullptr) break;
    // Until it is read, what else may be missing may stand there.
    const std::string target = reader.RequiredString("extends");
    if (target.empty()) {
      errors->SetPartUnread();
      break;
    }
    if (nodes.size() > static_cast<std::size_t>(limits::kConfigExtendsMax)) {
      errors->Add(extends->at, absl::StrCat("extends goes more than ", limits::kConfigExtendsMax,
                                            " files deep"));
      errors->SetPartUnread();
      break;
    }
    document = ReadDocument(ResolveExtends(from, target), extends->at, errors);
    if (!document) {
      errors->SetPartUnread();
      break;
    }
    const auto known = std::find(identities.begin(), identities.end(), document->identity);
    if (known != identities.end()) {
      names.push_back(document->name);
      names.erase(names.begin(), names.begin() + (known - identities.begin()));
      errors->Add(extends->at,
                  absl::StrCat("extends goes round in a circle: ", absl::StrJoin(names, " → ")));
      errors->SetPartUnread();
      break;
    }
  }
  ConfigNode merged = std::move(nodes.back());
  for (std::size_t i = nodes.size() - 1; i-- > 0;) {
    if (nodes[i].kind == ConfigNode::Kind::kMap) merged = MergeNodes(merged, nodes[i]);
  }
  return merged;
}

std::vector<FieldRef> ReadScope(ConfigReader* root) {
  std::vector<FieldRef> scope;
  if (root->Node("scope") == nullptr) return {*FieldRef::Parse("env")};
  const std::vector<ConfigNode> names = root->Texts("scope");
  if (names.empty() && root->Sound("scope")) {
    root->Error("scope", "scope is empty: expected fields such as [env]");
  }
  for (const ConfigNode& text : names) {
    const std::string& name = text.scalar;
    std::optional<FieldRef> field = FieldRef::Parse(name);
    // The incidents of a scope are one list; of an address or a user there would be millions.
    const bool bounded =
        field && (field->kind == FieldRef::Kind::kLabel ||
                  (field->kind == FieldRef::Kind::kField &&
                   (field->field == Field::kEnv || field->field == Field::kApp ||
                    field->field == Field::kRegion || field->field == Field::kService)));
    if (!bounded) {
      root->errors()->Add(text.at,
                          absl::StrCat("scope has ", Quoted(name),
                                       ": expected env, region, app, service or labels.NAME"));
    } else if (std::find(scope.begin(), scope.end(), *field) != scope.end()) {
      root->errors()->Add(text.at, absl::StrCat("scope has ", Quoted(name), " twice"));
    } else {
      scope.push_back(*std::move(field));
    }
  }
  return scope;
}

void ReadTopology(const ConfigNode& node, ErrorList* errors,
                  std::map<std::string, std::vector<std::string>>* topology) {
  if (node.kind != ConfigNode::Kind::kMap) {
    errors->Add(node.at, absl::StrCat("topology is ", Found(node),
                                      ": expected a map from service to what it needs"));
    return;
  }
  for (const auto& [service, needs] : node.map) {
    if (needs.kind == ConfigNode::Kind::kNull) continue;
    std::vector<std::string>& names = (*topology)[service];
    for (const ConfigNode& name : TextNodes(needs, service, errors)) {
      if (service != "*" && name.scalar == service) {
        errors->Add(name.at, absl::StrCat(Quoted(service), " needs itself"));
      }
      names.push_back(name.scalar);
    }
  }
}

void ReadCorrelate(ConfigReader* root, ErrorList* errors, CorrelateConfig* correlate) {
  if (const ConfigNode* node = root->Node("topology")) {
    ReadTopology(*node, errors, &correlate->topology);
  }
  const ConfigNode* node = root->Node("correlate");
  if (node == nullptr) return;
  ConfigReader reader(*node, "correlate", errors);
  correlate->join_window = reader.Duration("join_window", correlate->join_window, 0, kDayUs);
  correlate->coincidence =
      reader.Duration("coincidence", correlate->coincidence, 0, 10 * kMinuteUs);
  correlate->watch = reader.Duration("watch", correlate->watch, 0, kDayUs);
  correlate->reopen_within = reader.Duration("reopen_within", correlate->reopen_within, 0, kDayUs);
  correlate->flap_damping = reader.Bool("flap_damping", correlate->flap_damping);
  correlate->deploy_window = reader.Duration("deploy_window", correlate->deploy_window, 0, kDayUs);
  if (reader.Has("external")) correlate->external = reader.Strings("external");
  correlate->runbook = reader.String("runbook");
  reader.Finish();
}

void ReadLimits(ConfigReader* root, ErrorList* errors, LimitsConfig* config) {
  const ConfigNode* node = root->Node("limits");
  if (node == nullptr) return;
  ConfigReader reader(*node, "limits", errors);
  // Evidence is h = ln(looks ÷ budget): a budget of 0 would ask for infinite evidence.
  config->false_pages_per_series_week = reader.Number(
      "false_pages_per_series_week", config->false_pages_per_series_week, 1e-9, 1'000);
  config->series_expected =
      reader.Int("series_expected", config->series_expected, 1, 1'000'000'000);
  config->series_max = static_cast<std::size_t>(
      reader.Int("series_max", static_cast<std::int64_t>(config->series_max), 1,
                 static_cast<std::int64_t>(limits::kSeriesMax)));
  reader.Finish();
}

Config ReadSections(const ConfigNode& node, const std::string& source, ErrorList* errors) {
  Config config;
  config.source = source;
  config.tree = node;
  ConfigReader root(node, "", errors);
  root.Node("extends");
  config.pane = root.Duration("pane", config.pane, kSecondUs, 5 * kMinuteUs);
  config.scope = ReadScope(&root);
  config.state_dir = root.String("state_dir", config.state_dir);
  if (config.state_dir.empty()) root.Error("state_dir", "state_dir is empty: expected a directory");
  if (const ConfigNode* http = root.Node("http")) config.http = ReadHttpServer(*http, errors);
  if (const ConfigNode* inputs = root.Node("inputs")) {
    config.inputs = ReadInputs(*inputs,
                               {.pane = config.pane,
                                .pane_is_sound = root.Sound("pane"),
                                .state_dir = config.state_dir,
                                .http_is_local = IsLoopback(config.http.listen)},
                               errors);
  }
  if (const ConfigNode* tables = root.Node("enrich")) {
    config.enrichment = ReadEnrichment(*tables, errors);
    for (InputConfig& input : config.inputs) input.enrichment = config.enrichment;
  }
  if (const ConfigNode* severity = root.Node("severity")) {
    ReadSeverity(*severity, errors, &config.severity);
  }
  config.advice[kSeriesLimitAlarm] = {
      .advice = {"Find the label whose values never end (an id, a random host name, a path with "
                 "numbers) among the `by` of the detectors named, and drop or map it",
                 "If all these series are wanted, raise limits.series_max"},
      .runbook = "",
      .title = "tocsin"};
  if (const ConfigNode* detectors = root.Node("detectors")) {
    config.detectors = ReadDetectors(*detectors, errors, &config.advice);
  }
  if (const ConfigNode* sinks = root.Node("sinks")) config.sinks = ReadSinks(*sinks, errors);
  RouteNames names;
  for (const SinkConfig& sink : config.sinks) {
    if (!sink.name.empty()) names.sinks.push_back(sink.name);
  }
  names.all_sinks_named = names.sinks.size() == config.sinks.size();
  if (const ConfigNode* hours = root.Node("hours")) {
    names.hours = ReadHours(*hours, errors);
    names.hours_read = hours->kind == ConfigNode::Kind::kMap;
  }
  if (const ConfigNode* teams = root.Node("teams")) names.teams = ReadTeams(*teams, errors);
  if (const ConfigNode* routes = root.Node("routes")) {
    config.routes = ReadRoutes(*routes, names, config.severity, errors);
  }
  config.shadow = root.Choice("mode", {"live", "shadow"}, "live") == "shadow";
  ReadCorrelate(&root, errors, &config.correlate);
  if (const ConfigNode* silences = root.Node("silences")) {
    config.silences = ReadSilences(*silences, errors);
  }
  if (const ConfigNode* rules = root.Node("inhibit")) {
    config.inhibit = ReadInhibitRules(*rules, errors);
  }
  if (const ConfigNode* blind = root.Node("blind")) config.blind = ReadBlind(*blind, errors);
  for (const std::string& sink : config.blind.to) {
    if (std::find(names.sinks.begin(), names.sinks.end(), sink) != names.sinks.end()) continue;
    errors->Add(config.blind.to_at,
                absl::StrCat("blind names the sink ", Quoted(sink), ", which there is not",
                             Suggestion(sink, names.sinks)));
  }
  if (const ConfigNode* heartbeat = root.Node("heartbeat")) {
    config.heartbeat = ReadHeartbeat(*heartbeat, errors);
  }
  if (const ConfigNode* templates = root.Node("templates")) config.templates = *templates;
  ReadLimits(&root, errors, &config.limits);
  config.listen = ReadListen(&root, config.listen);
  config.hosts = ReadHosts(&root);
  config.api_token_file = ReadSecretPath("api_token_file", &root);
  config.pagerduty_webhook_secret_file = ReadSecretPath("pagerduty_webhook_secret_file", &root);
  config.ready_lag_max = root.Duration("ready_lag_max", config.ready_lag_max, kSecondUs, kDayUs);
  root.Finish();
  return config;
}

Config Read(Document document, ErrorList* errors) {
  const std::string source = document.name;
  return ReadSections(LoadChain(std::move(document), errors), source, errors);
}

}  // namespace

std::vector<std::string> Config::ScopeNames() const {
  std::vector<std::string> names;
  for (const FieldRef& field : scope) names.push_back(field.Name());
  return names;
}

std::vector<std::string> ChangedKeys(const Config& before, const Config& after) {
  std::set<std::string> changed;
  const auto compare = [&changed](const ConfigNode& from, const ConfigNode& to) {
    for (const ConfigNode::Entry& entry : from.map) {
      const ConfigNode* const other = to.Find(entry.key);
      if (other == nullptr || !SameValue(entry.value, *other)) changed.insert(entry.key);
    }
  };
  compare(before.tree, after.tree);
  compare(after.tree, before.tree);
  return {changed.begin(), changed.end()};
}

std::optional<Config> ReadConfig(const std::string& path_or_profile, ErrorList* errors) {
  std::optional<Document> document = ReadDocument(path_or_profile, {path_or_profile, 0, 0}, errors);
  if (!document) return std::nullopt;
  return Read(*std::move(document), errors);
}

Config ReadConfigText(const std::string& text, const std::string& name, ErrorList* errors) {
  return Read({name, name, text}, errors);
}

std::optional<Config> LoadConfig(const std::string& path_or_profile, ErrorList* errors) {
  const std::size_t before = errors->count();
  std::optional<Config> config = ReadConfig(path_or_profile, errors);
  if (errors->count() != before) config.reset();
  return config;
}

std::optional<Config> LoadConfigText(const std::string& text, const std::string& name,
                                     ErrorList* errors) {
  const std::size_t before = errors->count();
  std::optional<Config> config = ReadConfigText(text, name, errors);
  if (errors->count() != before) config.reset();
  return config;
}

}  // namespace tocsin
