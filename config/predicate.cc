#include "config/predicate.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/value.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

using Kind = FieldRef::Kind;

std::vector<std::string> FieldNames() {
  std::vector<std::string> names = {"type", "outcome", "action", "state", "status"};
  for (int i = 0; i < kFields; ++i) names.emplace_back(FieldName(static_cast<Field>(i)));
  return names;
}

// The values that a field can have; empty where it can have any.
std::vector<std::string> ValuesOf(Kind kind) {
  std::vector<std::string> values;
  if (kind == Kind::kType) {
    for (int i = 1; i < kEventTypes; ++i) {
      values.emplace_back(EventTypeName(static_cast<EventType>(i)));
    }
  } else if (kind == Kind::kOutcome) {
    values = {"failure", "success"};
  } else if (kind == Kind::kAction) {
    values = {"close", "open", "reject"};
  } else if (kind == Kind::kState) {
    values = {"alarm", "ok", "unknown"};
  }
  return values;
}

void SortUnique(std::vector<std::string>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

// A value that no event can have is a mistake, not a condition that never holds.
void CheckValue(const FieldRef& field, const ConfigNode& node, ErrorList* errors) {
  const std::string name = field.Name();
  if (node.scalar.empty()) {
    errors->Add(node.at, absl::StrCat(name, " is an empty string: an absent field is ", name,
                                      ": {present: false}"));
    return;
  }
  if (field.kind == Kind::kStatus) {
    IntValue(node, name, 1, 999, errors);
    return;
  }
  const std::vector<std::string> values = ValuesOf(field.kind);
  if (values.empty() || std::find(values.begin(), values.end(), node.scalar) != values.end()) {
    return;
  }
  errors->Add(node.at, absl::StrCat(name, " is ", Quoted(node.scalar), ": expected one of ",
                                    absl::StrJoin(values, ", ")));
}

std::vector<std::string> Values(const FieldRef& field, const ConfigNode& node, ErrorList* errors) {
  std::vector<std::string> values = TextValues(node, field.Name(), errors);
  if (node.kind == ConfigNode::Kind::kScalar) CheckValue(field, node, errors);
  for (const ConfigNode& element : node.list) {
    if (element.kind == ConfigNode::Kind::kScalar) CheckValue(field, element, errors);
  }
  if (node.kind == ConfigNode::Kind::kList && node.list.empty()) {
    errors->Add(node.at, absl::StrCat(field.Name(), " is an empty list: no event would match"));
  }
  SortUnique(&values);
  return values;
}

std::shared_ptr<const re2::RE2> Compile(const FieldRef& field, const ConfigNode& node,
                                        ErrorList* errors) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_shared<re2::RE2>(node.scalar, options);
  if (regex->ok()) return regex;
  errors->Add(node.at, absl::StrCat(field.Name(), " matches ", Quoted(node.scalar),
                                    ": not a regular expression: ", regex->error()));
  return nullptr;
}

// Quotes for the canonical text, so that no value can look like another condition.
std::string CanonicalValue(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text.push_back('\\');
    text.push_back(c);
  }
  text.push_back('"');
  return text;
}

}  // namespace

Predicate Predicate::Parse(const ConfigNode* node, ErrorList* errors) {
  Predicate predicate;
  if (node == nullptr || node->kind == ConfigNode::Kind::kNull) return predicate;
  const std::size_t before = errors->count();
  if (node->kind != ConfigNode::Kind::kMap) {
    errors->Add(node->at, absl::StrCat("where is ", Found(*node),
                                       ": expected a map of fields, such as {type: request}"));
  }
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    const auto& [name, value] = node->map[i];
    const std::optional<FieldRef> field = FieldRef::Parse(name);
    if (field) {
      predicate.ParseCondition(*field, value, errors);
    } else {
      errors->Add(node->key_locations[i], absl::StrCat("unknown field ", Quoted(name), " in where",
                                                       Suggestion(name, FieldNames())));
    }
  }
  if (errors->count() != before) predicate.type_mask_ = 0;
  return predicate;
}

void Predicate::ParseCondition(const FieldRef& field, const ConfigNode& node, ErrorList* errors) {
  if (node.kind != ConfigNode::Kind::kMap) {
    std::vector<std::string> values = Values(field, node, errors);
    if (!values.empty()) Require(field, std::move(values));
    return;
  }
  const std::string name = field.Name();
  ConfigReader reader(node, name, errors);
  if (node.map.empty())
    reader.Error("", absl::StrCat(name, " is an empty map: expected a matcher"));
  if (const ConfigNode* value = reader.Node("not")) {
    Add({.field = field, .op = Op::kNotIn, .values = Values(field, *value, errors)});
  }
  if (const ConfigNode* pattern = reader.Node("matches")) {
    Add({.field = field,
         .op = Op::kMatches,
         .values = {reader.RequiredString("matches")},
         .regex = Compile(field, *pattern, errors)});
  }
  if (reader.Node("prefix") != nullptr) {
    Add({.field = field, .op = Op::kPrefix, .values = {reader.RequiredString("prefix")}});
  }
  if (reader.Node("present") != nullptr) {
    Add({.field = field, .op = reader.Bool("present", true) ? Op::kPresent : Op::kAbsent});
  }
  if (field.kind == Kind::kStatus) {
    for (const Op op : {Op::kAtLeast, Op::kBelow}) {
      const char* key = op == Op::kAtLeast ? "at_least" : "below";
      if (reader.Node(key) == nullptr) continue;
      const std::int64_t number = reader.Int(key, 0, 1, 1'000);
      Add({.field = field, .op = op, .number = static_cast<std::int32_t>(number)});
    }
  }
  reader.Finish();
}

void Predicate::Require(FieldRef field, std::vector<std::string> values) {
  SortUnique(&values);
  Add({.field = std::move(field), .op = Op::kIn, .values = std::move(values)});
}

void Predicate::Add(Condition condition) {
  if (condition.field.kind != Kind::kType) {
    conditions_.push_back(std::move(condition));
    return;
  }
  // There are only twelve types, so any condition on them becomes part of the mask.
  if (condition.op == Op::kMatches && condition.regex == nullptr) return;
  for (int i = 0; i < kEventTypes; ++i) {
    Event event;
    event.type = static_cast<EventType>(i);
    if (!Holds(condition, event)) type_mask_ &= ~(1u << i);
  }
}

std::vector<std::string> Predicate::Wanted(const FieldRef& field) const {
  std::vector<std::string> wanted;
  for (const Condition& condition : conditions_) {
    const bool names =
        condition.op == Op::kIn || condition.op == Op::kPrefix || condition.op == Op::kMatches;
    if (!names || condition.field != field) continue;
    wanted.insert(wanted.end(), condition.values.begin(), condition.values.end());
  }
  return wanted;
}

bool Predicate::AllHold(const Event& event) const {
  return std::all_of(conditions_.begin(), conditions_.end(),
                     [&](const Condition& condition) { return Holds(condition, event); });
}

bool Predicate::Holds(const Condition& condition, const Event& event) {
  if (condition.op == Op::kAtLeast) return event.status != 0 && event.status >= condition.number;
  if (condition.op == Op::kBelow) return event.status != 0 && event.status < condition.number;
  std::array<char, 12> digits{};
  const std::string_view value = condition.field.Get(event, digits);
  if (value.empty()) return condition.op == Op::kAbsent;
  const auto listed = [&] {
    return std::binary_search(condition.values.begin(), condition.values.end(), value,
                              std::less<std::string_view>());
  };
  switch (condition.op) {
    case Op::kIn:
      return listed();
    case Op::kNotIn:
      return !listed();
    case Op::kMatches:
      return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *condition.regex);
    case Op::kPrefix:
      return value.starts_with(condition.values.front());
    case Op::kPresent:
      return true;
    case Op::kAbsent:
    case Op::kAtLeast:
    case Op::kBelow:
      break;
  }
  return false;
}

std::string Predicate::ToString() const {
  std::vector<std::string> parts;
  if (ConstrainsType()) {
    std::vector<std::string> types;
    for (int i = 0; i < kEventTypes; ++i) {
      if ((type_mask_ >> i & 1u) == 0) continue;
      types.emplace_back(i == 0 ? "(none)" : EventTypeName(static_cast<EventType>(i)));
    }
    parts.push_back(absl::StrCat("type in [", absl::StrJoin(types, ", "), "]"));
  }
  static constexpr std::array<const char*, 8> kOps = {"in",      "not in", "matches",  "prefix",
                                                      "present", "absent", "at least", "below"};
  for (const Condition& condition : conditions_) {
    std::string part =
        absl::StrCat(condition.field.Name(), " ", kOps[static_cast<std::size_t>(condition.op)]);
    if (condition.op == Op::kAtLeast || condition.op == Op::kBelow) {
      absl::StrAppend(&part, " ", condition.number);
    } else if (!condition.values.empty()) {
      const auto append = [](std::string* out, const std::string& value) {
        out->append(CanonicalValue(value));
      };
      absl::StrAppend(&part, " [", absl::StrJoin(condition.values, ", ", append), "]");
    }
    parts.push_back(std::move(part));
  }
  SortUnique(&parts);
  return absl::StrJoin(parts, " and ");
}

}  // namespace tocsin
