// `where:` of a detector: which events it reads.
//
//   where:
//     type: request
//     env: [prod, staging]
//     endpoint: {not: /health}
//     message: {matches: "(?i)timeout"}
//
// All conditions must hold; a list means any of its values. Matchers: a plain value, a list, `{not:
// v}` (v scalar or list; an absent field does not match: missing is not equal, nor is it
// different),
// `{matches: RE2}` (anywhere in the value, case as written), `{prefix: text}`,
// `{present: true|false}`, and for status `{at_least: n}` and `{below: n}`; of several in one map
// all must hold. Compiled once; Matches is const, thread-safe and allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/event.h"

namespace re2 {
class RE2;
}

namespace tocsin {

class Predicate {
 public:
  // Matches every event.
  Predicate() = default;
  // Errors go to `errors`; the result then matches nothing.
  static Predicate Parse(const ConfigNode* node, ErrorList* errors);

  bool Matches(const Event& event) const {
    return MatchesType(event.type) && (conditions_.empty() || AllHold(event));
  }
  // False: no event of this type matches. Lets stage 1 skip those.
  bool MatchesType(EventType type) const {
    return (type_mask_ >> static_cast<unsigned>(type) & 1u) != 0;
  }
  // Adds the condition `field in values`.
  void Require(FieldRef field, std::vector<std::string> values);

  // The values, prefixes and expressions of which a field must have one.
  std::vector<std::string> Wanted(const FieldRef& field) const;

  bool ConstrainsType() const { return type_mask_ != kAllTypes; }
  // Canonical text: equal predicates have equal text; empty when every event matches. Keys the
  // Plan.
  std::string ToString() const;

 private:
  static constexpr std::uint32_t kAllTypes = (1u << kEventTypes) - 1;
  enum class Op : std::uint8_t {
    kIn,
    kNotIn,
    kMatches,
    kPrefix,
    kPresent,
    kAbsent,
    kAtLeast,
    kBelow
  };
  struct Condition {
    FieldRef field;
    Op op = Op::kIn;
    std::vector<std::string> values;        // sorted
    std::shared_ptr<const re2::RE2> regex;  // shared by copies of the predicate; immutable
    std::int32_t number = 0;
  };
  static bool Holds(const Condition& condition, const Event& event);
  bool AllHold(const Event& event) const;
  void Add(Condition condition);
  void ParseCondition(const FieldRef& field, const ConfigNode& node, ErrorList* errors);

  std::uint32_t type_mask_ = kAllTypes;  // bit t: of type t
  std::vector<Condition> conditions_;
};

}  // namespace tocsin
