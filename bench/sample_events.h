// The events that the benchmarks read: web requests of 287 bytes, a few services and endpoints,
// many users and addresses, 0.2 % failures.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace tocsin {

inline constexpr std::size_t kSampleEventBytes = 287;

// Event number `i` at `time_ms`; the same for the same arguments, exactly kSampleEventBytes long.
inline std::string SampleEvent(std::uint64_t i, std::int64_t time_ms) {
  static constexpr const char* kServices[] = {"checkout", "search", "accounts", "catalog"};
  std::uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u;
  h ^= h >> 29;
  char text[512];
  std::snprintf(
      text, sizeof text,
      R"({"time":%lld,"type":"request","env":"prod","service":"%s","host":"ip-10-0-3-%d",)"
      R"("endpoint":"/api/v1/r%d/:id","method":"GET","status":%d,"duration_ms":%d.%d,)"
      R"("client_ip":"203.0.%d.%d","user":"u-%d","user_agent":"MobileApp/3.2.1","trace_id":"%016llx")",
      static_cast<long long>(time_ms), kServices[h % 4], static_cast<int>(h % 50),
      static_cast<int>(h / 4 % 20), h % 500 == 0 ? 503 : 200, static_cast<int>(5 + h % 90),
      static_cast<int>(h % 10), static_cast<int>(h / 7 % 256), static_cast<int>(h / 11 % 256),
      static_cast<int>(h / 13 % 100'000), static_cast<unsigned long long>(h));
  std::string event(text);
  // Padded by a field that nobody reads, so that every event has the same size.
  const std::size_t filled = event.size() + sizeof(R"(,"x":""})") - 1;
  event += R"(,"x":")" + std::string(kSampleEventBytes - filled, 'x') + R"("})";
  return event;
}

}  // namespace tocsin
