#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "config/node.h"
#include "core/limits.h"
#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> ErrorsOf(const std::string& text) {
  ErrorList errors;
  ParseYaml(text, "t.yaml", &errors);
  return Lines(errors);
}

TEST(YamlTest, KeepsKindsTextsAndPlaces) {
  ErrorList errors;
  const ConfigNode root = ParseYaml("a: 1\nb:\n  - 'x'\n  - {c: ~}\nd:\n", "t.yaml", &errors);
  EXPECT_THAT(Lines(errors), IsEmpty());
  ASSERT_EQ(root.kind, ConfigNode::Kind::kMap);
  ASSERT_EQ(root.map.size(), 3u);
  EXPECT_EQ(root.Find("a")->scalar, "1");
  EXPECT_FALSE(root.Find("a")->quoted);
  EXPECT_EQ(root.Find("a")->at.ToString(), "t.yaml:1:4");
  EXPECT_EQ(root.key_locations[1].ToString(), "t.yaml:2:1");
  const ConfigNode& list = *root.Find("b");
  ASSERT_EQ(list.kind, ConfigNode::Kind::kList);
  EXPECT_EQ(list.list[0].scalar, "x");
  EXPECT_TRUE(list.list[0].quoted);
  EXPECT_EQ(list.list[1].at.ToString(), "t.yaml:4:5");
  EXPECT_EQ(list.list[1].Find("c")->kind, ConfigNode::Kind::kNull);
  EXPECT_EQ(root.Find("d")->kind, ConfigNode::Kind::kNull);
  EXPECT_EQ(root.Find("e"), nullptr);
}

TEST(YamlTest, EmptyTextIsNothing) {
  ErrorList errors;
  EXPECT_EQ(ParseYaml("", "t.yaml", &errors).kind, ConfigNode::Kind::kNull);
  EXPECT_EQ(ParseYaml("# only a comment\n", "t.yaml", &errors).kind, ConfigNode::Kind::kNull);
  EXPECT_TRUE(errors.empty());
}

TEST(YamlTest, DuplicateKeyKeepsTheFirst) {
  ErrorList errors;
  const ConfigNode root = ParseYaml("a: 1\nb: 2\na: 3\n", "t.yaml", &errors);
  EXPECT_THAT(Lines(errors),
              ElementsAre("t.yaml:3:1: duplicate key 'a': it was given before, at line 1"));
  EXPECT_EQ(root.Find("a")->scalar, "1");
}

TEST(YamlTest, SyntaxErrorsSayWhereAndWhatToDo) {
  EXPECT_THAT(ErrorsOf("a: [1, 2\nb: 3\n"), ElementsAre(HasSubstr("t.yaml:2:2: not valid YAML: ")));
  EXPECT_THAT(ErrorsOf("a: 1\n  b: 2\n"),
              ElementsAre("t.yaml:2:4: not valid YAML: illegal map value (text that contains ': ' "
                          "must be in quotes)"));
  EXPECT_THAT(ErrorsOf("a:\n  b: 1\n c: 2\n"),
              ElementsAre("t.yaml:3:2: not valid YAML: end of map not found (the indentation does "
                          "not fit the lines above)"));
  EXPECT_THAT(ErrorsOf("a: @rupaya\n"),
              ElementsAre("t.yaml:1:4: not valid YAML: unknown token (text that starts with a "
                          "special character must be in quotes)"));
  EXPECT_THAT(ErrorsOf("a: *b\n"), ElementsAre(HasSubstr("the referenced anchor is not defined")));
  EXPECT_THAT(ErrorsOf("a: 1\n---\nb: 2\n"),
              ElementsAre("t.yaml:2:1: text after the end of the document: expected one document"));
  EXPECT_THAT(ErrorsOf("{a: 1}: 2\n"),
              ElementsAre("t.yaml:1:1: a key is a map: expected a string"));
}

TEST(YamlTest, WhatStandsBeforeASyntaxErrorRemains) {
  const auto kept = [](const std::string& text) {
    ErrorList errors;
    const ConfigNode root = ParseYaml(text, "t.yaml", &errors);
    EXPECT_FALSE(errors.empty());
    std::string names;
    for (const auto& [key, value] : root.map) absl::StrAppend(&names, key, value.list.size(), " ");
    return names;
  };
  EXPECT_EQ(kept("a: {x: 1}\nb:\n  - {x: 1}\n  - {x: 2}\n  - {x: 3\nc: 1\n"), "a0 b2 ");
  // A scalar may have run on into what follows.
  EXPECT_EQ(kept("a: [1]\nb: 2\n  c: 3\n"), "a1 ");
  EXPECT_EQ(kept("a: [1]\nb: [1, 2\nc: 3\n"), "a1 b1 ");
  EXPECT_EQ(kept("]"), "");
}

TEST(YamlTest, AliasesAreCopies) {
  ErrorList errors;
  const ConfigNode root = ParseYaml("a: &x {k: [1, 2]}\nb: *x\n", "t.yaml", &errors);
  EXPECT_THAT(Lines(errors), IsEmpty());
  EXPECT_EQ(root.Find("b")->Find("k")->list.size(), 2u);
  EXPECT_THAT(ErrorsOf("a: &x [*x]\n"),
              ElementsAre("t.yaml:1:8: this alias stands inside its own anchor"));
}

TEST(YamlTest, BillionLaughsCostsNothing) {
  std::string text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 30; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [");
    for (int k = 0; k < 9; ++k) absl::StrAppend(&text, k == 0 ? "" : ", ", "*a", i - 1);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_THAT(ErrorsOf(text),
              ElementsAre(HasSubstr("too many values in one document; an alias counts")));
}

TEST(YamlTest, DepthIsLimited) {
  const auto nested = [](int depth) {
    return "a: " + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "\n";
  };
  EXPECT_THAT(ErrorsOf(nested(limits::kConfigDepthMax - 1)), IsEmpty());
  EXPECT_THAT(ErrorsOf(nested(limits::kConfigDepthMax)),
              ElementsAre("t.yaml:1:67: nested more than 64 levels deep"));
  EXPECT_THAT(ErrorsOf(nested(10'000)),
              ElementsAre("t.yaml:1:67: nested more than 64 levels deep"));
  // Never closed, as blocks, and as maps.
  EXPECT_THAT(ErrorsOf(std::string(10'000, '[')), ElementsAre(HasSubstr("nested more than 64")));
  std::string block;
  for (std::size_t i = 0; i < 1'000; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(ErrorsOf(block), ElementsAre(HasSubstr("nested more than 64")));
  std::string dashes;
  for (int i = 0; i < 10'000; ++i) dashes += "- ";
  EXPECT_THAT(ErrorsOf(dashes), ElementsAre(HasSubstr("nested more than 64")));
}

TEST(YamlTest, SizeIsLimited) {
  const std::string large(5 << 20, 'a');
  EXPECT_THAT(ErrorsOf(large), ElementsAre("t.yaml: has more than 4 MiB"));
}

TEST(YamlTest, ParserThatFindsDocumentsForEverIsStopped) {
  EXPECT_THAT(ErrorsOf(","), ElementsAre(HasSubstr("text after the end of the document")));
}

TEST(YamlTest, MessagesArePrintable) {
  EXPECT_THAT(ErrorsOf("a: \"\\\x01\"\n"),
              ElementsAre("t.yaml:1:7: not valid YAML: unknown escape character: \\x01 (use single "
                          "quotes around regular expressions)"));
}

TEST(YamlTest, BytesOfAnyKindAreSurvived) {
  for (int first = 0; first < 256; ++first) {
    for (const char* rest : {"", ": a", "[{", "\xff\xfe", "\n- x: &a *a"}) {
      ErrorList errors;
      ParseYaml(std::string(1, static_cast<char>(first)) + rest, "t.yaml", &errors);
    }
  }
}

}  // namespace
}  // namespace tocsin
