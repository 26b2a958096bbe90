#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/sections.h"
#include "config/value.h"
#include "core/signal.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::int64_t kUsersMax = 10'000'000'000;

constexpr std::size_t kLevels = 4;

// The elements of a list with one element a level. One of another length is an error; its elements
// are there all the same, as far as there are levels.
std::vector<ConfigNode> PerLevel(ConfigReader* reader, std::string_view key) {
  const ConfigNode* node = reader->Node(key);
  if (node == nullptr) return {};
  if (node->kind == ConfigNode::Kind::kList && node->list.size() == kLevels) return node->list;
  const std::string found = node->kind == ConfigNode::Kind::kList
                                ? absl::StrCat("a list of ", node->list.size())
                                : Found(*node);
  reader->Error(key, absl::StrCat(ToAbsl(key), " is ", found,
                                  ": expected a list of 4, one for each level from 1 to 4"));
  std::vector<ConfigNode> elements = node->list;
  if (elements.size() > kLevels) elements.resize(kLevels);
  return elements;
}

void ReadNames(ConfigReader* reader, ErrorList* errors, SeverityScheme* scheme) {
  const std::size_t before = errors->count();
  const std::vector<ConfigNode> nodes = PerLevel(reader, "names");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::optional<std::string> name = TextValue(nodes[i], "names", errors);
    if (!name) continue;
    if (name->empty() || !seen.insert(*name).second) {
      errors->Add(nodes[i].at, "names of severity levels must differ and not be empty");
    }
    scheme->names[i] = *name;
  }
  if (errors->count() != before) scheme->names.fill("");  // as ReadLevel wants it
}

void ReadPeriods(ConfigReader* reader, std::string_view key, ErrorList* errors,
                 std::array<std::optional<DurationUs>, kLevels>* periods) {
  const std::vector<ConfigNode> nodes = PerLevel(reader, key);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool none = nodes[i].kind == ConfigNode::Kind::kNull || nodes[i].scalar == "none";
    (*periods)[i] =
        none ? std::nullopt : DurationValue(nodes[i], key, kSecondUs, 52 * kWeekUs, errors);
  }
}

void ReadPages(ConfigReader* reader, ErrorList* errors, SeverityScheme* scheme) {
  const ConfigNode* node = reader->Node("pages");
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kList) {
    reader->Error("pages",
                  absl::StrCat("pages is ", Found(*node),
                               ": expected a list of the levels that page, such as [1, 2]"));
    return;
  }
  scheme->pages.fill(false);
  for (const ConfigNode& element : node->list) {
    const int level = ReadLevel(element, "pages", *scheme, errors);
    if (level > 0) scheme->pages[static_cast<std::size_t>(level - 1)] = true;
  }
}

// A map's key as a node, for what reads values.
ConfigNode KeyNode(const std::string& key, const Location& at) {
  ConfigNode node;
  node.kind = ConfigNode::Kind::kScalar;
  node.at = at;
  node.scalar = key;
  return node;
}

void ReadEscalation(ConfigReader* reader, ErrorList* errors, SeverityScheme* scheme) {
  const ConfigNode* node = reader->Node("escalate_to");
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kMap) {
    reader->Error("escalate_to", absl::StrCat("escalate_to is ", Found(*node),
                                              ": expected a map from level to people"));
    return;
  }
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    const int level = ReadLevel(KeyNode(node->map[i].key, node->key_locations[i]), "escalate_to",
                                *scheme, errors);
    const ConfigNode& people = node->map[i].value;
    if (people.kind == ConfigNode::Kind::kNull) continue;
    std::vector<std::string> roles = TextValues(people, "escalate_to", errors);
    if (level > 0) scheme->escalate_to[static_cast<std::size_t>(level - 1)] = std::move(roles);
  }
}

// `escalation: {SEV1: [{after: 10m, to: [cto]}]}`.
void ReadEscalationSteps(ConfigReader* reader, ErrorList* errors, SeverityScheme* scheme) {
  const ConfigNode* node = reader->Node("escalation");
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kMap) {
    reader->Error("escalation", absl::StrCat("escalation is ", Found(*node),
                                             ": expected a map from level to a "
                                             "list such as [{after: 10m, to: [cto]}]"));
    return;
  }
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    const int level =
        ReadLevel(KeyNode(node->map[i].key, node->key_locations[i]), "escalation", *scheme, errors);
    const ConfigNode& list = node->map[i].value;
    if (list.kind == ConfigNode::Kind::kNull) continue;
    if (list.kind != ConfigNode::Kind::kList) {
      errors->Add(list.at, absl::StrCat("the steps are ", Found(list),
                                        ": expected a list such as [{after: 10m, to: [cto]}]"));
      continue;
    }
    std::vector<SeverityScheme::EscalationStep> steps;
    for (const ConfigNode& element : list.list) {
      ConfigReader step(element, "an escalation step", errors);
      const DurationUs after = step.Duration("after", 0, kSecondUs, 52 * kWeekUs);
      steps.push_back({.after = after, .to = step.Strings("to")});
      step.Finish();
      if (!step.Has("after") || !step.Has("to")) {
        step.Missing("", "an escalation step needs 'after' and 'to'");
      }
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const auto& a, const auto& b) { return a.after < b.after; });
    if (level > 0) scheme->escalation[static_cast<std::size_t>(level - 1)] = std::move(steps);
  }
}

// `category_level: {data: 1}`.
void ReadCategoryLevels(ConfigReader* reader, ErrorList* errors, SeverityScheme* scheme) {
  const ConfigNode* node = reader->Node("category_level");
  if (node == nullptr) return;
  ConfigReader categories(*node, "category_level", errors);
  for (std::size_t i = 0; i < scheme->category_level.size(); ++i) {
    const std::string_view name = CategoryName(static_cast<Category>(i));
    const ConfigNode* level = categories.Node(name);
    if (level != nullptr) scheme->category_level[i] = ReadLevel(*level, name, *scheme, errors);
  }
  categories.Finish();
}

// `users_share: [{above: 5%, level: 1}]`, `users_count: [{above: 1000, service: down, level: 2}]`.
void ReadUsersRules(ConfigReader* reader, const char* key, const char* example, bool share,
                    ErrorList* errors, const SeverityScheme& scheme,
                    std::vector<SeverityScheme::UsersRule>* rules) {
  const ConfigNode* node = reader->Node(key);
  if (node == nullptr) return;
  if (node->kind != ConfigNode::Kind::kList) {
    reader->Error(key,
                  absl::StrCat(key, " is ", Found(*node), ": expected a list such as ", example));
    return;
  }
  for (const ConfigNode& element : node->list) {
    ConfigReader row(element, key, errors);
    std::optional<double> above;
    if (share) {
      above = row.OptionalRatio("above");
    } else if (row.Has("above")) {
      const std::int64_t users = row.Int("above", 0, 0, kUsersMax);
      if (row.Sound("above")) above = static_cast<double>(users);
    }
    const std::string service = row.String("service");
    if (!service.empty() && service != "down" && service != "degraded") {
      row.Error("service", absl::StrCat("service is '", service,
                                        "': expected down, or degraded for anything that fires"));
    }
    const ConfigNode* level_node = row.Node("level");
    const int level = level_node == nullptr ? 0 : ReadLevel(*level_node, "level", scheme, errors);
    row.Finish();
    if (!row.Has("above") || !row.Has("level")) {
      row.Missing("", absl::StrCat("an element of ", key, " needs 'above' and 'level'"));
    } else if (above && level > 0) {
      rules->push_back({.above = *above, .level = level, .down = service == "down"});
    }
  }
  std::stable_sort(rules->begin(), rules->end(),
                   [](const auto& a, const auto& b) { return a.above > b.above; });
  for (std::size_t i = 1; i < rules->size(); ++i) {
    const SeverityScheme::UsersRule& more = (*rules)[i - 1];
    const SeverityScheme::UsersRule& less = (*rules)[i];
    if (more.down != less.down || more.level <= less.level) continue;
    reader->Error(key, absl::StrCat(key, share ? " gives a larger share a lower severity"
                                               : " gives more users a lower severity"));
    break;
  }
}

}  // namespace

int ReadLevel(const ConfigNode& node, std::string_view name, const SeverityScheme& scheme,
              ErrorList* errors) {
  bool may_be_name = false;
  if (node.kind == ConfigNode::Kind::kScalar) {
    for (std::size_t i = 0; i < kLevels; ++i) {
      const int level = static_cast<int>(i) + 1;
      if (node.scalar == scheme.names[i] || node.scalar == absl::StrCat(level)) return level;
    }
    may_be_name = node.scalar.find_first_not_of("0123456789") != std::string::npos;
  }
  if (may_be_name && scheme.names[0].empty()) return 0;
  std::string message = absl::StrCat(ToAbsl(name), " is ", Found(node),
                                     ": expected a severity level: 1 (highest) to 4, or one of ",
                                     absl::StrJoin(scheme.names, ", "));
  if (scheme.names[0].empty()) message.resize(message.find(", or one of "));
  if (may_be_name) {
    errors->AddMissing(node.at, std::move(message));
  } else {
    errors->Add(node.at, std::move(message));
  }
  return 0;
}

void ReadSeverity(const ConfigNode& node, ErrorList* errors, SeverityScheme* scheme) {
  ConfigReader reader(node, "severity", errors);
  ReadNames(&reader, errors, scheme);  // first: the others may use the names
  ReadPeriods(&reader, "respond_within", errors, &scheme->respond_within);
  ReadPeriods(&reader, "update_every", errors, &scheme->update_every);
  ReadPages(&reader, errors, scheme);
  ReadEscalation(&reader, errors, scheme);
  ReadEscalationSteps(&reader, errors, scheme);
  ReadCategoryLevels(&reader, errors, scheme);
  if (reader.Has("quiet_environments")) {
    scheme->quiet_environments = reader.Strings("quiet_environments");
  }
  ReadUsersRules(&reader, "users_share", "[{above: 5%, level: 1}]", /*share=*/true, errors, *scheme,
                 &scheme->users_share);
  ReadUsersRules(&reader, "users_count", "[{above: 1000, service: down, level: 2}]",
                 /*share=*/false, errors, *scheme, &scheme->users_count);
  if (reader.Node("users_total") != nullptr) {
    scheme->users_total = reader.Int("users_total", 1, 1, INT64_MAX);
  }
  scheme->level_1_after_rollback = reader.OptionalDuration("level_1_after_rollback");
  reader.Finish();
}

}  // namespace tocsin
