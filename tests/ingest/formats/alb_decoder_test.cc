#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/ingest/line_text.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

InputConfig Alb() {
  InputConfig input;
  input.format = "alb";
  return input;
}

struct LineCase {
  std::string line;
  std::string_view expected;
};

const std::string kRest =
    R"( "curl/8.5" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:1234)"
    R"(:targetgroup/shop/73e2 "Root=1-5833-23a8;Sampled=1" "shop.example" "arn:c" 0)"
    R"( 2026-01-01T11:59:59.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_12345)";

TEST(AlbDecoder, Lines) {
  const std::string head =
      "https 2026-01-01T12:00:00.186641Z app/shop/50dc 192.0.2.7:2817 10.0.0.1:80 ";
  const LineCase cases[] = {
      {head +
           R"(0.001 0.048 0.037 200 200 34 366 "GET https://shop.example:443/a/42?x=1 HTTP/1.1")" +
           kRest,
       "2026-01-01T12:00:00.186641Z request 200 86ms client_ip=192.0.2.7 endpoint=/a/:id "
       "method=GET "
       "region=us-east-2 trace_id=1-5833-23a8 user_agent=curl/8.5 bytes:366 domain:shop.example "
       "elb:app/shop/50dc target_group:shop target_status:200"},
      // No response from the target, and none from the load balancer.
      {head + R"(0.000 -1 -1 504 - 34 366 "POST https://shop.example:443/a HTTP/2.0")" + kRest,
       "2026-01-01T12:00:00.186641Z request 504 client_ip=192.0.2.7 endpoint=/a method=POST "
       "region=us-east-2 trace_id=1-5833-23a8 user_agent=curl/8.5 bytes:366 domain:shop.example "
       "elb:app/shop/50dc target_group:shop"},
      {R"(h2 2026-01-01T12:00:00Z app/shop/50dc 2001:db8::1:99 - -1 -1 -1 - - 0 0 "- http://a:80- " "-")",
       "2026-01-01T12:00:00Z request client_ip=2001:db8::1 bytes:0 elb:app/shop/50dc"},
      // A WebSocket, an old line, a reason.
      {R"(wss 2026-01-01T12:00:00Z app/shop/50dc 192.0.2.7:1 10.0.0.1:80 0.001 99.5 0.003 101 101 1 2)"
       R"( "GET https://a:443/ws HTTP/1.1" "-" - - - "-")",
       "2026-01-01T12:00:00Z request 101 client_ip=192.0.2.7 endpoint=/ws method=GET bytes:2 "
       "elb:app/shop/50dc target_status:101"},
      {R"(http 2026-01-01T12:00:00Z app/shop/50dc 192.0.2.7:1 10.0.0.1:80 0 1.5 0 502 - 1 2)"
       R"( "GET http://a:80/x HTTP/1.1" "a \"b\"" - - - "-" "-" "-" 0 - "forward" "-" "LambdaTimeout")",
       "2026-01-01T12:00:00Z request 502 1500ms client_ip=192.0.2.7 endpoint=/x method=GET "
       "user_agent=a \\\"b\\\" bytes:2 elb:app/shop/50dc error_reason:LambdaTimeout"},
      // Rejected or skipped lines.
      {"nothing of the kind", "undecodable: no time"},
      {"http 1767268800 a b c 0 0 0 200 200 1 2 \"x\" \"y\"", "undecodable: no time"},
      {head + "0.001 fast 0.000 200 200 34 366 \"x\" \"y\"",
       "undecodable: processing time is not a number of seconds"},
      {head + "0.001 -2 0.000 200 200 34 366 \"x\" \"y\"",
       "undecodable: processing time is not a number of seconds"},
      {head + "0.001 nan 0.000 200 200 34 366 \"x\" \"y\"",
       "undecodable: processing time is not a number of seconds"},
      {head + "0.001 99999999999 0 200 200 34 366 \"x\" \"y\"",
       "undecodable: processing time is out of range"},
      {head + "0.001 0.001 0.000 2000 200 34 366 \"x\" \"y\"",
       "undecodable: status is not a number"},
      {head + "0.001 0.001 0.000 200 200 34 366 GET", "undecodable: no request"},
      {head + "0.001 0.001 0.000 200 200 34 366 \"GET", "undecodable: no request"},
      {head + "0.001 0.001 0.000 200 200 34 366 \"GET / HTTP/1.1\"",
       "undecodable: fewer fields than a load balancer's line has"},
      {head + "0.001 0.001", "undecodable: fewer fields than a load balancer's line has"},
      {head + "0.001 0.001 0.000 200 200 34 366 \"GET /\xFF HTTP/1.1\" \"-\"",
       "undecodable: not valid UTF-8"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Alb(), test.line), test.expected);
  }
}

TEST(AlbDecoder, TheMappingCounts) {
  InputConfig input = Alb();
  input.map = {{"service", "", "shop", {}}, {"labels.team", "", "web", {}}};
  EXPECT_EQ(
      DecodedText(input,
                  R"(http 2026-01-01T12:00:00Z e 192.0.2.7:1 - 0 0 0 200 200 1 2 "GET / X" "-")"),
      "2026-01-01T12:00:00Z request 200 0s client_ip=192.0.2.7 endpoint=/ X method=GET "
      "service=shop bytes:2 elb:e target_status:200 team:web");
  for (int i = 0; i < 58; ++i) input.map.push_back({"labels.l" + std::to_string(i), "", "x", {}});
  ErrorList errors;
  EXPECT_EQ(NewDecoder(input, &errors), nullptr);
  EXPECT_THAT(errors.Sorted().at(0).message, HasSubstr("more labels than the 58"));
}

TEST(AlbDecoder, EveryCutOfALineIsTold) {
  const std::string line =
      "https 2026-01-01T12:00:00.186641Z app/shop/50dc 192.0.2.7:2817 - 0.001 "
      "0.048 0.037 200 200 34 366 \"GET https://a:443/a HTTP/1.1\"" +
      kRest;
  for (std::size_t size = 1; size <= line.size(); ++size) {
    const RecordingSink sink = DecodeRecord(Alb(), line.substr(0, size) + "\n" + line);
    EXPECT_EQ(sink.events.size() + sink.undecodable.size(), 2U) << size;
  }
  EXPECT_THAT(DecodeRecord(Alb(), line).events, SizeIs(1));
}

}  // namespace
}  // namespace tocsin
