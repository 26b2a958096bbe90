#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <memory>
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
      // Canonical names, other types and timestamps.
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
    // Whatever stands before and behind it, and with the keys predicted.
    const std::string line(test.line);
    const RecordingSink sink = DecodeRecord(Logfmt(), line + "\r\n\n" + line + "\n" + line);
    ASSERT_THAT(sink.events, SizeIs(3));
    for (const KeptEvent& event : sink.events) EXPECT_EQ(EventText(event), test.expected);
  }
}

TEST(LogfmtDecoder, LinesThatAreNone) {
  constexpr std::string_view kNoKey = "undecodable: malformed key";
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
       "undecodable: duration is neither a number nor a duration with a unit"},
      {"ts=1767268800 took=5x",
       "undecodable: duration is neither a number nor a duration with a unit"},
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

TEST(LogfmtDecoder, AFaultIsTheSameHoweverOftenItComes) {
  for (const std::string_view line :
       {"ts=1767268800 \x80=bar",
        "ts=1767268800 user=a=b abcdefghijklmnop abcdefghijklmnop \x80"}) {
    const std::string record =
        std::string(line) + "\n" + std::string(line) + "\n" + std::string(line);
    EXPECT_THAT(DecodeRecord(Logfmt(), record).reasons,
                ElementsAre("not valid UTF-8", "not valid UTF-8", "not valid UTF-8"));
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

// What a record's lines become together, and each by itself: without padding behind it a line is
// left to the parser, whatever the lines before it were like.
void ExpectLineByLine(const InputConfig& input, const std::vector<std::string>& lines,
                      std::string_view end = "\n") {
  std::string record;
  for (const std::string& line : lines) (record += line) += end;
  const RecordingSink together = DecodeRecord(input, record, 7 * kSecondUs);
  RecordingSink alone;
  const std::unique_ptr<Decoder> decoder = DecoderFor(input);
  for (const std::string& line : lines) {
    const std::vector<char> exact(line.begin(), line.end());
    decoder->Decode({exact.data(), exact.size()}, 7 * kSecondUs, &alone);
  }
  EXPECT_EQ(together.undecodable, alone.undecodable);
  EXPECT_EQ(together.reasons, alone.reasons);
  EXPECT_EQ(together.skipped, alone.skipped);
  ASSERT_EQ(together.events.size(), alone.events.size());
  for (std::size_t i = 0; i < alone.events.size(); ++i) {
    EXPECT_EQ(EventText(together.events[i]), EventText(alone.events[i])) << i;
    EXPECT_EQ(together.events[i].event.failed, alone.events[i].event.failed) << i;
    EXPECT_EQ(together.events[i].event.duration, alone.events[i].event.duration) << i;
  }
}

TEST(LogfmtDecoder, LinesLikeThoseBeforeBecomeTheSame) {
  // Each is followed by lines with the same keys, so that templates are learned, used, and wrong.
  const std::string begin = "ts=2026-01-01T12:00:00.123Z level=info msg=\"request done\" ";
  const std::vector<std::vector<std::string>> cases = {
      // Values that vary: plain, of another form, refused, and empty ones.
      {"status=200 took=1.5ms", "status=200 took=22.75ms", "status=503 took=1m2s",
       "status=0 took=3s", "status=no took=1.5ms", "status=200 took=", "status=404 took=1e3",
       "status=200 took=0.0005ms", "status=200 took=12345678.5ms", "status=200 took=1234567.25ms",
       "status=200 took=1.123456789s", "status=200 took=7.5us", "status=200 took=1.5ns",
       "status=200 took=1.5x", "status=200 took=1.", "status=200 took=9ms"},
      {"method=GET path=/a user=ann", "method=GET path=/orders/42?x=1 user=bob",
       "method=PUT path=https://shop.example/7 user=\xC3\xA9va", "method=GET path=? user=-",
       "method=GET path=/u/123e4567-e89b-12d3-a456-426614174000/x user=a",
       "method=GET path=/ user=\"quoted\"", "method=GET path=/x user=a\"b",
       "method=GET path=/y user=a=b", "method=GET path=/z user=\x01",
       "method=GET path=/z user=last"},
      // Quoted values: escapes, control characters, no end.
      {"err=\"a\" n=1", "err=\"a b\" n=2", "err=\"a \\\"b\\\"\" n=3", "err=\"\t\" n=4",
       "err=\"\" n=5", "err=\"no end n=6", "err=\"x=\" n=7", "err=\"\xC3\xA9\" n=8",
       "err=\"\xC3\" n=9", "err=\"z\" n=10"},
      // Two that feed the same, and a service that is a time.
      {"error=a err=b", "error=c err=b", "error=c err=d", "error= err=e"},
      {"err=a error=b", "err=a error=c", "err=b error=d", "err=b error=e"},
      {"method=GET path=/a took=1.5ms", "method=PUT path=/b took=2.5ms",
       "method= path=/b took=3.5ms"},
      {"service=shop", "service=web", "service=30001ms", "service=ms", "service=shop"},
      // What is the same in all at first.
      {"status=200 method=GET took=1.5ms path=/7", "status=200 method=GET took=1.5ms path=/8",
       "status=503 method=GET took=1.5ms path=/8", "status=503 method=PUT took=2.5ms path=/9"},
      {"type=query endpoint=Find7", "type=query endpoint=Find/8", "type=request endpoint=/9",
       "type=nothing endpoint=/9", "type=connection action=open", "type=connection action=x"},
      {"value=1 limit=2 max=3", "value=2 limit=2 max=3", "value=2 limit=4 max=5",
       "value=x limit= max=1"},
      // Longer than what is compared at once, and what ends exactly there.
      {std::string(100, 'a') + "=1 user=" + std::string(32, 'u'),
       std::string(100, 'a') + "=2 user=" + std::string(31, 'v'),
       std::string(100, 'a') + "=3 user=" + std::string(33, 'w'),
       std::string(99, 'a') + "b=3 user=" + std::string(64, 'x'),
       std::string(100, 'a') + "=4 user=" + std::string(200, 'y')},
      // Other text between and behind the pairs.
      {"plain user=a", "plain user=b", "words user=c", "plain  user=d", "plain user=e ",
       "plain user=f\r"},
  };
  for (const std::vector<std::string>& ends : cases) {
    std::vector<std::string> lines;
    for (int round = 0; round < 3; ++round) {
      for (const std::string& end : ends) lines.push_back(begin + end);
    }
    SCOPED_TRACE(ends[0]);
    ExpectLineByLine(Logfmt(), lines);
    ExpectLineByLine(Logfmt(), lines, "\r\n");
    InputConfig mapped = Logfmt({{"message", "user", "", {}},
                                 {"labels.took", "took", "", {}},
                                 {"service", "", "shop", {}}});
    mapped.time_zone = 330 * kMinuteUs;
    ExpectLineByLine(mapped, lines);
  }
}

TEST(LogfmtDecoder, TimesOfLinesLikeThoseBefore) {
  std::vector<std::string> lines;
  for (const std::string_view time :
       {"2026-01-01T12:00:00.123Z", "2026-01-01T12:00:59.999Z", "2026-01-01T12:01:00.000Z",
        "2026-01-01T12:01:00Z", "2026-01-01T12:01:60Z", "2026-01-01T12:01:61Z",
        "2026-01-01T12:01:01.5Z", "2026-01-01T12:01:02.123456789Z", "2026-01-01T12:01:03.12aZ",
        "2026-01-01T13:01:04.123+01:00", "1767268800", "1767268800123", "yesterday", ""}) {
    for (const std::string_view name : {"ts", "t", "time"}) {
      lines.push_back(std::string(name) + "=" + std::string(time) + " user=ann");
    }
  }
  lines.insert(lines.end(), lines.begin(), lines.end());
  ExpectLineByLine(Logfmt(), lines);
  // A line without a time has its record's.
  const std::string record =
      "msg=a user=b\nmsg=a user=c\nmsg=a user=d\nmsg=a user=e\nmsg=a user=f\nmsg=a user=g\n";
  const std::unique_ptr<Decoder> decoder = DecoderFor(Logfmt());
  for (TimeUs time = kSecondUs; time < 9 * kSecondUs; time += kSecondUs) {
    RecordingSink sink;
    decoder->Decode(record, time, &sink);
    ASSERT_THAT(sink.events, SizeIs(6));
    for (const KeptEvent& event : sink.events) EXPECT_EQ(event.event.time, time);
  }
}

TEST(LogfmtDecoder, ManyKindsOfLinesByTurns) {
  std::vector<std::string> lines;
  std::uint32_t random = 1;
  const auto next = [&](std::uint32_t below) {
    random = random * 1'664'525 + 1'013'904'223;
    return (random >> 8) % below;
  };
  constexpr std::string_view kPairs[] = {" level=info", " msg=\"a b\"", " status=200",  " took=5ms",
                                         " method=GET", " path=/a/7",   " user=ann",    " x=y",
                                         " ua=\"b/1\"", " plain",       " service=shop"};
  for (int i = 0; i < 4'000; ++i) {
    std::string line = "ts=" + std::to_string(1'767'268'800 + i);
    const std::uint32_t kind = next(8);
    for (std::uint32_t j = 0; j < std::size(kPairs); ++j) {
      if ((kind * 2'654'435'761U >> (j + 3)) % 2 == 0) continue;
      line += kPairs[j];
      if (next(3) == 0)
        line.insert(line.size() - (line.back() == '"' ? 1 : 0), std::to_string(next(50)));
    }
    lines.push_back(line);
  }
  ExpectLineByLine(Logfmt(), lines);
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
