// How fast records become events, beside what a bare loop over the same bytes costs: for JSON a
// simdjson loop that reads the same fields, for access logs a search for the line feeds.
//
// `share` is the bare loop's time over the decoder's, of the best of 400 turns of each in the same
// process; of several events a record, the bare loop has them one by one.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "config/config.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

constexpr int kRecords = 1'000;

std::string MakeEvent(int i) {
  return R"({"time":)" + std::to_string(1767225600123 + i) +
         R"(,"type":"request","env":"prod","service":"checkout","host":"ip-10-0-3-17",)"
         R"("endpoint":"/api/v1/orders/:id","method":"GET","status":200,"duration_ms":12.34,)"
         R"("client_ip":"203.0.113.7","user":"u-)" +
         std::to_string(100'000 + i) +
         R"(","user_agent":"MobileApp/3.2.1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"})";
}

std::string MakeNestedEvent(int i) {
  return R"({"@timestamp":"2026-01-01T00:00:00.123Z","event":{"kind":"event","duration":12340000},)"
         R"("service":{"name":"checkout"},"host":{"name":"ip-10-0-3-17"},"http":{"request":)"
         R"({"method":"GET"},"response":{"status_code":200}},"url":{"path":"/api/v1/orders/)" +
         std::to_string(i) + R"("},"client":{"address":"203.0.113.7"},"user":{"id":"u-)" +
         std::to_string(100'000 + i) + R"("},"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"}})";
}

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    ++events;
    sum += event.time + event.status + event.duration +
           static_cast<int>(event.Get(Field::kUser).size());
  }
  void OnUndecodable(std::string_view, std::string_view) override { ++undecodable; }
  std::int64_t events = 0;
  std::int64_t undecodable = 0;
  std::int64_t sum = 0;
};

// The least that reading a record's fields costs: one pass by simdjson over all of them, texts
// unescaped, no key looked at but those that say what a number is.
std::int64_t BareRead(simdjson::ondemand::object object) {
  std::int64_t sum = 0;
  for (auto result : object) {
    simdjson::ondemand::field field;
    if (std::move(result).get(field) != simdjson::SUCCESS) std::abort();
    simdjson::ondemand::json_type type;
    if (field.value().type().get(type) != simdjson::SUCCESS) std::abort();
    std::string_view text;
    std::int64_t integer = 0;
    double number = 0;
    simdjson::ondemand::object inner;
    if (type == simdjson::ondemand::json_type::string) {
      if (field.value().get_string().get(text) == simdjson::SUCCESS) {
        sum += static_cast<std::int64_t>(text.size());
      }
    } else if (type == simdjson::ondemand::json_type::object) {
      if (field.value().get_object().get(inner) == simdjson::SUCCESS) sum += BareRead(inner);
    } else if (field.key() == "duration_ms") {
      if (field.value().get_double().get(number) == simdjson::SUCCESS) {
        sum += static_cast<std::int64_t>(number);
      }
    } else if (field.value().get_int64().get(integer) == simdjson::SUCCESS) {
      sum += integer;
    }
  }
  return sum;
}

// Of records that are an event each.
std::int64_t BareLoop(const std::vector<std::string>& records) {
  static simdjson::ondemand::parser parser;
  static std::vector<char> buffer(64 << 10);
  std::int64_t sum = 0;
  for (const std::string& record : records) {
    std::memcpy(buffer.data(), record.data(), record.size());
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser.iterate(buffer.data(), record.size(), buffer.size()).get(document) !=
            simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
      std::abort();
    }
    sum += BareRead(object);
  }
  return sum;
}

void Report(benchmark::State& state, const std::vector<std::string>& records, std::int64_t events,
            double seconds) {
  std::size_t bytes = 0;
  for (const std::string& record : records) bytes += record.size();
  state.SetItemsProcessed(events);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) *
                          static_cast<std::int64_t>(state.iterations()));
  state.counters["ns/event"] = seconds * 1e9 / static_cast<double>(events);
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The best of many turns of each, so that what else the machine does hits both.
struct Turns {
  double bare = 1;  // seconds
  double decoded = 1;

  template <typename Bare, typename Decode>
  Turns(Bare bare_loop, Decode decode) {
    for (int run = 0; run < 400; ++run) {
      auto start = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(bare_loop());
      bare = std::min(bare, SecondsSince(start));
      start = std::chrono::steady_clock::now();
      decode();
      decoded = std::min(decoded, SecondsSince(start));
    }
  }
};

// `bare_records` are the same events, each by itself.
void Run(benchmark::State& state, const std::vector<std::string>& records,
         const std::vector<std::string>& bare_records, const char* format = "json") {
  InputConfig input;
  input.format = format;
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  CountingSink sink;
  const auto decode = [&] {
    for (const std::string& record : records) decoder->Decode(record, kNoTime, &sink);
  };
  const Turns turns([&] { return BareLoop(bare_records); }, decode);
  sink.events = 0;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) decode();
  const double seconds = SecondsSince(start);
  if (sink.undecodable > 0) state.SkipWithError("an event was undecodable");
  Report(state, records, sink.events, seconds);
  state.counters["share"] = turns.bare / turns.decoded;
  state.counters["best_ns/event"] = turns.decoded * 1e9 / kRecords;
  benchmark::DoNotOptimize(sink.sum);
}

std::vector<std::string> FlatEvents() {
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) records.push_back(MakeEvent(i));
  return records;
}

void BM_BareSimdjson(benchmark::State& state) {
  const std::vector<std::string> records = FlatEvents();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(BareLoop(records));
  const double seconds = SecondsSince(start);
  Report(state, records, static_cast<std::int64_t>(state.iterations()) * kRecords, seconds);
}
BENCHMARK(BM_BareSimdjson);

void BM_OneEventPerRecord(benchmark::State& state) { Run(state, FlatEvents(), FlatEvents()); }
BENCHMARK(BM_OneEventPerRecord);

void BM_EcsNested(benchmark::State& state) {
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) records.push_back(MakeNestedEvent(i));
  Run(state, records, records);
}
BENCHMARK(BM_EcsNested);

void BM_PinoHttp(benchmark::State& state) {
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) {
    records.push_back(
        R"({"level":30,"time":)" + std::to_string(1767225600123 + i) +
        R"(,"pid":17,"hostname":"ip-10-0-3-17","req":{"id":7,"method":"GET","url":"/api/v1/orders",)"
        R"("remoteAddress":"203.0.113.7","remotePort":51234},"res":{"statusCode":200},"responseTime":)" +
        std::to_string(i % 40) + R"(,"msg":"request completed"})");
  }
  Run(state, records, records, "pino");
}
BENCHMARK(BM_PinoHttp);

void BM_NginxJson(benchmark::State& state) {
  std::vector<std::string> records;
  for (int i = 0; i < kRecords; ++i) {
    records.push_back(
        R"({"time_iso8601":"2026-05-17T10:05:03+00:00","remote_addr":"203.0.113.7","remote_user":"",)"
        R"("request":"GET /api/v1/orders HTTP/1.1","status":"200","body_bytes_sent":")" +
        std::to_string(200 + i) + R"(","request_time":"0.0)" + std::to_string(10 + i % 90) +
        R"(","http_referer":"","http_user_agent":"MobileApp/3.2.1","host":"shop.example"})");
  }
  Run(state, records, records, "nginx-json");
}
BENCHMARK(BM_NginxJson);

// `range(0)` events a record, joined by `separator`.
std::vector<std::string> Joined(benchmark::State& state, std::string_view open,
                                std::string_view separator, std::string_view close) {
  std::vector<std::string> records;
  const int batch = static_cast<int>(state.range(0));
  for (int i = 0; i < kRecords; i += batch) {
    std::string record(open);
    for (int j = 0; j < batch; ++j) {
      if (j > 0) record += separator;
      record += MakeEvent(i + j);
    }
    record += close;
    records.push_back(std::move(record));
  }
  return records;
}

void BM_Lines(benchmark::State& state) { Run(state, Joined(state, "", "\n", "\n"), FlatEvents()); }
BENCHMARK(BM_Lines)->Arg(100);

void BM_Array(benchmark::State& state) { Run(state, Joined(state, "[", ",", "]"), FlatEvents()); }
BENCHMARK(BM_Array)->Arg(100);

// A thousand lines as one record, with what real ones vary in: paths, ids, query strings, referers,
// agents.
std::string AccessLog() {
  constexpr std::string_view kPaths[] = {"/presentations/2013/images/dashboard-overview.png",
                                         "/favicon.ico",
                                         "/api/v1/orders/4711/items?page=2&sort=price",
                                         "/blog/tags/performance",
                                         "/style2.css",
                                         "/articles/dynamic-dns-with-dhcp/",
                                         "/images/web/2009/banner.png"};
  constexpr std::string_view kAgents[] = {
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) "
      "Chrome/32.0.1700.77 Safari/537.36",
      "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0",
      "Mozilla/5.0 (compatible; Bot/2.1; +http://bot.example/bot.html)"};
  constexpr std::string_view kReferers[] = {"-", "https://www.example.com/presentations/2013/",
                                            "https://www.example.com/articles/a/"};
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    const std::string seconds = std::to_string(100 + i * 60 / kRecords).substr(1);
    log += "203.0.113." + std::to_string(i % 250) + " - - [17/May/2026:10:05:" + seconds +
           " +0000] \"GET " + std::string(kPaths[i % std::size(kPaths)]) + " HTTP/1.1\" 200 " +
           std::to_string(200 + 37 * i) + " \"" + std::string(kReferers[i % std::size(kReferers)]) +
           "\" \"" + std::string(kAgents[i % std::size(kAgents)]) + "\"\n";
  }
  return log;
}

std::int64_t CountLines(const std::string& log) {
  std::int64_t lines = 0;
  const char* at = log.data();
  const char* const end = at + log.size();
  while ((at = static_cast<const char*>(
              std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) != nullptr) {
    ++lines;
    ++at;
  }
  return lines;
}

void RunText(benchmark::State& state, const char* format, const std::string& log,
             const char* pattern = "") {
  InputConfig input;
  input.format = format;
  input.pattern = pattern;
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  CountingSink sink;
  const Turns turns([&] { return CountLines(log); }, [&] { decoder->Decode(log, kNoTime, &sink); });
  sink.events = 0;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) decoder->Decode(log, kNoTime, &sink);
  const double seconds = SecondsSince(start);
  if (sink.undecodable > 0) state.SkipWithError("a line was undecodable");
  Report(state, {log}, sink.events, seconds);
  state.counters["share"] = turns.bare / turns.decoded;
  state.counters["best_ns/event"] = turns.decoded * 1e9 / kRecords;
  benchmark::DoNotOptimize(sink.sum);
}

void BM_BareMemchr(benchmark::State& state) {
  const std::string log = AccessLog();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(CountLines(log));
  Report(state, {log}, static_cast<std::int64_t>(state.iterations()) * kRecords,
         SecondsSince(start));
}
BENCHMARK(BM_BareMemchr);

void BM_Clf(benchmark::State& state) { RunText(state, "clf", AccessLog()); }
BENCHMARK(BM_Clf);

// What a service writes about its requests.
std::string LogfmtLog() {
  constexpr std::string_view kPaths[] = {"/api/v1/orders", "/api/v1/orders/4711/items", "/health",
                                         "/api/v1/customers/0b7c1e52f3a94d68/addresses"};
  constexpr std::string_view kAgents[] = {"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0",
                                          "MobileApp/3.2.1 (Android 14)", "curl/8.5.0"};
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    log += "ts=2026-05-17T10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) + "." +
           std::to_string(100 + i % 900) +
           "Z level=info msg=\"request completed\" service=checkout " +
           "method=GET path=" + std::string(kPaths[i % std::size(kPaths)]) +
           " status=200 duration=" + std::to_string(i % 40) + "." + std::to_string(100 + i % 900) +
           "ms remote_addr=203.0.113." + std::to_string(i % 250) + " user=u-" +
           std::to_string(100'000 + i) + " user_agent=\"" +
           std::string(kAgents[i % std::size(kAgents)]) + "\" caller=http/server.go:214\n";
  }
  return log;
}

void BM_Logfmt(benchmark::State& state) { RunText(state, "logfmt", LogfmtLog()); }
BENCHMARK(BM_Logfmt);

// Between them what else such a service writes: of four lines two are requests, one in 32 is like
// no other.
void BM_LogfmtMixed(benchmark::State& state) {
  const std::string requests = LogfmtLog();
  std::string log;
  std::size_t at = 0;
  for (std::size_t i = 0; i < kRecords; ++i) {
    const std::size_t end = requests.find('\n', at) + 1;
    const std::string request = requests.substr(at, end - at);
    const std::string time = request.substr(0, request.find(' '));
    at = end;
    const std::string number = std::to_string(1'000 + 7 * i);
    if (i % 32 == 31) {
      log += time + " level=warn msg=\"slow consumer\" lag_" + number + "=" + number + "\n";
    } else if (i % 4 == 1) {
      log += time + " level=debug msg=\"cache miss\" service=checkout key=cart:" + number +
             " caller=cache/cache.go:88\n";
    } else if (i % 4 == 3) {
      log += time + " level=info msg=\"query done\" service=checkout db=orders rows=" + number +
             " took=" + std::to_string(i % 9) + ".25ms caller=db/pool.go:131\n";
    } else {
      log += request;
    }
  }
  RunText(state, "logfmt", log);
}
BENCHMARK(BM_LogfmtMixed);

void BM_Alb(benchmark::State& state) {
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    log +=
        "https 2026-05-17T10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) +
        ".186641Z app/shop/50dc6c495c0c9188 203.0.113." + std::to_string(i % 250) +
        ":2817 10.0.0.1:80 0.001 0.0" + std::to_string(10 + i % 90) + " 0.000 200 200 34 " +
        std::to_string(200 + 37 * i) + " \"GET https://shop.example:443/api/v1/orders HTTP/1.1\" " +
        "\"MobileApp/3.2.1\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:" +
        "us-east-2:123456789012:targetgroup/shop/73e2d6bc24d8a067 " +
        "\"Root=1-58337364-23a8c76965a2ef7629b185e3\" \"shop.example\" \"-\" 0 " +
        "2026-05-17T10:05:00.364000Z \"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\"\n";
  }
  RunText(state, "alb", log);
}
BENCHMARK(BM_Alb);

void BM_Syslog(benchmark::State& state) {
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    log += "<13>1 2026-05-17T10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) +
           ".123Z web-1 shop " + std::to_string(1'000 + i) +
           " ID9 [req@32473 tier=\"gold\" zone=\"a\"] order " + std::to_string(100'000 + i) +
           " was accepted and handed to the warehouse\n";
  }
  RunText(state, "syslog", log);
}
BENCHMARK(BM_Syslog);

void BM_Pgbouncer(benchmark::State& state) {
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    log += "2026-05-17 10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) + "." +
           std::to_string(100 + i % 900) + " UTC [17] LOG C-0x55d5c5a7c3b0: shop/api@203.0.113." +
           std::to_string(i % 250) + ":54321 " +
           (i % 2 == 0 ? "login attempt: db=shop user=api tls=no\n"
                       : "closing because: client close request (age=12s)\n");
  }
  RunText(state, "pgbouncer", log);
}
BENCHMARK(BM_Pgbouncer);

void BM_Regex(benchmark::State& state) {
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    log += "2026-05-17 10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) + "," +
           std::to_string(100 + i % 900) + " INFO [main] order " + std::to_string(100'000 + i) +
           " was accepted and handed to the warehouse\n";
  }
  RunText(state, "regex", log,
          R"(^(?P<time>\S+ \S+) (?P<level>[A-Z]+) \[(?P<app>[^\]]+)\] (?P<message>.*)$)");
}
BENCHMARK(BM_Regex);

// What a busy server writes with log_min_duration_statement: a statement a line.
std::string PostgresLog(std::string_view before, std::string_view after) {
  std::string log;
  for (std::size_t i = 0; i < kRecords; ++i) {
    const std::string milliseconds = std::to_string(100 + i % 900);
    log += "2026-05-17 10:05:" + std::to_string(100 + i * 60 / kRecords).substr(1) + "." +
           milliseconds + std::string(before) + "duration: " + std::to_string(i % 40) + "." +
           milliseconds + " ms  statement: SELECT o.id, o.total FROM orders o WHERE o.customer = " +
           std::to_string(100'000 + i) + " ORDER BY o.created DESC LIMIT 20" + std::string(after) +
           "\n";
  }
  return log;
}

void BM_PostgresPlain(benchmark::State& state) {
  RunText(state, "postgres", PostgresLog(" UTC [4711] shop@orders LOG:  ", ""));
}
BENCHMARK(BM_PostgresPlain);

void BM_PostgresCsv(benchmark::State& state) {
  RunText(state, "postgres",
          PostgresLog(" UTC,\"shop\",\"orders\",4711,\"192.0.2.7:54321\",6a0b.1267,3,\"SELECT\","
                      "2026-05-17 10:00:00 UTC,3/4,0,LOG,00000,\"",
                      "\",,,,,,,,,\"api\",\"client backend\",,0"));
}
BENCHMARK(BM_PostgresCsv);

}  // namespace
}  // namespace tocsin
