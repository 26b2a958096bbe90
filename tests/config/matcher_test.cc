#include "config/matcher.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

TEST(Matcher, MissingIsNotEqual) {
  const Labels labels = {{"service", "api"}, {"endpoint", "/export/csv"}, {"empty", ""}};
  struct Case {
    const char* text;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"service=api", true},
      {"service=ap", false},
      {"service!=api", false},
      {"service!=web", true},
      {"endpoint=~/export/.*", true},
      {"endpoint=~export", false},
      {"endpoint!~/export/.*", false},
      {"endpoint!~/import/.*", true},
      {"host=", false},
      {"host!=a", true},
      {"host=~.*", false},
      {"host!~.*", true},
      {"empty=", true},
      {"service==api", false},
  };
  for (const Case& c : kCases) {
    const absl::StatusOr<Matcher> matcher = Matcher::Parse(c.text);
    ASSERT_TRUE(matcher.ok()) << c.text << matcher.status();
    EXPECT_EQ(matcher->Matches(labels), c.matches) << c.text;
  }
}

TEST(Matcher, SaysWhatItExpects) {
  for (const char* text : {"", "service", "=api", "service~api", "service!api", "a b=c"}) {
    const absl::Status status = Matcher::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected name=value")) << text;
  }
  EXPECT_THAT(std::string(Matcher::Parse("a=~(").status().message()),
              HasSubstr("the expression is wrong"));
}

TEST(Matcher, IsNoLongerThanTheLimit) {
  const std::string longest = "service=" + std::string(limits::kMatcherBytesMax - 8, 'a');
  EXPECT_TRUE(Matcher::Parse(longest).ok());
  for (const std::string& text : {longest + "a", "service=~" + std::string(1 << 20, '(')}) {
    const std::string message(Matcher::Parse(text).status().message());
    EXPECT_THAT(message, HasSubstr("bytes: expected at most 2048"));
    EXPECT_LT(message.size(), 200u);
  }
}

}  // namespace
}  // namespace tocsin
