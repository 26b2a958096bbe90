#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "tests/ingest/allocation_counter.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

InputConfig Clf(std::vector<FieldMapping> map = {}) {
  InputConfig input;
  input.format = "clf";
  input.map = std::move(map);
  return input;
}

RecordingSink DecodeClf(std::string_view record) { return DecodeRecord(Clf(), record); }

// What a case expects of an event; its fields as one string, without absent ones.
std::string Text(const KeptEvent& kept) {
  std::string text = FormatTime(kept.event.time);
  text += ' ' + std::string(EventTypeName(kept.event.type)) + ' ';
  text += std::to_string(kept.event.status);
  if (kept.event.duration >= 0) text += ' ' + FormatDuration(kept.event.duration);
  for (const auto& [name, value] : kept.text) {
    if (name != "env") text += ' ' + name + '=' + value;
  }
  for (const auto& [name, value] : kept.labels) text += ' ' + name + ':' + value;
  return text;
}

struct LineCase {
  std::string_view line;
  std::string_view expected;
};

TEST(ClfDecoder, Lines) {
  const LineCase cases[] = {
      // Common.
      {R"(192.0.2.7 - - [10/Oct/2025:13:55:36 -0700] "GET /a/index.html HTTP/1.1" 200 2326)",
       "2025-10-10T20:55:36Z request 200 client_ip=192.0.2.7 endpoint=/a/index.html method=GET "
       "bytes:2326"},
      {R"(192.0.2.7 id ann [01/Jan/2026:00:00:00 +0530] "POST /orders/42?x=1 HTTP/2.0" 503 -)",
       "2025-12-31T18:30:00Z request 503 client_ip=192.0.2.7 endpoint=/orders/:id method=POST "
       "user=ann"},
      // Combined, and IPv6.
      {R"(2001:db8::1 - - [29/Feb/2024:23:59:60 +0000] "GET / HTTP/1.1" 304 0 "-" "curl/8.0")",
       "2024-03-01T00:00:00Z request 304 client_ip=2001:db8::1 endpoint=/ method=GET "
       "user_agent=curl/8.0 bytes:0"},
      {R"([::1] - [x] [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "http://a/b?c" "-")",
       "2026-01-01T00:00:00Z request 200 client_ip=[::1] endpoint=/ method=GET user=[x] bytes:1 "
       "referer:http://a/b?c"},
      {R"(web-1.example - a b [01/Jan/2026:00:00:00 +0000] "HEAD /x HTTP/1.0" 200 -)",
       "2026-01-01T00:00:00Z request 200 client_ip=web-1.example endpoint=/x method=HEAD "
       "user=a b"},
      // With a virtual host in front.
      {R"(shop.example:443 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)",
       "2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=/ method=GET bytes:1 "
       "vhost:shop.example:443"},
      // Escapes of both servers; bytes that are not printable ASCII stay escaped.
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /\"a\" HTTP/1.1" 200 1 "-" "a \"b\" \\")",
       R"(2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=/"a" method=GET )"
       R"(user_agent=a "b" \ bytes:1)"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /\x22 HTTP/1.1" 200 1 "-" "\x41\xE9\x0a\x")",
       R"(2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=/" method=GET )"
       R"(user_agent=A\xE9\x0a\x bytes:1)"},
      // Malformed requests.
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "\x16\x03\x01\x02" 400 157 "-" "-")",
       "2026-01-01T00:00:00Z request 400 client_ip=192.0.2.7 bytes:157"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "-" 408 - "-" "-")",
       "2026-01-01T00:00:00Z request 408 client_ip=192.0.2.7"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "" 400 0)",
       "2026-01-01T00:00:00Z request 400 client_ip=192.0.2.7 bytes:0"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "get / HTTP/1.1" 400 0)",
       "2026-01-01T00:00:00Z request 400 client_ip=192.0.2.7 bytes:0"},
      {R"(- - - [01/Jan/2026:00:00:00 +0000] "GET /old" - -)",
       "2026-01-01T00:00:00Z request 0 endpoint=/old method=GET"},
      // Targets: with blanks, whole URLs, of a proxy.
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /a b HTTP/1.1" 404 1)",
       "2026-01-01T00:00:00Z request 404 client_ip=192.0.2.7 endpoint=/a b method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET http://a.example/x/1 HTTP/1.1" 200 1)",
       "2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=/x/:id method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "CONNECT a.example:443 HTTP/1.1" 405 1)",
       "2026-01-01T00:00:00Z request 405 client_ip=192.0.2.7 method=CONNECT bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "OPTIONS * HTTP/1.0" 200 1)",
       "2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=* method=OPTIONS bytes:1"},
      // More fields behind it.
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-" "10.0.0.1")",
       "2026-01-01T00:00:00Z request 200 client_ip=192.0.2.7 endpoint=/ method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-" 12 1.234 [a] 2.000)",
       "2026-01-01T00:00:00Z request 200 1234ms client_ip=192.0.2.7 endpoint=/ method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-" rt=0.002 uct="-")",
       "2026-01-01T00:00:00Z request 200 2ms client_ip=192.0.2.7 endpoint=/ method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-" "0.250")",
       "2026-01-01T00:00:00Z request 200 250ms client_ip=192.0.2.7 endpoint=/ method=GET bytes:1"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 0.250)",
       "2026-01-01T00:00:00Z request 200 250ms client_ip=192.0.2.7 endpoint=/ method=GET bytes:1"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    const RecordingSink sink = DecodeClf(test.line);
    EXPECT_THAT(sink.reasons, IsEmpty());
    ASSERT_THAT(sink.events, SizeIs(1));
    EXPECT_EQ(Text(sink.events[0]), test.expected);
    EXPECT_EQ(sink.events[0].event.failed, sink.events[0].event.status >= 500);
    EXPECT_EQ(sink.events[0].Get(Field::kEnv), "prod");
  }
}

TEST(ClfDecoder, LinesThatAreNone) {
  const LineCase cases[] = {
      {"nothing of the kind", "no time"},
      {R"(192.0.2.7 - - "GET / HTTP/1.1" 200 1)", "no time"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000)", "no time"},
      {R"(192.0.2.7 - - [31/Apr/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)", "no time"},
      {R"(192.0.2.7 - - [01/Foo/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)", "no time"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:61 +0000] "GET / HTTP/1.1" 200 1)", "no time"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +9900] "GET / HTTP/1.1" 200 1)", "no time"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] GET / HTTP/1.1 200 1)", "no request"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1)", "the request has no end"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1\" 200 1)",
       "the request has no end"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1")", "no status"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 20)", "no status"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 2000 1)",
       "status is not a number"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200)", "no size"},
      {R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1k)",
       "size is not a number"},
      {"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /\xFF HTTP/1.1\" 200 1",
       "not valid UTF-8"},
  };
  const std::string good = R"(192.0.2.7 - - [01/Jan/2026:00:00:09 +0000] "GET / HTTP/1.1" 200 1)";
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    // Its neighbours are untouched.
    const RecordingSink sink = DecodeClf(good + "\n" + std::string(test.line) + "\r\n" + good);
    EXPECT_THAT(sink.undecodable, ElementsAre(test.line));
    EXPECT_THAT(sink.reasons, ElementsAre(test.expected));
    ASSERT_THAT(sink.events, SizeIs(2));
    EXPECT_EQ(Text(sink.events[0]), Text(sink.events[1]));
  }
}

TEST(ClfDecoder, NothingOfALineStaysForTheNext) {
  const std::string full =
      R"(v:80 192.0.2.7 - ann [01/Jan/2026:00:00:00 +0000] "GET /x HTTP/1.1" 500 1 "r" "a" 1.000)";
  const std::string bare = R"(- - - [01/Jan/2026:00:01:00 +0000] "-" 400 -)";
  const RecordingSink sink = DecodeClf(full + "\n\n" + bare + "\n");
  EXPECT_THAT(sink.reasons, IsEmpty());
  ASSERT_THAT(sink.events, SizeIs(2));
  EXPECT_EQ(Text(sink.events[1]), "2026-01-01T00:01:00Z request 400");
  EXPECT_FALSE(sink.events[1].event.failed);
}

TEST(ClfDecoder, EveryCutOfALineIsTold) {
  const std::string line =
      R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 17 "-" "a\"b" 0.001)";
  const std::size_t whole = line.find("17") + 1;  // from here on it is a line
  for (std::size_t size = 1; size <= line.size(); ++size) {
    const RecordingSink sink = DecodeClf(line.substr(0, size));
    EXPECT_EQ(sink.events.size(), size >= whole ? 1U : 0U) << size;
    EXPECT_EQ(sink.events.size() + sink.undecodable.size(), 1U) << size;
  }
}

TEST(ClfDecoder, NoFieldReachesIntoTheNextLine) {
  const std::string line =
      R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /a\"b HTTP/1.1" 200 17 "-" "a\"b" 0.001)";
  const std::string good = R"(- - - [01/Jan/2026:00:00:09 +0000] "GET /" 200 1 "r" "g")";
  for (const std::string_view end : {"\n", "\r\n", "\n\n"}) {
    for (std::size_t size = 1; size <= line.size(); ++size) {
      const std::string cut = line.substr(0, size);
      const RecordingSink alone = DecodeClf(cut);
      const RecordingSink sink = DecodeClf(cut + std::string(end) + good + std::string(end) + cut);
      ASSERT_EQ(sink.events.size(), 1 + 2 * alone.events.size()) << cut;
      EXPECT_EQ(Text(sink.events[alone.events.size()]), Text(DecodeClf(good).events[0])) << cut;
      ASSERT_EQ(sink.undecodable.size(), 2 * alone.undecodable.size()) << cut;
      for (std::size_t i = 0; i < sink.undecodable.size(); ++i) {
        EXPECT_EQ(sink.undecodable[i], cut);
        EXPECT_EQ(sink.reasons[i], alone.reasons[0]);
      }
      if (alone.events.empty()) continue;
      EXPECT_EQ(Text(sink.events[0]), Text(alone.events[0]));
    }
  }
}

TEST(ClfDecoder, AHugeLineIsCountedAndSkipped) {
  const std::string good = R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)";
  const std::string huge = good + " \"" + std::string(limits::kEventBytesMax, 'x') + "\" \"\"";
  const RecordingSink sink = DecodeClf(good + "\n" + huge + "\n" + good);
  EXPECT_THAT(sink.events, SizeIs(2));
  EXPECT_THAT(sink.reasons, ElementsAre("larger than 1 MiB"));
  // The label that is too long is no label.
  const RecordingSink long_referer =
      DecodeClf(good + " \"" + std::string(limits::kLabelValueBytesMax + 1, 'x') + "\" \"a\"");
  ASSERT_THAT(long_referer.events, SizeIs(1));
  EXPECT_THAT(long_referer.events[0].labels, SizeIs(1));
  EXPECT_EQ(long_referer.events[0].Get(Field::kUserAgent), "a");
}

TEST(ClfDecoder, ConstantsOfTheMapping) {
  const RecordingSink sink =
      DecodeRecord(Clf({{"service", "", "shop", {}},
                        {"env", "", "staging", {}},
                        {"client_ip", "", "hidden", {}},
                        {"weight", "", "10", {}},
                        {"labels.team", "", "web", {}}}),
                   R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)");
  ASSERT_THAT(sink.events, SizeIs(1));
  EXPECT_EQ(sink.events[0].Get(Field::kService), "shop");
  EXPECT_EQ(sink.events[0].Get(Field::kEnv), "staging");
  EXPECT_EQ(sink.events[0].Get(Field::kClientIp), "hidden");
  EXPECT_EQ(sink.events[0].event.weight, 10);
  EXPECT_THAT(sink.events[0].labels,
              ElementsAre(std::pair<const std::string, std::string>("bytes", "1"),
                          std::pair<const std::string, std::string>("team", "web")));
}

TEST(ClfDecoder, MappingsThatALineCannotFill) {
  struct Case {
    FieldMapping mapping;
    std::string_view error;
  };
  const Case cases[] = {
      {{"service", "app.name", "", {}}, "no named fields such as \"app.name\""},
      {{"status", "", "200", {}}, "reads \"status\" from its lines"},
      {{"weight", "", "0", {}}, "is not a valid constant for \"weight\""},
  };
  for (const Case& test : cases) {
    ErrorList errors;
    EXPECT_EQ(NewDecoder(Clf({test.mapping}), &errors), nullptr);
    ASSERT_THAT(errors.Sorted(), SizeIs(1));
    EXPECT_THAT(errors.Sorted()[0].message, HasSubstr(test.error));
  }
}

TEST(ClfDecoder, AllocatesNothing) {
  class CountingSink final : public EventSink {
   public:
    void OnEvent(const Event&) override { ++count; }
    void OnUndecodable(std::string_view, std::string_view) override { ++count; }
    int count = 0;
  };
  const std::string lines =
      R"(192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /a/42 HTTP/1.1" 200 1 "-" "a \"b\"" 1.000)"
      "\n"
      R"(192.0.2.8 - - [01/Jan/2026:00:01:00 +0000] "\x16\x03" 400 1 "-" "é")"
      "\n"
      "broken\n";
  const std::unique_ptr<Decoder> decoder = DecoderFor(Clf());
  CountingSink sink;
  decoder->Decode(lines, kNoTime, &sink);
  const long before = Allocations();
  for (int i = 0; i < 100; ++i) decoder->Decode(lines, kNoTime, &sink);
  EXPECT_EQ(Allocations() - before, 0);
  EXPECT_EQ(sink.count, 303);
}

}  // namespace
}  // namespace tocsin
