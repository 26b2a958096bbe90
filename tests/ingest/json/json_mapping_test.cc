#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

FieldMapping Path(std::string target, std::string path) {
  return {.target = std::move(target), .path = std::move(path), .constant = {}, .at = {}};
}
FieldMapping Constant(std::string target, std::string value) {
  return {.target = std::move(target), .path = {}, .constant = std::move(value), .at = {}};
}

TEST(JsonMapping, NestedFlatAndConstant) {
  const std::vector<FieldMapping> map = {
      Path("time", "ts"),
      Constant("type", "request"),
      Path("endpoint", "http.path"),
      Path("status", "http.status"),
      Path("duration_ms", "took"),
      Path("labels.team", "meta.owner.team"),
      Constant("labels.source", "edge"),
      Constant("env", "dev"),
  };
  for (const std::string json :
       {R"({"ts":1767225600,"http":{"path":"/a/1","status":"500"},"took":2,
            "meta":{"owner":{"team":"x"}},"labels":{"y":"z"}})",
        R"({"ts":1767225600,"http.path":"/a/1","http.status":500,"took":2.0,
            "meta":{"owner.team":"x"},"labels":{"y":"z"}})",
        R"({"labels":{"y":"z"},"meta.owner":{"team":"x"},"took":2,"http":{"status":500,
            "path":"/a/1"},"ts":"1767225600"})"}) {
    SCOPED_TRACE(json);
    const RecordingSink sink = DecodeJson(json, map);
    EXPECT_THAT(sink.reasons, IsEmpty());
    ASSERT_THAT(sink.events, SizeIs(1));
    const KeptEvent& event = sink.events[0];
    EXPECT_EQ(event.event.time, 1767225600 * kSecondUs);
    EXPECT_EQ(event.event.type, EventType::kRequest);
    EXPECT_EQ(event.Get(Field::kEndpoint), "/a/:id");
    EXPECT_EQ(event.event.status, 500);
    EXPECT_EQ(event.event.duration, 2000);
    EXPECT_EQ(event.Get(Field::kEnv), "dev");
    EXPECT_THAT(event.labels,
                ElementsAre(Pair("source", "edge"), Pair("team", "x"), Pair("y", "z")));
  }
}

TEST(JsonMapping, ReplacesTheCanonicalNameAndItsAliases) {
  // A `status` that is not a number is no fault once the status is mapped from another path.
  const RecordingSink sink = DecodeJson(R"({"status":"fine","code":503,"env":"x"})",
                                        {Path("status", "code"), Constant("env", "dev")});
  ASSERT_THAT(sink.events, SizeIs(1));
  EXPECT_EQ(sink.events[0].event.status, 503);
  EXPECT_EQ(sink.events[0].Get(Field::kEnv), "dev");
}

TEST(JsonMapping, OnePathMayFeedSeveralTargets) {
  const RecordingSink sink =
      DecodeJson(R"({"labels":{"svc":"api"},"who":"x"})",
                 {Path("service", "labels.svc"), Path("user", "who"), Path("labels.who", "who")});
  EXPECT_THAT(sink.reasons, IsEmpty());
  ASSERT_THAT(sink.events, SizeIs(1));
  EXPECT_EQ(sink.events[0].Get(Field::kService), "api");
  EXPECT_EQ(sink.events[0].Get(Field::kUser), "x");
  EXPECT_THAT(sink.events[0].labels, ElementsAre(Pair("svc", "api"), Pair("who", "x")));
}

TEST(JsonMapping, MistakesAreReported) {
  struct Case {
    FieldMapping mapping;
    std::string message;
  };
  const Case cases[] = {
      {Path("endpont", "x"), "did you mean \"endpoint\""},
      {Path("labels.", "x"), "unknown event field"},
      {Constant("type", "requests"), "is not a valid constant"},
      {Constant("status", "abc"), "is not a valid constant"},
      {Constant("time", "2026-01-01T00:00:00Z"), "is not a valid constant"},
      {Constant("weight", "0"), "is not a valid constant"},
      {Path("user", "a..b"), "empty part"},
      {Path("user", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h"),
       "deeper than 32"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.mapping.target + " " + test.mapping.path + test.mapping.constant);
    InputConfig input;
    input.map = {test.mapping};
    input.map[0].at = {.file = "c.yaml", .line = 3, .column = 4};
    ErrorList errors;
    EXPECT_EQ(NewDecoder(input, &errors), nullptr);
    ASSERT_THAT(errors.Sorted(), SizeIs(1));
    EXPECT_THAT(errors.Sorted()[0].ToString(), HasSubstr("c.yaml:3:4"));
    EXPECT_THAT(errors.Sorted()[0].message, HasSubstr(test.message));
  }
}

}  // namespace
}  // namespace tocsin
