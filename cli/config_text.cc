#include "cli/config_text.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "config/predicate.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "sinks/message_templates.h"

namespace tocsin {
namespace {

// How a key of a level is said; $ is its value.
struct Phrase {
  std::string_view key;
  const char* text;
};
constexpr Phrase kPhrases[] = {
    {"above", "above $"},
    {"count", "$ or more"},
    {"below", "below $"},
    {"error_ratio", "failures $ times as before"},
    {"error_above", "above $"},
    {"p95_ratio", "p95 $ times as before"},
    {"p95_above", "p95 above $"},
    {"p95_above_baseline", "p95 above $ times the usual"},
    {"ratio", "$ times the usual"},
    {"rate", "the budget burning at $ times its rate"},
    {"long", "over $"},
    {"short", "and over $"},
    {"failures", "$ failures in a row"},
    {"missed", "$ missed"},
    {"left", "full within $"},
    {"cvss_above", "CVSS above $"},
    {"at_least", "at least $"},
    {"above_share", "above $ of the larger"},
    {"window", "within $"},
    {"for", "for $"},
    {"clear", "clears at $"},
};

std::string Joined(const std::vector<std::string>& parts) { return absl::StrJoin(parts, ", "); }

std::string LevelText(const ConfigNode& level) {
  std::vector<std::string> parts;
  for (const Phrase& phrase : kPhrases) {
    const ConfigNode* value = level.Find(phrase.key);
    if (value == nullptr || value->scalar == "0s") continue;
    parts.push_back(absl::StrReplaceAll(phrase.text, {{"$", value->scalar}}));
  }
  const ConfigNode* hold = level.Find("for");
  if (hold == nullptr || hold->scalar == "0s") parts.emplace_back("at once");
  return Joined(parts);
}

// The severity of a level, as an index.
std::size_t SeverityOf(const ConfigNode& level, std::size_t fallback) {
  const ConfigNode* said = level.Find("level");
  if (said == nullptr || said->scalar.size() != 1) return fallback;
  const char digit = said->scalar[0];
  return digit >= '1' && digit <= '4' ? static_cast<std::size_t>(digit - '1') : fallback;
}

std::string SeverityText(const SeverityScheme& scheme) {
  std::string text;
  for (std::size_t i = 0; i < scheme.names.size(); ++i) {
    absl::StrAppend(&text, "  ", scheme.names[i], ": ",
                    scheme.pages[i] ? "pages" : "does not page (a ticket)");
    if (!scheme.escalate_to[i].empty()) {
      absl::StrAppend(&text, scheme.pages[i] ? " " : ", for ", Joined(scheme.escalate_to[i]));
    }
    absl::StrAppend(&text, "; answer ",
                    scheme.respond_within[i]
                        ? absl::StrCat("within ", FormatDuration(*scheme.respond_within[i]))
                        : "on the next business day");
    if (scheme.update_every[i]) {
      absl::StrAppend(&text, "; update every ", FormatDuration(*scheme.update_every[i]));
    }
    text += '\n';
  }
  const auto add_rule = [&](const SeverityScheme::UsersRule& rule, const std::string& users) {
    absl::StrAppend(&text, "  more than ", users, " with a failure",
                    rule.down ? " while a service is down" : "", ": at least ",
                    scheme.names[static_cast<std::size_t>(rule.level - 1)], "\n");
  };
  for (const SeverityScheme::UsersRule& rule : scheme.users_share) {
    add_rule(rule, absl::StrCat(rule.above * 100, " % of users"));
  }
  for (const SeverityScheme::UsersRule& rule : scheme.users_count) {
    add_rule(rule, absl::StrCat(rule.above, " users"));
  }
  if (scheme.level_1_after_rollback) {
    absl::StrAppend(&text, "  still failing ", FormatDuration(*scheme.level_1_after_rollback),
                    " after a rollback: ", scheme.names[0], "\n");
  }
  return text;
}

std::string DetectorText(const DetectorConfig& detector, const Config& config) {
  const auto advice = config.advice.find(detector.name);
  std::string text = absl::StrCat("  detector ", detector.name, " (", detector.kind, ")");
  if (advice != config.advice.end() && !advice->second.title.empty()) {
    absl::StrAppend(&text, ": ", advice->second.title);
  }
  text += '\n';
  ErrorList ignored;  // it was loaded already
  ConfigReader reader(detector.node, "", &ignored);
  std::vector<std::string> about;
  const std::string where = Predicate::Parse(reader.Node("where"), &ignored).ToString();
  if (!where.empty()) about.push_back(where);
  if (const std::string pattern = reader.String("pattern"); !pattern.empty()) {
    about.push_back(absl::StrCat("log lines that match ", pattern));
  }
  if (const std::vector<std::string> by = reader.Strings("by"); !by.empty()) {
    about.push_back(absl::StrCat("by ", Joined(by)));
  }
  if (const std::string per = reader.String("per"); !per.empty()) {
    about.push_back(absl::StrCat("each ", per, " by itself"));
  }
  if (const ConfigNode* failure = reader.Node("failure"); failure && !failure->map.empty()) {
    const auto& [field, value] = failure->map.front();
    about.push_back(absl::StrCat("counting ", field, " ", value.scalar));
  }
  if (!about.empty()) absl::StrAppend(&text, "    ", absl::StrJoin(about, "; "), "\n");
  constexpr std::pair<const char*, std::size_t> kLevels[] = {{"warn", 2}, {"critical", 1}};
  for (const auto& [key, fallback] : kLevels) {
    const ConfigNode* level = reader.Node(key);
    if (level == nullptr || level->kind != ConfigNode::Kind::kMap) continue;
    absl::StrAppend(&text, "    ", config.severity.names[SeverityOf(*level, fallback)], ": ",
                    LevelText(*level), "\n");
  }
  if (advice != config.advice.end() && !advice->second.escalate_to.empty()) {
    absl::StrAppend(&text, "    also tells ", Joined(advice->second.escalate_to), "\n");
  }
  return text;
}

std::string InputText(const InputConfig& input, DurationUs pane) {
  const DurationUs delay = DelayOf(input, pane);
  const DurationUs worst = pane + delay + 2'500 * kMillisecondUs;
  std::string text =
      absl::StrCat("  input ", input.name, ": ",
                   input.http    ? (input.kafka ? "HTTP to Kafka" : "HTTP")
                   : input.kafka ? "Kafka"
                                 : "file",
                   ", delay ", FormatDuration(delay), "; a fault is decided at most ",
                   FormatDuration(worst), " after it shows\n");
  if (input.kafka) {
    text +=
        "    on topics without LogAppendTime an idle partition is closed by this host's clock: "
        "live equals replay then holds from the journal on\n";
  }
  return text;
}

// Who hears of what, as the routes say it.
std::string RoutesText(const Config& config) {
  if (config.routes.empty()) return "  no routes: every sink hears of every incident\n";
  const auto kind_of = [&](const std::string& name) -> std::string_view {
    for (const SinkConfig& sink : config.sinks) {
      if (sink.name == name) return sink.kind;
    }
    return "";
  };
  std::string text = "  routes, from the top; the first that matches ends the search:\n";
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    std::vector<std::string> sinks;
    for (const std::string& name : route.to) {
      sinks.push_back(absl::StrCat(name, " (", ToAbsl(kind_of(name)), ")"));
    }
    absl::StrAppend(&text, "    ", i + 1, ". ", MatchText(route, config.severity), ": ",
                    sinks.empty() ? "nobody" : Joined(sinks),
                    route.proceed ? ", and the search goes on" : "", "\n");
  }
  return text;
}

}  // namespace

std::string ConfigText(const Config& config) {
  std::string text = absl::StrCat(config.source, ": ok\n", SeverityText(config.severity));
  for (const InputConfig& input : config.inputs) text += InputText(input, config.pane);
  if (config.enrichment != nullptr) {
    for (const EnrichmentTable& table : *config.enrichment) {
      absl::StrAppend(&text, "  enrich: what is known of a ", table.from().Name(), ", for ",
                      GroupedNumber(static_cast<std::int64_t>(table.rows())),
                      table.rows() == 1 ? " value" : " values", "\n");
    }
  }
  for (const DetectorConfig& detector : config.detectors) text += DetectorText(detector, config);
  absl::StrAppend(&text, "  an incident resolves once all was clear for ",
                  FormatDuration(config.correlate.watch), "; a deploy of the last ",
                  FormatDuration(config.correlate.deploy_window), " is a suspect\n");
  for (const SinkConfig& sink : config.sinks) {
    absl::StrAppend(&text, "  sink ", sink.name, ": ", sink.kind,
                    sink.node.Find("templates") == nullptr ? "" : ", with words of its own", "\n");
  }
  ErrorList ignored;  // it was loaded already
  if (const auto own = ReadMessageTemplates(config.templates, &ignored).Replaced(); !own.empty()) {
    absl::StrAppend(&text, "  own templates of messages: ", Joined(own), "\n");
  }
  if (config.sinks.empty()) text += "  no sinks: nobody would be told\n";
  if (!config.sinks.empty()) text += RoutesText(config);
  if (config.shadow) {
    text += "  mode shadow: what would go to sinks other than stdout and file is only recorded\n";
  }
  return text;
}

std::string MatchText(const RouteConfig& route, const SeverityScheme& scheme) {
  std::vector<std::string> parts;
  std::vector<std::string> levels;
  for (const int level : route.levels) {
    levels.push_back(scheme.names[static_cast<std::size_t>(level - 1)]);
  }
  if (!levels.empty()) parts.push_back(Joined(levels));
  const auto add = [&](const char* what, const std::vector<std::string>& values) {
    if (!values.empty()) parts.push_back(absl::StrCat(what, " ", Joined(values)));
  };
  add("service", route.services);
  add("team", route.teams);
  add("env", route.environments);
  add("category", route.categories);
  for (const auto& [name, values] : route.labels) {
    parts.push_back(absl::StrCat("label ", name, " ", Joined(values)));
  }
  const auto add_hours = [&](const char* when, const std::optional<WeekHours>& hours) {
    if (!hours) return;
    parts.push_back(absl::StrCat(when, " ", hours->name, " (", hours->ToString(), ")"));
  };
  add_hours("during", route.during);
  add_hours("outside", route.outside);
  return parts.empty() ? "everything" : absl::StrJoin(parts, "; ");
}

}  // namespace tocsin
