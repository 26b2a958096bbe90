#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/ingest/line_text.h"

namespace tocsin {
namespace {

using ::testing::SizeIs;

InputConfig Pgbouncer() {
  InputConfig input;
  input.format = "pgbouncer";
  return input;
}

struct LineCase {
  std::string_view line;
  std::string_view expected;
};

TEST(PgbouncerDecoder, WhatAMessageSays) {
  const LineCase cases[] = {
      {"LOG C-0x55d5: shop/ann@192.0.2.7:54321 login attempt: db=shop user=ann tls=no",
       "connection open client_ip=192.0.2.7 dependency=shop level=info message=login attempt: "
       "db=shop "
       "user=ann tls=no user=ann side:client"},
      {"LOG C-0x55d5: shop/ann@[2001:db8::1]:5 closing because: client close request (age=12s)",
       "connection close client_ip=2001:db8::1 dependency=shop level=info message=closing because: "
       "client close request (age=12s) user=ann side:client"},
      {"LOG C-0x55d5: shop/ann@unix(17):6432 closing because: client unexpected eof (age=0s)",
       "connection close dependency=shop level=info message=closing because: client unexpected eof "
       "(age=0s) user=ann side:client"},
      {"LOG S-0x55d5: shop/ann@10.0.0.5:5432 new connection to server (from 10.0.0.2:4)",
       "connection open dependency=shop level=info message=new connection to server (from "
       "10.0.0.2:4) "
       "user=ann side:server"},
      {"LOG S-0x55d5: shop/ann@10.0.0.5:5432 closing because: server lifetime over (age=3600s)",
       "connection close dependency=shop level=info message=closing because: server lifetime over "
       "(age=3600s) user=ann side:server"},
      {"WARNING C-0x1: (nodb)/(nouser)@192.0.2.7:5 pooler error: no more connections allowed "
       "(max_client_conn)",
       "connection reject client_ip=192.0.2.7 dependency=pgbouncer level=warning message=pooler "
       "error: "
       "no more connections allowed (max_client_conn) side:client"},
      {"WARNING C-0x1: shop/ann@192.0.2.7:5 pooler error: password authentication failed",
       "auth failure client_ip=192.0.2.7 dependency=shop level=warning message=pooler error: "
       "password "
       "authentication failed user=ann side:client"},
      {"WARNING C-0x1: (nodb)/eve@192.0.2.7:5 pooler error: no such user: eve",
       "auth failure client_ip=192.0.2.7 dependency=pgbouncer level=warning message=pooler error: "
       "no "
       "such user: eve user=eve side:client"},
      {"WARNING C-0x1: shop/ann@192.0.2.7:5 pooler error: query_wait_timeout",
       "log client_ip=192.0.2.7 dependency=shop level=warning message=pooler error: "
       "query_wait_timeout "
       "user=ann side:client"},
      {"ERROR S: login failed: FATAL: sorry, too many clients already",
       "log dependency=pgbouncer level=error message=S: login failed: FATAL: sorry, too many "
       "clients already"},
      {"FATAL unix socket is in use, cannot continue",
       "log dependency=pgbouncer level=fatal message=unix socket is in use, cannot continue"},
      {"NOISE new fd from accept=9",
       "log dependency=pgbouncer level=debug message=new fd from accept=9"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    const std::string expected = "2026-01-01T12:00:00.123Z " + std::string(test.expected);
    const std::string line(test.line);
    EXPECT_EQ(DecodedText(Pgbouncer(), "2026-01-01 12:00:00.123 UTC [17] " + line), expected);
    EXPECT_EQ(DecodedText(Pgbouncer(), "2026-01-01 12:00:00.123 17 " + line), expected);
  }
}

TEST(PgbouncerDecoder, Figures) {
  const RecordingSink sink = DecodeRecord(Pgbouncer(),
                                          "2026-01-01 12:00:00 UTC [17] LOG stats: 12 xacts/s, 15 "
                                          "queries/s, 0 client parses/s, in 99 B/s, "
                                          "out 100 B/s, xact 1234 us, query 567 us, wait 89 us\n"
                                          "2026-01-01 12:00:01 UTC [17] LOG next");
  ASSERT_THAT(sink.events, SizeIs(8));
  EXPECT_EQ(EventText(sink.events[0]),
            "2026-01-01T12:00:00Z metric value=12.000000 dependency=pgbouncer "
            "name=pgbouncer_transactions "
            "unit=1/s");
  EXPECT_EQ(
      EventText(sink.events[2]),
      "2026-01-01T12:00:00Z metric value=99.000000 dependency=pgbouncer name=pgbouncer_bytes_in "
      "unit=B/s");
  EXPECT_EQ(
      EventText(sink.events[6]),
      "2026-01-01T12:00:00Z metric value=89.000000 dependency=pgbouncer name=pgbouncer_wait_time "
      "unit=us");
  EXPECT_EQ(EventText(sink.events[7]),
            "2026-01-01T12:00:01Z log dependency=pgbouncer level=info message=next");
}

TEST(PgbouncerDecoder, LinesThatAreNone) {
  const LineCase cases[] = {
      {"nothing of the kind", "undecodable: no time"},
      {"2026-01-01 12:00:00 UTC [17] HUH x", "undecodable: no level"},
      {"2026-01-01 12:00:00 UTC", "undecodable: no level"},
      {"2026-01-01 12:00:00 IST [17] LOG x",
       "undecodable: timestamp in an unknown time zone: set time_zone"},
      {"2026-01-01 12:00:00 UTC [17] LOG stats: none", "undecodable: stats without figures"},
      {"2026-01-01 12:00:00 UTC [17] LOG stats: in many B/s",
       "undecodable: stats figure is not a number"},
      {"2026-01-01 12:00:00 UTC [17] LOG \xFF", "undecodable: not valid UTF-8"},
      {"\tmore", "skipped: the rest of a message"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Pgbouncer(), test.line), test.expected);
  }
}

TEST(PgbouncerDecoder, TheMappingAndTheZoneCount) {
  InputConfig input = Pgbouncer();
  input.time_zone = 330 * kMinuteUs;
  input.map = {{"service", "", "shop", {}}, {"dependency", "", "orders-db", {}}};
  EXPECT_EQ(
      DecodedText(input, "2026-01-01 12:00:00 IST [17] WARNING C-0x1: a/b@192.0.2.7:5 x"),
      "2026-01-01T06:30:00Z log client_ip=192.0.2.7 dependency=orders-db level=warning message=x "
      "service=shop user=b side:client");
}

TEST(PgbouncerDecoder, EveryCutOfALineIsTold) {
  const std::string_view line =
      "2026-01-01 12:00:00.123 UTC [17] LOG C-0x55d5: shop/ann@[::1]:54321 login attempt: db=shop";
  for (std::size_t size = 1; size <= line.size(); ++size) {
    const RecordingSink sink = DecodeRecord(Pgbouncer(), line.substr(0, size));
    EXPECT_EQ(sink.events.size() + sink.undecodable.size(), 1U) << size;
  }
}

}  // namespace
}  // namespace tocsin
