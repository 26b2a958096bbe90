#include "config/predicate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Predicate Parse(const std::string& text, ErrorList* errors) {
  const ConfigNode node = ParseYaml(text, "f", errors);
  return Predicate::Parse(&node, errors);
}

// A log line of the service "api", and a request that failed with 503.
Event Log() {
  static constexpr std::array<LabelView, 1> kLabels = {LabelView{"team", "core"}};
  Event event;
  event.type = EventType::kLog;
  event.Set(Field::kService, "api");
  event.Set(Field::kMessage, "Connection Refused by db:5432");
  event.labels = kLabels;
  return event;
}
Event Request() {
  Event event;
  event.type = EventType::kRequest;
  event.outcome = Outcome::kFailure;
  event.status = 503;
  event.Set(Field::kService, "api");
  event.Set(Field::kEndpoint, "/orders/:id");
  return event;
}

TEST(PredicateTest, Semantics) {
  struct Case {
    const char* where;
    bool log;
    bool request;
  };
  const Case cases[] = {
      {"{}", true, true},
      {"{type: log}", true, false},
      {"{type: [log, request]}", true, true},
      {"{type: {not: log}}", false, true},
      {"{type: {matches: '^re'}}", false, true},
      {"{type: {present: false}}", false, false},
      {"{service: api}", true, true},
      {"{service: API}", false, false},  // case as written
      {"{service: [web, api]}", true, true},
      {"{service: {not: web}}", true, true},
      {"{service: {not: [web, api]}}", false, false},
      // Missing is not equal, nor is it different.
      {"{endpoint: /orders/:id}", false, true},
      {"{endpoint: {not: /health}}", false, true},
      {"{endpoint: {present: true}}", false, true},
      {"{endpoint: {present: false}}", true, false},
      {"{endpoint: {prefix: /orders}}", false, true},
      {"{endpoint: {prefix: /orders, not: '/orders/:id'}}", false, false},
      {"{message: {matches: refused}}", false, false},
      {"{message: {matches: '(?i)refused'}}", true, false},
      {"{message: {matches: 'x|db:\\d+$'}}", true, false},
      {"{user: {matches: '.*'}}", false, false},
      {"{status: 503}", false, true},
      {"{status: [502, 504]}", false, false},
      {"{status: {at_least: 500, below: 600}}", false, true},
      {"{status: {below: 500}}", false, false},
      {"{status: {present: false}}", true, false},
      {"{outcome: failure}", false, true},
      {"{outcome: {not: success}}", false, true},
      {"{labels.team: core}", true, false},
      {"{labels.team: {not: core}}", false, false},
      {"{type: request, service: web}", false, false},
  };
  for (const Case& c : cases) {
    ErrorList errors;
    const Predicate predicate = Parse(c.where, &errors);
    EXPECT_THAT(Lines(errors), IsEmpty()) << c.where;
    EXPECT_EQ(predicate.Matches(Log()), c.log) << c.where;
    EXPECT_EQ(predicate.Matches(Request()), c.request) << c.where;
  }
}

TEST(PredicateTest, NothingMatchesEverythingAnErrorNothing) {
  ErrorList errors;
  EXPECT_TRUE(Predicate::Parse(nullptr, &errors).Matches(Log()));
  EXPECT_TRUE(Predicate().Matches(Event()));
  EXPECT_TRUE(errors.empty());
  EXPECT_FALSE(Parse("{service: {matches: '('}}", &errors).Matches(Log()));
}

// The types of events that can match, as numbers.
std::vector<int> TypesOf(const Predicate& predicate) {
  std::vector<int> types;
  for (int i = 0; i < kEventTypes; ++i) {
    if (predicate.MatchesType(static_cast<EventType>(i))) types.push_back(i);
  }
  return types;
}

TEST(PredicateTest, MatchesType) {
  ErrorList errors;
  EXPECT_FALSE(Parse("{service: api}", &errors).ConstrainsType());
  EXPECT_EQ(TypesOf(Parse("{service: api}", &errors)).size(), std::size_t{kEventTypes});
  EXPECT_THAT(TypesOf(Parse("{type: [log, query]}", &errors)),
              ElementsAre(static_cast<int>(EventType::kQuery), static_cast<int>(EventType::kLog)));
  const Predicate others = Parse("{type: {not: log}}", &errors);
  EXPECT_EQ(TypesOf(others).size(), std::size_t{kEventTypes} - 2);
  EXPECT_FALSE(others.MatchesType(EventType::kLog));
  EXPECT_FALSE(others.MatchesType(EventType::kUnknown));
  Predicate required;
  required.Require(*FieldRef::Parse("type"), {"alarm"});
  EXPECT_THAT(TypesOf(required), ElementsAre(static_cast<int>(EventType::kAlarm)));
}

TEST(PredicateTest, EqualPredicatesHaveEqualText) {
  ErrorList errors;
  const std::string text = Parse("{type: log, service: [b, a], env: prod}", &errors).ToString();
  EXPECT_EQ(text, R"(env in ["prod"] and service in ["a", "b"] and type in [log])");
  EXPECT_EQ(Parse("{env: [prod, prod], service: [a, b], type: [log]}", &errors).ToString(), text);
  EXPECT_EQ(Predicate().ToString(), "");
  EXPECT_EQ(Parse("{service: {not: a, prefix: b}, status: {at_least: 500}}", &errors).ToString(),
            R"(service not in ["a"] and service prefix ["b"] and status at least 500)");
  // A value cannot pretend to be a condition.
  EXPECT_NE(Parse("{service: 'a\", \"b'}", &errors).ToString(),
            Parse("{service: [a, b]}", &errors).ToString());
}

TEST(PredicateTest, Errors) {
  struct Case {
    const char* where;
    const char* message;
  };
  const Case cases[] = {
      {"{message: {matches: 'a(b'}}",
       "f:1:21: message matches 'a(b': not a regular expression: missing ): a(b"},
      {"{servce: api}", "f:1:2: unknown field 'servce' in where: did you mean 'service'?"},
      {"{type: requests}",
       "f:1:8: type is 'requests': expected one of request, query, connection, auth, session, "
       "transaction, metric, log, check, alarm, deploy"},
      {"{outcome: failed}", "f:1:11: outcome is 'failed': expected one of failure, success"},
      {"{status: 5xx}", "f:1:10: status is 5xx: expected a whole number from 1 to 999"},
      {"{service: ''}",
       "f:1:11: service is an empty string: an absent field is service: {present: false}"},
      {"{service: []}", "f:1:11: service is an empty list: no event would match"},
      {"{service: {}}", "f:1:11: service is an empty map: expected a matcher"},
      {"{service: {matches: ''}}", "f:1:21: matches is empty"},
      {"{service: {at_least: 3}}",
       "f:1:12: unknown key 'at_least' in service (known are matches, not, prefix, present)"},
      {"request", "f:1:1: where is 'request': expected a map of fields, such as {type: request}"},
  };
  for (const Case& c : cases) {
    ErrorList errors;
    const Predicate predicate = Parse(c.where, &errors);
    EXPECT_THAT(Lines(errors), ElementsAre(c.message));
    EXPECT_TRUE(TypesOf(predicate).empty()) << c.where;
  }
}

TEST(PredicateTest, HostileExpressionIsRefused) {
  ErrorList errors;
  Parse("{message: {matches: '((a{1000}){1000}){1000}'}}", &errors);
  EXPECT_THAT(Lines(errors), ElementsAre(StartsWith("f:1:21: message matches ")));
}

}  // namespace
}  // namespace tocsin
