#include "core/json_writer.h"

#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Quoted(std::string_view text) {
  JsonWriter json;
  json.String(text);
  return json.Take();
}

TEST(JsonWriter, NestsObjectsAndArrays) {
  JsonWriter json;
  json.BeginObject();
  json.Key("service").String("api");
  json.Key("value").Number(0.5);
  json.Key("n").Int(-3);
  json.Key("list").BeginArray().Int(1).BeginObject().EndObject().BeginArray().EndArray().Null();
  json.EndArray();
  json.Key("raw").Raw("{\"x\":1}").Key("yes").Bool(true).Key("no").Bool(false);
  json.EndObject();
  const std::string expected = R"({"service":"api","value":0.5,"n":-3,"list":[1,{},[],null],)"
                               R"("raw":{"x":1},"yes":true,"no":false})";
  EXPECT_EQ(json.text(), expected);
  EXPECT_EQ(json.Take(), expected);
  json.BeginArray().Raw("1").Raw("2").EndArray();
  EXPECT_EQ(json.text(), "[1,2]");
}

TEST(JsonWriter, EscapesPerRfc8259) {
  EXPECT_EQ(Quoted("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(Quoted("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(Quoted(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(Quoted(""), "\"\"");
  JsonWriter json;
  json.BeginObject().Key("a\n").Int(1).EndObject();
  EXPECT_EQ(json.text(), R"({"a\n":1})");
}

TEST(JsonWriter, KeepsValidUtf8) {
  for (const char* text :
       {"é", "€", "日本語", "\xF0\x9F\x94\x94", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Quoted(text), "\"" + std::string(text) + "\"");
  }
}

// One replacement for each maximal subpart, as Unicode and the browsers do it.
TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  const struct {
    std::string_view text;
    std::string_view expected;  // with ? for the replacement
  } cases[] = {
      {"a\x80z", "a?z"},
      {"a\xFFz", "a?z"},
      {"\xC3", "?"},
      {"\xC3(", "?("},
      {"\xC0\xAF", "??"},  // overlong
      {"\xC1\xBF", "??"},
      {"\xE0\x9F\xBF", "???"},
      {"\xF0\x8F\xBF\xBF", "????"},
      {"\xED\xA0\x80", "???"},       // a surrogate
      {"\xF4\x90\x80\x80", "????"},  // past U+10FFFF
      {"\xF5\x80\x80\x80", "????"},
      {"\xE2\x82", "?"},  // cut
      {"\xE2\x82x", "?x"},
      {"\xF0\x9F\x94", "?"},
      {"\xF0\x9F\x94\xE2\x82\xAC", "?\xE2\x82\xAC"},
      {"\xE2\x82\"", "?\\\""},
  };
  for (const auto& [text, expected] : cases) {
    std::string with_replacement = "\"";
    for (const char c : expected) {
      if (c == '?') {
        with_replacement += "\xEF\xBF\xBD";
      } else {
        with_replacement += c;
      }
    }
    EXPECT_EQ(Quoted(text), with_replacement + "\"") << expected;
  }
}

TEST(JsonWriter, WritesNonFiniteNumbersAsNull) {
  JsonWriter json;
  json.BeginArray().Number(kInfinity).Number(-kInfinity).Number(std::nan("")).Number(-0.0);
  json.Int(INT64_MIN).EndArray();
  EXPECT_EQ(json.text(), "[null,null,null,0,-9223372036854775808]");
}

TEST(FormatNumber, PrintsNineSignificantDigits) {
  const struct {
    double value;
    const char* expected;
  } cases[] = {
      {0.0, "0"},
      {-0.0, "0"},
      {0.1 + 0.2, "0.3"},
      {1.0, "1"},
      {-2.5, "-2.5"},
      {1.0 / 3.0, "0.333333333"},
      {2.0 / 3.0, "0.666666667"},
      {123456789.0, "123456789"},
      {1234567890.0, "1.23456789e+09"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {1e21, "1e+21"},
      {5e-324, "4.94065646e-324"},
      {1.7976931348623157e308, "1.79769313e+308"},
      {kInfinity, "inf"},
      {-kInfinity, "-inf"},
  };
  for (const auto& [value, expected] : cases) EXPECT_EQ(FormatNumber(value), expected);
  EXPECT_EQ(FormatNumber(std::nan("")), "nan");
  EXPECT_EQ(FormatNumber(-std::nan("")), "nan");
}

#ifndef NDEBUG
TEST(JsonWriterDeathTest, ChecksNestingInDebugBuilds) {
  EXPECT_DEATH(JsonWriter().EndObject(), "brackets");
  EXPECT_DEATH(JsonWriter().BeginArray().EndObject(), "brackets");
  EXPECT_DEATH(JsonWriter().BeginObject().Int(1), "needs a key");
  EXPECT_DEATH(JsonWriter().BeginArray().Key("a"), "outside an object");
  EXPECT_DEATH(JsonWriter().BeginObject().Key("a").EndObject(), "needs a value");
  EXPECT_DEATH(JsonWriter().BeginObject().Key("a").Key("b"), "outside an object");
}
#endif

}  // namespace
}  // namespace tocsin
