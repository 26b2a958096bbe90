#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/node.h"
#include "core/limits.h"
#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;

ConfigNode Yaml(const std::string& text, const std::string& file = "t.yaml") {
  ErrorList errors;
  ConfigNode node = ParseYaml(text, file, &errors);
  EXPECT_TRUE(errors.empty()) << errors.Sorted().front().ToString();
  return node;
}

// The tree as text, to compare.
std::string Text(const ConfigNode& node) {
  std::string text;
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "~";
    case ConfigNode::Kind::kScalar:
      return node.scalar;
    case ConfigNode::Kind::kList:
      for (const ConfigNode& element : node.list) text += (text.empty() ? "" : " ") + Text(element);
      return "[" + text + "]";
    case ConfigNode::Kind::kMap:
      for (const auto& [key, value] : node.map) {
        text += (text.empty() ? "" : " ") + key + ":" + Text(value);
      }
      return "{" + text + "}";
  }
  return "";
}

TEST(MergeNodesTest, Table) {
  struct Case {
    const char* base;
    const char* over;
    const char* merged;
  };
  const Case cases[] = {
      {"{a: 1, b: 2}", "{b: 3, c: 4}", "{a:1 b:3 c:4}"},
      {"{a: {x: 1, y: 2}}", "{a: {y: 3}}", "{a:{x:1 y:3}}"},
      {"{a: [1, 2]}", "{a: [3]}", "{a:[3]}"},
      {"{a: {x: 1}}", "{a: 5}", "{a:5}"},
      {"{a: {x: 1}}", "{a: ~}", "{a:~}"},
      {"[{name: a, x: 1}, {name: b}]", "[{name: b, y: 2}, {name: c}]",
       "[{name:a x:1} {name:b y:2} {name:c}]"},
      {"[{name: a, x: 1}]", "[{x: 2}]", "[{x:2}]"},
      {"[{name: a}]", "[]", "[]"},
      // One without a name does not take the others from what they build on.
      {"[{name: a, x: 1}]", "[{y: 3}, {name: a, y: 2}]", "[{name:a x:1 y:2} {y:3}]"},
      // A stanza of another kind has other keys.
      {"[{name: a, kind: k, x: 1}]", "[{name: a, kind: l, y: 2}]", "[{name:a kind:l y:2}]"},
      {"[{name: a, kind: k, x: 1}]", "[{name: a, y: 2}]", "[{name:a kind:k x:1 y:2}]"},
      // The second of a name stays, so that the loader can refuse it.
      {"[{name: a, x: 1}]", "[{name: a, x: 2}, {name: a, x: 3}]", "[{name:a x:2} {name:a x:3}]"},
      {"{a: 1}", "~", "~"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Text(MergeNodes(Yaml(c.base), Yaml(c.over))), c.merged) << c.base << " + " << c.over;
  }
}

TEST(MergeNodesTest, WhatRemainsKeepsItsPlace) {
  const ConfigNode merged =
      MergeNodes(Yaml("a: 1\nb: {x: 1}\n", "base"), Yaml("\n\nb: {y: 2}\n", "over"));
  EXPECT_EQ(merged.Find("a")->at.ToString(), "base:1:4");
  EXPECT_EQ(merged.Find("b")->at.ToString(), "over:3:4");
  EXPECT_EQ(merged.Find("b")->Find("x")->at.ToString(), "base:2:8");
  EXPECT_EQ(merged.Find("b")->Find("y")->at.ToString(), "over:3:8");
  EXPECT_EQ(merged.key_locations[1].ToString(), "over:3:1");
}

TEST(ErrorListTest, SortsAndRemovesRepeats) {
  ErrorList errors;
  errors.Add({"b", 1, 1}, "x");
  errors.Add({"a", 10, 1}, "x");
  errors.Add({"a", 9, 2}, "x");
  errors.Add({"a", 9, 1}, "y");
  errors.Add({"a", 9, 1}, "x");
  errors.Add({"a", 9, 1}, "y");
  errors.Add({"c", 0, 0}, "no line");
  EXPECT_THAT(Lines(errors), ElementsAre("a:9:1: x", "a:9:1: y", "a:9:2: x", "a:10:1: x",
                                         "b:1:1: x", "c: no line"));
}

TEST(ErrorListTest, OfTooManyTheFirstByPlaceRemain) {
  ErrorList errors;
  for (int i = 10'000; i > 0; --i) errors.Add({"a", i, 1}, "x");
  EXPECT_EQ(errors.count(), 10'000U);
  const std::vector<ConfigError> sorted = errors.Sorted();
  ASSERT_EQ(sorted.size(), limits::kConfigErrorsMax + 1);
  EXPECT_EQ(sorted.front().at.line, 1);
  EXPECT_EQ(sorted[limits::kConfigErrorsMax - 1].at.line,
            static_cast<int>(limits::kConfigErrorsMax));
  EXPECT_EQ(sorted.back().ToString(),
            "more than 100 errors: these are the first ones, by their place");
}

TEST(ErrorListTest, AsManyAsThereMayBeAreNotTooMany) {
  ErrorList errors;
  for (int i = 1; i <= static_cast<int>(limits::kConfigErrorsMax); ++i) {
    errors.Add({"a", i, 1}, "x");
    errors.Add({"a", i, 1}, "x");
  }
  EXPECT_EQ(errors.Sorted().size(), limits::kConfigErrorsMax);
}

TEST(ErrorListTest, AnErrorWithoutAPlaceIsItsMessage) {
  EXPECT_EQ((ConfigError{{}, "no such format"}.ToString()), "no such format");
  EXPECT_EQ((ConfigError{{.file = "--format"}, "no such format"}.ToString()),
            "--format: no such format");
}

TEST(ErrorListTest, SecretsAreWarningsWhereNobodyNeedsThem) {
  ErrorList needed;
  needed.AddSecret({"a", 1, 1}, "x");
  EXPECT_THAT(Lines(needed), ElementsAre("a:1:1: x"));
  EXPECT_TRUE(needed.Warnings().empty());
  ErrorList not_needed(ErrorList::Secrets::kNotNeeded);
  not_needed.AddSecret({"a", 1, 1}, "x");
  EXPECT_TRUE(not_needed.empty());
  EXPECT_EQ(not_needed.count(), 0U);
  ASSERT_EQ(not_needed.Warnings().size(), 1U);
  EXPECT_EQ(not_needed.Warnings()[0].ToString(), "a:1:1: x");
}

TEST(ErrorListTest, NothingIsMissingWhereAPartIsUnread) {
  ErrorList errors;
  errors.AddMissing({"a", 1, 1}, "x");
  errors.SetPartUnread();
  errors.AddMissing({"a", 2, 1}, "y");
  errors.Add({"a", 3, 1}, "z");
  EXPECT_THAT(Lines(errors), ElementsAre("a:1:1: x", "a:3:1: z"));
}

}  // namespace
}  // namespace tocsin
