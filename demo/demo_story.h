// The story that `tocsin demo` tells: a deploy leaks database connections until the pool is empty.
//
//   DemoStory story;
//   StoryRecord record;
//   while (story.Next(&record)) Produce(record.topic, record.partition, record.time, record.json);
//
// Three services of a payments team, 15,000 users, about 80 requests a second from 20:45 to 21:31
// on 2026-03-10 (UTC), some 260,000 records in order of time. `api` v1.2.0 goes out at 21:00 and
// keeps connections; at 21:05 all 100 are taken, from 21:04:30 on requests of the services that
// need the database time out; the release is rolled back until 21:20 and all is well at 21:22. A
// pure function of the seed: the same bytes everywhere. Every partition has a record every few
// seconds, because on an accelerated stream a silent partition would hold the clock. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/time.h"

namespace tocsin {

namespace story {

inline constexpr TimeUs kDay = 1'773'100'800 * kSecondUs;  // 2026-03-10T00:00:00Z
constexpr TimeUs At(int hour, int minute, int second = 0) {
  return kDay + hour * kHourUs + minute * kMinuteUs + second * kSecondUs;
}

inline constexpr TimeUs kStart = At(20, 45);
inline constexpr TimeUs kDeploy = At(21, 0);
inline constexpr TimeUs kFirstFailure = At(21, 4, 30);
inline constexpr TimeUs kPoolFull = At(21, 5);
inline constexpr TimeUs kRollbackStart = At(21, 15);
inline constexpr TimeUs kRollbackEnd = At(21, 20);
inline constexpr TimeUs kLastFailure = At(21, 21, 50);
// Long enough to watch the recovery, resolve, and let quiet traffic carry the clock past that.
inline constexpr TimeUs kEnd = At(21, 31);

inline constexpr int kUsers = 15'000;
inline constexpr int kPoolLimit = 100;
inline constexpr std::string_view kService = "api";
inline constexpr std::string_view kVersion = "v1.2.0";
inline constexpr std::string_view kVersionBefore = "v1.1.9";
inline constexpr std::string_view kDatabase = "rupaya-db";

// Connections in use, without the noise.
double PoolInUse(TimeUs time);
// The share of requests that time out on the services that need the database, beyond the usual few.
double FailureShare(TimeUs time);

}  // namespace story

enum class StoryTopic : std::uint8_t { kRequests, kPlatform };
inline constexpr int kStoryPartitions = 4;  // of each topic
std::string_view StoryTopicName(StoryTopic topic);

struct StoryRecord {
  TimeUs time = 0;
  StoryTopic topic = StoryTopic::kRequests;
  int partition = 0;
  std::string json = {};  // a canonical event
  // What the terminal shows of it.
  EventType type = EventType::kUnknown;
  bool failed = false;
  double duration_ms = -1;  // −1: none
  double connections = -1;  // of a sample of the pool; −1: not one
  std::string note = {};    // what a deploy does, in words
};

class DemoStory {
 public:
  static constexpr std::uint64_t kSeed = 21;

  explicit DemoStory(std::uint64_t seed = kSeed) : random_(seed) {}

  // False at the end of the story.
  bool Next(StoryRecord* out);

 private:
  // One second at a time: its records are made, then sorted.
  void MakeSecond();
  void Requests();
  void Request(int service);
  void Queries();
  void Transactions();
  void Logs();
  void Connections();
  void Metrics();
  void Metric(int partition, std::string_view name, std::string_view label,
              std::string_view subject, double value, double limit);
  void Deploys();
  void Deploy(std::string_view service, std::string_view version, std::string_view name);

  std::uint64_t Random();
  double Uniform();  // [0, 1)
  int Below(int n) { return static_cast<int>(Random() % static_cast<std::uint64_t>(n)); }
  bool Chance(double probability) { return Uniform() < probability; }
  int Times(double rate);  // how often in this second (Poisson)
  TimeUs Moment() { return now_ + Below(1'000) * kMillisecondUs; }  // in this second
  double Latency(double median_ms);
  int NextUser();
  void Put(StoryTopic topic, int partition, StoryRecord record);

  std::uint64_t random_;
  TimeUs now_ = story::kStart;  // start of the second that is made
  std::int64_t turns_ = 0;      // of the users
  std::vector<StoryRecord> second_;
  std::size_t next_ = 0;  // of second_
};

}  // namespace tocsin
