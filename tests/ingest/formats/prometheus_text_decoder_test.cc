#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("prometheus-text");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

TEST(PrometheusTextDecoder, TypesByTheirLineOrTheName) {
  const std::string t = "2019-12-20T00:00:00Z metric ";
  const BuiltCase cases[] = {
      {"# HELP a What it is.\n# TYPE a counter\na{job=\"x\"} 3\n",
       "counter value=3 name=a service=x labels.job=x"},
      {"# TYPE a counter\na_total 3\na_created 1.7e9\n",
       "counter value=3 name=a_total\n" + t + "value=1.7e+09 name=a_created"},
      {"# TYPE a_total gauge\na_total 3\n", "value=3 name=a_total"},
      {"# TYPE a histogram\na_bucket{le=\"1\"} 2\na_sum 1.5\na_count 2\n",
       "counter value=2 name=a_bucket labels.le=1\n" + t + "counter value=1.5 name=a_sum\n" + t +
           "counter value=2 name=a_count"},
      {"# TYPE a summary\na{quantile=\"0.5\"} 2\na_count 2\n",
       "value=2 name=a labels.quantile=0.5\n" + t + "counter value=2 name=a_count"},
      {"# TYPE a unknown\na 2\nb_total 3\n",
       "value=2 name=a\n" + t + "counter value=3 name=b_total"},
      {"a:b_c 2", "value=2 name=a:b_c"},
  };
  for (const BuiltCase& test : cases) {
    SCOPED_TRACE(test.record);
    std::string text = DecodedText(kInput, test.record, kRecordTime);
    text = text.substr(0, text.find("\nskipped"));
    EXPECT_EQ(text, t + test.expected);
  }
}

TEST(PrometheusTextDecoder, LabelsStampsAndWhatOpenMetricsAdds) {
  const RecordCase cases[] = {
      {R"(a{b="x \"y\" \\ z", c = "\n1",} 2 1767225600123)",
       "2026-01-01T00:00:00.123Z metric value=2 name=a labels.b=x \"y\" \\ z labels.c=\n1"},
      {"  a {} \t +2.5e1   1767225600", "2026-01-01T00:00:00Z metric value=25 name=a"},
      {"a 2 1767225600.5 # {trace_id=\"x\"} 1", "2026-01-01T00:00:00.500Z metric value=2 name=a"},
      {"a 2 # {trace_id=\"x\"} 1", "2019-12-20T00:00:00Z metric value=2 name=a"},
      {R"({"my.metric",job="x","a.b"="c"} 7)",
       "2019-12-20T00:00:00Z metric value=7 name=my.metric service=x labels.a.b=c labels.job=x"},
      {"# EOF", "skipped: a comment"},
      {"a NaN", "skipped: sample value is not a finite number"},
      {"a +Inf", "skipped: sample value is not a finite number"},
      {"   ", "skipped: a blank line"},
      {"", ""},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(PrometheusTextDecoder, WhatIsNoSample) {
  const RecordCase cases[] = {
      {"a", "undecodable: sample value is not a number"},
      {"a x", "undecodable: sample value is not a number"},
      {"a 1 x", "undecodable: invalid timestamp"},
      {"a 1 1767225600 1", "undecodable: unexpected text after the timestamp"},
      {"{a=\"b\"} 1", "undecodable: a sample without a name"},
      {"a{b} 1", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a{b=c} 1", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a{b=\"c} 1", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a{b=\"c\" d=\"e\"} 1", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a{b=\"c\"", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a{\"x\",b=\"c\"} 1", "undecodable: malformed labels: expected NAME=\"VALUE\""},
      {"a\xff 1", "undecodable: not valid UTF-8"},
      {"a 1e30", "skipped: a number out of range"},
      {"\xC3\xA9 1", "undecodable: a sample without a name"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
  ExpectDecoded(kInput, {"a 1", "undecodable: no time"});
}

}  // namespace
}  // namespace tocsin
