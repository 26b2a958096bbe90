#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/node.h"
#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ConfigReaderTest, ReadsEveryKindOfValue) {
  ErrorList errors;
  const ConfigNode root = ParseYaml(
      "text: a\nnumber_as_text: 1.10\nflag: true\nint: -3\nnumber: 2.5e3\npercent: 1.5%\n"
      "share: 0.25\nduration: 1h30m\nzero: 0\nlist: [a, 'b', 3]\none: a\nchoice: b\nnothing:\n",
      "t.yaml", &errors);
  ConfigReader reader(root, "", &errors);
  EXPECT_EQ(reader.RequiredString("text"), "a");
  EXPECT_EQ(reader.String("number_as_text"), "1.10");
  EXPECT_EQ(reader.String("absent", "x"), "x");
  EXPECT_TRUE(reader.Bool("flag", false));
  EXPECT_EQ(reader.Int("int", 0, -5, 5), -3);
  EXPECT_EQ(reader.Number("number", 0, 0, 1e9), 2500);
  EXPECT_EQ(reader.OptionalRatio("percent"), 0.015);
  EXPECT_EQ(reader.Ratio("share", 0), 0.25);
  EXPECT_EQ(reader.Ratio("absent", 0.5), 0.5);
  EXPECT_EQ(reader.Duration("duration", 0), 90 * kMinuteUs);
  EXPECT_EQ(reader.OptionalDuration("zero"), 0);
  EXPECT_EQ(reader.OptionalDuration("absent"), std::nullopt);
  EXPECT_THAT(reader.Strings("list"), ElementsAre("a", "b", "3"));
  EXPECT_THAT(reader.Strings("one"), ElementsAre("a"));
  EXPECT_EQ(reader.Choice("choice", {"a", "b"}, "a"), "b");
  // A key without a value is absent.
  EXPECT_FALSE(reader.Has("nothing"));
  EXPECT_EQ(reader.Node("nothing"), nullptr);
  EXPECT_EQ(reader.Int("nothing", 7, 0, 9), 7);
  reader.Finish();
  EXPECT_THAT(Lines(errors), IsEmpty());
}

// What is wrong with `key: value`, read by `read`.
std::vector<std::string> ErrorsOf(const std::string& value, void (*read)(ConfigReader*)) {
  ErrorList errors;
  const ConfigNode root = ParseYaml("k: " + value + "\n", "f", &errors);
  ConfigReader reader(root, "detector x", &errors);
  read(&reader);
  reader.Finish();
  return Lines(errors);
}

TEST(ConfigReaderTest, WrongTypesSayWhatWasFoundAndExpected) {
  const auto duration = [](ConfigReader* r) { r->Duration("k", 0, kSecondUs, kHourUs); };
  EXPECT_THAT(ErrorsOf("10", duration),
              ElementsAre("f:1:4: k is 10 without a unit: write 10s, 5m, …"));
  EXPECT_THAT(ErrorsOf("1.5", duration),
              ElementsAre("f:1:4: k is 1.5 without a unit: write 10s, 5m, …"));
  EXPECT_THAT(ErrorsOf("ten", duration),
              ElementsAre("f:1:4: k is ten: expected a duration such as 90s, 5m or 1h30m"));
  EXPECT_THAT(ErrorsOf("[5m]", duration),
              ElementsAre("f:1:4: k is a list: expected a duration such as 10s or 5m"));
  EXPECT_THAT(ErrorsOf("2h", duration), ElementsAre("f:1:4: k is 2h: expected at most 1h"));
  EXPECT_THAT(ErrorsOf("10ms", duration), ElementsAre("f:1:4: k is 10ms: expected at least 1s"));

  const auto integer = [](ConfigReader* r) { r->Int("k", 0, 1, 4); };
  EXPECT_THAT(ErrorsOf("9", integer),
              ElementsAre("f:1:4: k is 9: expected a whole number from 1 to 4"));
  EXPECT_THAT(ErrorsOf("'2'", integer),
              ElementsAre("f:1:4: k is the string '2': expected a whole number from 1 to 4"));
  EXPECT_THAT(ErrorsOf("2.5", integer),
              ElementsAre("f:1:4: k is 2.5: expected a whole number from 1 to 4"));
  EXPECT_THAT(ErrorsOf("0", [](ConfigReader* r) { r->Int("k", 1, 1, INT64_MAX); }),
              ElementsAre("f:1:4: k is 0: expected a whole number of at least 1"));

  const auto number = [](ConfigReader* r) { r->Number("k", 0, 0, 10); };
  for (const char* wrong : {"5%", "nan", "inf", "1e999", "0x10", "-1", "11"}) {
    EXPECT_THAT(ErrorsOf(wrong, number), ElementsAre(std::string("f:1:4: k is ") + wrong +
                                                     ": expected a number from 0 to 10"));
  }
  const auto ratio = [](ConfigReader* r) { r->Ratio("k", 0); };
  for (const char* wrong : {"5", "101%", "-1%", "five%", "five"}) {
    EXPECT_THAT(ErrorsOf(wrong, ratio),
                ElementsAre(std::string("f:1:4: k is ") + wrong +
                            ": expected a share such as 5% or 0.05, from 0 to 1"));
  }
  EXPECT_THAT(ErrorsOf("yes", [](ConfigReader* r) { r->Bool("k", false); }),
              ElementsAre("f:1:4: k is yes: expected true or false"));
  EXPECT_THAT(ErrorsOf("{a: 1}", [](ConfigReader* r) { r->String("k"); }),
              ElementsAre("f:1:4: k is a map: expected a string"));
  EXPECT_THAT(ErrorsOf("[a, [b]]", [](ConfigReader* r) { r->Strings("k"); }),
              ElementsAre("f:1:8: k has a list as an element: expected a string"));
  EXPECT_THAT(ErrorsOf("erlier",
                       [](ConfigReader* r) {
                         r->Choice("k", {"now", "earlier"}, "");
                       }),
              ElementsAre("f:1:4: k is 'erlier': expected one of now, earlier; did you mean "
                          "'earlier'?"));
}

TEST(ConfigReaderTest, MissingAndUnknownKeys) {
  EXPECT_THAT(ErrorsOf("~", [](ConfigReader* r) { r->RequiredString("k"); }),
              ElementsAre("f:1:1: detector x needs 'k'"));
  EXPECT_THAT(ErrorsOf("''", [](ConfigReader* r) { r->RequiredString("k"); }),
              ElementsAre("f:1:4: k is empty"));
  EXPECT_THAT(ErrorsOf("1", [](ConfigReader* r) { r->String("kk"); }),
              ElementsAre("f:1:1: unknown key 'k' in detector x (known are kk)"));
  ErrorList errors;
  const ConfigNode root =
      ParseYaml("abvoe: 1\nwindow: 5m\nwindwo: 1m\n\"a\\x01b\": 1\n", "f", &errors);
  ConfigReader reader(root, "", &errors);
  reader.Number("above", 0, 0, 1);
  reader.Duration("window", 0);
  reader.Finish();
  EXPECT_THAT(Lines(errors), ElementsAre("f:1:1: unknown key 'abvoe': did you mean 'above'?",
                                         "f:3:1: unknown key 'windwo' (known are above, window)",
                                         "f:4:1: unknown key 'a\\x01b' (known are above, window)"));
}

TEST(ConfigReaderTest, NodeThatIsNoMapIsOneError) {
  ErrorList errors;
  const ConfigNode root = ParseYaml("[1]", "f", &errors);
  ConfigReader reader(root, "detector x", &errors);
  EXPECT_EQ(reader.RequiredString("name"), "");
  reader.Finish();
  EXPECT_THAT(Lines(errors), ElementsAre("f:1:1: detector x is a list: expected a map of keys"));
}

TEST(NearestTest, FindsTyposOnly) {
  const std::vector<std::string> words = {"error_rate", "latency", "storm", "to", "by"};
  EXPECT_EQ(Nearest("eror_rate", words), "error_rate");
  EXPECT_EQ(Nearest("latnecy", words), "latency");
  EXPECT_EQ(Nearest("strom", words), "storm");
  EXPECT_EQ(Nearest("t", words), "");
  EXPECT_EQ(Nearest("completely", words), "");
  EXPECT_EQ(Nearest("", words), "");
  EXPECT_EQ(Nearest(std::string(1 << 20, 'x'), words), "");
}

}  // namespace
}  // namespace tocsin
