#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/ingest/allocation_counter.h"
#include "tests/ingest/line_text.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

InputConfig Logfmt(std::vector<FieldMapping> map = {}) {
  InputConfig input;
  input.format = "logfmt";
  input.map = std::move(map);
  return input;
}

struct LineCase {
  std::string_view line;
  std::string_view expected;
};

TEST(LogfmtDecoder, Lines) {
  const LineCase cases[] = {
      // Go's slog, log15, go-kit and logrus.
      {R"(time=2026-01-01T12:00:00.123+01:00 level=INFO msg="up and running" service=shop)",
       "2026-01-01T11:00:00.123Z log level=info message=up and running service=shop"},
      {R"(t=2026-01-01T12:00:00+0000 lvl=eror msg=no err="dial tcp: refused")",
       "2026-01-01T12:00:00Z log exception=dial tcp: refused level=error message=no"},
      {R"(ts=2026-01-01T12:00:00.123456789Z caller=main.go:7 level=warn took=1.5s logger=db)",
       "2026-01-01T12:00:00.123456Z log 1500ms app=db level=warn"},
      {R"(time="2026-01-01 12:00:00,5" level=warning msg=a host=web-1 traceID=4bf9)",
       "2026-01-01T12:00:00.500Z log host=web-1 level=warning message=a trace_id=4bf9"},
      // Requests: lograge's bare milliseconds, others with units, Heroku's router.
      {"ts=1767268800 method=GET path=/jobs/833552.json action=show status=200 duration=58.33 "
       "view=40.43",
       "2026-01-01T12:00:00Z request 200 58330us endpoint=/jobs/833552.json method=GET"},
      {"ts=1767268800.25 method=POST uri=/a/42?b duration=1m2.5s ip=192.0.2.7 ua=curl/8 user=ann",
       "2026-01-01T12:00:00.250Z request 1m2s500ms client_ip=192.0.2.7 endpoint=/a/:id method=POST "
       "user=ann user_agent=curl/8"},
      {"ts=1767268800 method=GET url=https://shop.example/a status=503 elapsed=250\xC2\xB5s",
       "2026-01-01T12:00:00Z request 503 250us endpoint=/a method=GET"},
      {R"(ts=1767268800 at=error code=H12 desc="Request timeout" method=GET path="/" fwd="192.0.2.7")"
       " dyno=web.1 connect=6ms service=30001ms status=503 bytes=0",
       "2026-01-01T12:00:00Z request 503 30s1ms client_ip=192.0.2.7 endpoint=/ level=error "
       "message=Request timeout method=GET"},
      {"ts=1767268800 method=GET msg=incoming",
       "2026-01-01T12:00:00Z log message=incoming method=GET"},
      // Canonical names, other types and stamps.
      {"time=1767268800123 type=connection action=open dependency=orders-db",
       "2026-01-01T12:00:00.123Z connection open dependency=orders-db"},
      {R"(@timestamp="Sun Jan 10 16:47:39 EST 2021" level=info msg="Stopping all fetchers" tag#a=b)",
       "2021-01-10T21:47:39Z log level=info message=Stopping all fetchers"},
      {R"(ts="Thu Jan  1 12:00:00 2026" level=DBUG)", "2026-01-01T12:00:00Z log level=debug"},
      {R"(ts="2026/01/01 12:00:00.5" msg=a)", "2026-01-01T12:00:00.500Z log message=a"},
      {R"(ts="01/Jan/2026:13:00:00 +0100" msg=a)", "2026-01-01T12:00:00Z log message=a"},
      // A name that is known holds something else: no fault of the line.
      {"ts=1767268800 status=started type=worker value=high labels=none msg=a",
       "2026-01-01T12:00:00Z log message=a"},
      // Blanks, keys without a value, escapes.
      {"  ts=1767268800\t msg= ok plain a=1\x1E"
       "user=ann  ",
       "2026-01-01T12:00:00Z log user=ann"},
      {R"(ts=1767268800 msg="a \"b\" \\ \/ \t\u00e9\ud83d\ude00"user=ann)",
       "2026-01-01T12:00:00Z log message=a \"b\" \\ / \t\u00E9\U0001F600 user=ann"},
      {"ts=1767268800 msg=\u00FCber \u0192=2h", "2026-01-01T12:00:00Z log message=\u00FCber"},
      {R"(ts=1767268800 msg="x=\"1\"" err="a\nb")",
       "2026-01-01T12:00:00Z log exception=a\nb message=x=\"1\""},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Logfmt(), test.line), test.expected);
    // Whatever stands before and behind it, and with the keys foreseen.
    const std::string line(test.line);
    const RecordingSink sink = DecodeRecord(Logfmt(), line + "\r\n\n" + line + "\n" + line);
    ASSERT_THAT(sink.events, SizeIs(3));
    for (const KeptEvent& event : sink.events) EXPECT_EQ(EventText(event), test.expected);
  }
}

TEST(LogfmtDecoder, LinesThatAreNone) {
  constexpr std::string_view kNoKey = "undecodable: a key that is none";
  constexpr std::string_view kNoValue = "undecodable: a quote or an equals sign inside a value";
  constexpr std::string_view kQuoted =
      "undecodable: a quoted value without an end, or with a bad escape";
  const LineCase cases[] = {
      {"=bar", kNoKey},
      {"\"k\"=bar", kNoKey},
      {"k\"ey=bar", kNoKey},
      {"k=b =ar", kNoKey},
      {"a\xEF\xBF\xBD=bar", kNoKey},
      {"k=b\"ar", kNoValue},
      {"a==", kNoValue},
      {"k=b=ar", kNoValue},
      {"a=\"1", kQuoted},
      {"a=\"1\\", kQuoted},
      {R"(a="\t1)", kQuoted},
      {R"(a="\u1")", kQuoted},
      {R"(a="\ud83d")", kQuoted},
      {R"(a="\x41")", kQuoted},
      {"\x80=bar", "undecodable: not valid UTF-8"},
      {"a=\"\xC3\"", "undecodable: not valid UTF-8"},
      {"a=1", "undecodable: no time"},
      {"ts=yesterday a=1", "undecodable: time is neither an RFC 3339 time nor an epoch number"},
      {"ts=1767268800 duration=fast",
       "undecodable: duration is neither a number nor a time with its unit"},
      {"ts=1767268800 took=5x",
       "undecodable: duration is neither a number nor a time with its unit"},
      {"goroutine 1 [running]:", "skipped: a line without a value"},
  };
  const std::string good = "ts=1767268800 level=info msg=\"a b\" user=ann";
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Logfmt(), test.line), test.expected);
    // Its neighbours are untouched.
    const RecordingSink sink =
        DecodeRecord(Logfmt(), good + "\n" + std::string(test.line) + "\n" + good);
    ASSERT_THAT(sink.events, SizeIs(2));
    EXPECT_EQ(EventText(sink.events[0]), EventText(sink.events[1]));
  }
}

TEST(LogfmtDecoder, ARecordHasATimeOfItsOwn) {
  EXPECT_EQ(DecodedText(Logfmt(), "zork=zook plonk zonk=nork", kSecondUs),
            "1970-01-01T00:00:01Z log");
  InputConfig input = Logfmt();
  input.time_zone = 330 * kMinuteUs;
  EXPECT_EQ(DecodedText(input, "time=\"2026-01-01 12:00:00\" msg=a"),
            "2026-01-01T06:30:00Z log message=a");
  EXPECT_EQ(DecodedText(input, "time=2026-01-01T12:00:00Z msg=a"),
            "2026-01-01T12:00:00Z log message=a");
}

TEST(LogfmtDecoder, TheMappingCounts) {
  const RecordingSink sink = DecodeRecord(
      Logfmt({{"message", "event", "", {}},
              {"level", "prio", "", {}},
              {"duration_ms", "cost", "", {}},
              {"labels.tag", "tag", "", {}},
              {"service", "", "shop", {}},
              {"type", "", "query", {}}}),
      "ts=1767268800 event=e msg=m prio=WARN level=info cost=2s took=1s tag=x service=y");
  ASSERT_THAT(sink.events, SizeIs(1));
  EXPECT_EQ(EventText(sink.events[0]),
            "2026-01-01T12:00:00Z query 2s level=warn message=e service=shop tag:x");
  ErrorList errors;
  EXPECT_EQ(NewDecoder(Logfmt({{"stauts", "a", "", {}}}), &errors), nullptr);
  EXPECT_THAT(errors.Sorted().at(0).message, HasSubstr("did you mean \"status\""));
}

TEST(LogfmtDecoder, NothingOfALineStaysForTheNext) {
  const RecordingSink sink = DecodeRecord(Logfmt(),
                                          "ts=1767268800 level=error msg=m method=GET path=/a "
                                          "status=500 took=1s user=u\nts=1767268801 a=1");
  ASSERT_THAT(sink.events, SizeIs(2));
  EXPECT_EQ(EventText(sink.events[1]), "2026-01-01T12:00:01Z log");
  EXPECT_FALSE(sink.events[1].event.failed);
}

TEST(LogfmtDecoder, EveryCutOfALineIsTold) {
  const std::string line =
      R"(ts=2026-01-01T12:00:00Z level=info msg="a \"b\" c" method=GET path=/orders/42 status=200)"
      R"( took=12.5ms user=ann agent="Mozilla" last=)";
  for (std::size_t size = 1; size <= line.size(); ++size) {
    const RecordingSink sink = DecodeRecord(Logfmt(), line.substr(0, size), kSecondUs);
    EXPECT_EQ(sink.events.size() + sink.skipped.size() + sink.undecodable.size(), 1U) << size;
  }
  EXPECT_THAT(DecodeRecord(Logfmt(), line).events, SizeIs(1));
}

TEST(LogfmtDecoder, AllocatesNothing) {
  class CountingSink final : public EventSink {
   public:
    void OnEvent(const Event&) override { ++count; }
    void OnUndecodable(std::string_view, std::string_view) override { ++count; }
    int count = 0;
  };
  const std::string lines =
      "ts=2026-01-01T12:00:00Z level=info msg=\"a \\\"b\\\" c\" method=GET path=/a/42 status=200\n"
      "ts=2026-01-01T12:01:00Z level=ERROR took=1.5s msg=\u00E9\n"
      "a==\n";
  const std::unique_ptr<Decoder> decoder = DecoderFor(Logfmt());
  CountingSink sink;
  decoder->Decode(lines, kNoTime, &sink);
  const long before = Allocations();
  for (int i = 0; i < 100; ++i) decoder->Decode(lines, kNoTime, &sink);
  EXPECT_EQ(Allocations() - before, 0);
  EXPECT_EQ(sink.count, 303);
}

}  // namespace
}  // namespace tocsin
