// How fast OTLP's and remote write's requests become events, beside a bare protozero walk over the
// same bytes that reads the same fields and does nothing with them.
//
// `share` is the walk's time over the decoder's; the walk is measured in the same process, in turns
// with the decoder. Remote write's walk decompresses as well; `walk_share` is that of the walk
// alone.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <snappy.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "config/config.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::pbf_writer;

constexpr int kItems = 500;  // of a request
constexpr std::uint64_t kTime = 1'767'225'600'000'000'000;

std::string Pair(std::string_view key, std::string_view text) {
  std::string value, pair;
  pbf_writer(value).add_string(1, text.data(), text.size());
  pbf_writer writer(pair);
  writer.add_string(1, key.data(), key.size());
  writer.add_message(2, value);
  return pair;
}

std::string Request(const std::string& scope) {
  std::string resource, list, request;
  pbf_writer writer(resource);
  writer.add_message(1, Pair("service.name", "checkout"));
  writer.add_message(1, Pair("service.version", "1.42.0"));
  writer.add_message(1, Pair("deployment.environment.name", "prod"));
  writer.add_message(1, Pair("host.name", "ip-10-0-3-17"));
  pbf_writer outer(list);
  outer.add_message(1, resource);
  outer.add_message(2, scope);
  pbf_writer(request).add_message(1, list);
  return request;
}

std::string MetricsRequest() {
  constexpr int kPoints = 10;
  std::string scope;
  for (int i = 0; i < kItems / kPoints; ++i) {
    std::string data, metric;
    pbf_writer writer(data);
    for (int j = 0; j < kPoints; ++j) {
      std::string point;
      pbf_writer inner(point);
      inner.add_fixed64(2, kTime - 60'000'000'000);
      inner.add_fixed64(3, kTime);
      inner.add_sfixed64(6, 1'000 * i + j);
      inner.add_message(7, Pair("http.request.method", "GET"));
      inner.add_message(7, Pair("http.route", "/api/v1/orders/" + std::to_string(j)));
      inner.add_message(7, Pair("http.response.status_code", "200"));
      inner.add_message(7, Pair("server.address", "checkout.internal"));
      writer.add_message(1, point);
    }
    writer.add_enum(2, 2);
    writer.add_bool(3, true);
    pbf_writer outer(metric);
    outer.add_string(1, "http.server.requests." + std::to_string(i));
    outer.add_string(3, "{request}");
    outer.add_message(7, data);
    pbf_writer(scope).add_message(2, metric);
  }
  return Request(scope);
}

std::string LogsRequest() {
  std::string scope;
  for (int i = 0; i < kItems; ++i) {
    std::string body, log;
    pbf_writer(body).add_string(1, "connection to orders-db refused, attempt " + std::to_string(i));
    pbf_writer writer(log);
    writer.add_fixed64(1, kTime + static_cast<std::uint64_t>(i));
    writer.add_fixed64(11, kTime);
    writer.add_enum(2, 17);
    writer.add_string(3, "ERROR");
    writer.add_message(5, body);
    writer.add_message(6, Pair("exception.type", "ConnectionRefused"));
    writer.add_message(6, Pair("code.function", "OrdersRepository.find"));
    writer.add_message(6, Pair("thread.name", "worker-3"));
    writer.add_bytes(9, std::string(16, '\x5b'));
    pbf_writer(scope).add_message(2, log);
  }
  return Request(scope);
}

std::string RemoteWriteRequest() {
  std::string request, compressed;
  for (int i = 0; i < kItems; ++i) {
    std::string series, sample;
    pbf_writer writer(series);
    const auto label = [&](std::string_view name, const std::string& value) {
      std::string bytes;
      pbf_writer inner(bytes);
      inner.add_string(1, name.data(), name.size());
      inner.add_string(2, value);
      writer.add_message(1, bytes);
    };
    label("__name__", "http_requests_total");
    label("code", "200");
    label("handler", "/api/v1/orders/" + std::to_string(i));
    label("instance", "10.0.3.17:9090");
    label("job", "checkout");
    label("method", "GET");
    label("namespace", "shop");
    label("pod", "checkout-7f9c6d-" + std::to_string(i % 10));
    pbf_writer inner(sample);
    inner.add_double(1, 1'000.0 + i);
    inner.add_int64(2, static_cast<std::int64_t>(kTime / 1'000'000));
    writer.add_message(2, sample);
    pbf_writer(request).add_message(1, series);
  }
  snappy::Compress(request.data(), request.size(), &compressed);
  return compressed;
}

// The walks: every field that a decoder reads, summed so that none is left out.

std::uint64_t WalkText(pbf_reader value) {
  std::uint64_t sum = 0;
  while (value.next(1, pbf_wire_type::length_delimited)) sum += value.get_view().size();
  return sum;
}

std::uint64_t WalkPair(pbf_reader pair) {
  std::uint64_t sum = 0;
  while (pair.next()) {
    switch (pair.tag()) {
      case 1:
        sum += pair.get_view().size();
        break;
      case 2:
        sum += WalkText(pair.get_message());
        break;
      default:
        pair.skip();
    }
  }
  return sum;
}

std::uint64_t WalkPoint(pbf_reader point) {
  std::uint64_t sum = 0;
  while (point.next()) {
    switch (point.tag()) {
      case 3:
        sum += point.get_fixed64();
        break;
      case 6:
        sum += static_cast<std::uint64_t>(point.get_sfixed64());
        break;
      case 7:
        sum += WalkPair(point.get_message());
        break;
      default:
        point.skip();
    }
  }
  return sum;
}

std::uint64_t WalkMetric(pbf_reader metric) {
  std::uint64_t sum = 0;
  while (metric.next()) {
    switch (metric.tag()) {
      case 1:
      case 3:
        sum += metric.get_view().size();
        break;
      case 7: {
        pbf_reader data = metric.get_message();
        while (data.next()) {
          if (data.tag() == 1) {
            sum += WalkPoint(data.get_message());
          } else {
            sum += data.get_uint64();
          }
        }
        break;
      }
      default:
        metric.skip();
    }
  }
  return sum;
}

std::uint64_t WalkLog(pbf_reader log) {
  std::uint64_t sum = 0;
  while (log.next()) {
    switch (log.tag()) {
      case 1:
      case 11:
        sum += log.get_fixed64();
        break;
      case 2:
        sum += static_cast<std::uint64_t>(log.get_int32());
        break;
      case 3:
      case 9:
        sum += log.get_view().size();
        break;
      case 5:
        sum += WalkText(log.get_message());
        break;
      case 6:
        sum += WalkPair(log.get_message());
        break;
      default:
        log.skip();
    }
  }
  return sum;
}

template <typename WalkItem>
std::uint64_t WalkRequest(std::string_view bytes, WalkItem walk_item) {
  std::uint64_t sum = 0;
  pbf_reader request(bytes.data(), bytes.size());
  while (request.next(1)) {
    pbf_reader list = request.get_message();
    while (list.next()) {
      const bool is_resource = list.tag() == 1;
      pbf_reader part = list.get_message();
      while (part.next(is_resource ? 1 : 2)) {
        sum += is_resource ? WalkPair(part.get_message()) : walk_item(part.get_message());
      }
    }
  }
  return sum;
}

std::uint64_t WalkWriteRequest(std::string_view bytes) {
  std::uint64_t sum = 0;
  pbf_reader request(bytes.data(), bytes.size());
  while (request.next(1)) {
    pbf_reader series = request.get_message();
    while (series.next()) {
      const bool is_label = series.tag() == 1;
      pbf_reader part = series.get_message();
      while (part.next()) {
        if (is_label) {
          sum += part.get_view().size();
        } else if (part.tag() == 1) {
          sum += static_cast<std::uint64_t>(part.get_double());
        } else {
          sum += static_cast<std::uint64_t>(part.get_int64());
        }
      }
    }
  }
  return sum;
}

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    ++events;
    sum += static_cast<std::uint64_t>(event.time) + event.labels.size();
  }
  void OnUndecodable(std::string_view, std::string_view) override { ++undecodable; }
  std::int64_t events = 0;
  std::int64_t undecodable = 0;
  std::uint64_t sum = 0;
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The least of many runs: what the code needs when nothing else takes the processor.
template <typename Work>
double BestSeconds(Work work) {
  double best = 1;
  for (int run = 0; run < 200; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, SecondsSince(start));
  }
  return best;
}

template <typename Walk>
void Run(benchmark::State& state, const InputConfig& input, const std::string& record,
         std::size_t bytes, Walk walk) {
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  CountingSink sink;
  const auto decode = [&] { decoder->Decode(record, kNoTime, &sink); };
  for (auto _ : state) decode();
  if (sink.undecodable > 0 || sink.events == 0) state.SkipWithError("a request was undecodable");
  const double walked = BestSeconds([&] { benchmark::DoNotOptimize(walk()); });
  const double decoded = BestSeconds(decode);
  const auto iterations = static_cast<std::int64_t>(state.iterations());
  state.SetItemsProcessed(kItems * iterations);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * iterations);
  state.counters["ns/event"] = decoded * 1e9 / kItems;
  state.counters["walk_ns"] = walked * 1e9 / kItems;
  state.counters["share"] = walked / decoded;
  benchmark::DoNotOptimize(sink.sum);
}

InputConfig InputOf(const char* format, const char* signal = "") {
  InputConfig input;
  input.format = format;
  input.signal = signal;
  return input;
}

void BM_OtlpMetrics(benchmark::State& state) {
  const std::string record = MetricsRequest();
  Run(state, InputOf("otlp-proto", "metrics"), record, record.size(),
      [&] { return WalkRequest(record, WalkMetric); });
}
BENCHMARK(BM_OtlpMetrics);

void BM_OtlpLogs(benchmark::State& state) {
  const std::string record = LogsRequest();
  Run(state, InputOf("otlp-proto", "logs"), record, record.size(),
      [&] { return WalkRequest(record, WalkLog); });
}
BENCHMARK(BM_OtlpLogs);

void BM_PrometheusRemoteWrite(benchmark::State& state) {
  const std::string record = RemoteWriteRequest();
  std::string request;
  snappy::Uncompress(record.data(), record.size(), &request);
  std::string unpacked(request.size(), '\0');
  Run(state, InputOf("prometheus-remote-write"), record, request.size(), [&] {
    snappy::RawUncompress(record.data(), record.size(), unpacked.data());
    return WalkWriteRequest(unpacked);
  });
  const double walk = BestSeconds([&] { benchmark::DoNotOptimize(WalkWriteRequest(request)); });
  state.counters["walk_share"] = walk * 1e9 / kItems / state.counters["ns/event"];
}
BENCHMARK(BM_PrometheusRemoteWrite);

}  // namespace
}  // namespace tocsin

BENCHMARK_MAIN();
