// OpenTelemetry's messages for tests, field by field as its .proto files number them.
//
//   std::string request = OtlpRequest(OtlpPair("service.name", OtlpText("shop")), {metric});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <protozero/pbf_writer.hpp>

namespace tocsin {

// 2026-01-01T00:00:00Z in nanoseconds.
inline constexpr std::uint64_t kOtlpTime = 1'767'225'600'000'000'000;

inline std::string OtlpText(std::string_view text) {  // AnyValue
  std::string bytes;
  protozero::pbf_writer(bytes).add_string(1, text.data(), text.size());
  return bytes;
}
inline std::string OtlpInteger(std::int64_t number) {
  std::string bytes;
  protozero::pbf_writer(bytes).add_int64(3, number);
  return bytes;
}
// KeyValue.
inline std::string OtlpPair(std::string_view key, const std::string& value) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_string(1, key.data(), key.size());
  writer.add_message(2, value);
  return bytes;
}
inline std::string OtlpMap(std::initializer_list<std::string> pairs) {  // AnyValue
  std::string list, bytes;
  for (const std::string& pair : pairs) protozero::pbf_writer(list).add_message(1, pair);
  protozero::pbf_writer(bytes).add_message(6, list);
  return bytes;
}
// An export request of one resource with these attributes and one scope with these logs or metrics;
// the resource stands last, as it may.
inline std::string OtlpRequest(std::initializer_list<std::string> attributes,
                               std::initializer_list<std::string> items) {
  std::string resource, scope, list, request;
  for (const std::string& pair : attributes) protozero::pbf_writer(resource).add_message(1, pair);
  for (const std::string& item : items) protozero::pbf_writer(scope).add_message(2, item);
  protozero::pbf_writer writer(list);
  writer.add_message(2, scope);
  writer.add_message(1, resource);
  protozero::pbf_writer(request).add_message(1, list);
  return request;
}

// What a metric holds: its points behind `data` of its kind, which says no more than them.
struct OtlpData {
  std::uint32_t kind;  // 5 gauge, 7 sum, 9 histogram, 10 exponential, 11 summary
  int temporality = 0;
  bool monotonic = false;
};
inline std::string OtlpMetricOf(std::string_view name, std::string_view unit, const OtlpData& kind,
                                std::initializer_list<std::string> points) {
  std::string data, metric;
  protozero::pbf_writer writer(data);
  for (const std::string& point : points) writer.add_message(1, point);
  if (kind.temporality != 0) writer.add_enum(2, kind.temporality);
  if (kind.monotonic) writer.add_bool(3, true);
  protozero::pbf_writer outer(metric);
  outer.add_message(kind.kind, data);
  outer.add_string(1, name.data(), name.size());
  outer.add_string(3, unit.data(), unit.size());
  return metric;
}

}  // namespace tocsin
