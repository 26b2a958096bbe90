#include "bench/soak_traffic.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "system/host_clock.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

constexpr int kKafkaServices = 6, kLogServices = 2, kPostServices = 2;
constexpr int kServices = kKafkaServices + kLogServices + kPostServices;
constexpr int kTurnsPerSecond = 100;
constexpr int kEventsInBody = 100;
// Longer than any fault and what it takes to get over it, so that every outage must be paged.
constexpr int kOutageSecondsMin = 240, kOutageSecondsMore = 180;
constexpr int kRotateSecondsMin = 30, kRotateSecondsMore = 60;

}  // namespace

SoakTraffic::SoakTraffic(Options options)
    : options_(std::move(options)),
      producer_(options_.brokers),
      log_(options_.logs, "web.log", /*keep=*/1'000),
      dice_{.random = std::mt19937_64(options_.seed)} {
  DrawOutages();
}

SoakTraffic::~SoakTraffic() { Stop(); }

void SoakTraffic::DrawOutages() {
  Dice dice = {.random = std::mt19937_64(options_.seed + 1)};
  std::chrono::seconds at(30 + dice.Below(60));
  while (at < options_.outages_until) {
    const std::chrono::seconds end =
        at + std::chrono::seconds(kOutageSecondsMin + dice.Below(kOutageSecondsMore));
    const int service = static_cast<int>(dice.Below(kServices));
    const double share = 0.2 + 0.8 * dice.Share();
    outages_.push_back({.begin = at, .end = end, .service = service, .share = share});
    if (dice.OneIn(3)) {  // two of one cause
      outages_.push_back({.begin = at + std::chrono::seconds(dice.Below(15)),
                          .end = end,
                          .service = (service + 1) % kServices,
                          .share = share});
    }
    at += std::chrono::seconds(60 + dice.Below(180));
  }
}

double SoakTraffic::Failing(int service) const {
  if (calm_) return 0;
  const auto now = Clock::now() - begin_;
  for (const Outage& outage : outages_) {
    if (outage.service == service && now >= outage.begin && now < outage.end) return outage.share;
  }
  return 0;
}

std::string SoakTraffic::Event(int service, Dice* dice) const {
  const bool fails = dice->Share() < Failing(service);
  return absl::StrCat(R"({"time":)", HostWall() / kMillisecondUs,
                      R"(,"type":"request","service":"service-)", service, R"(","host":"host-)",
                      dice->Below(8), R"(","endpoint":"/orders/)", dice->Below(20),
                      R"(","status":)", fails ? 503 : 200, R"(,"duration_ms":)",
                      5 + dice->Below(40), R"(,"user":"u)", dice->Below(20'000), R"("})");
}

template <typename Send>
void SoakTraffic::Paced(int events_per_second, const Send& send) {
  constexpr std::chrono::milliseconds kTurn(1'000 / kTurnsPerSecond);
  Clock::time_point due = Clock::now();
  for (std::int64_t turn = 0; !stop_; ++turn) {
    const std::int64_t before = turn * events_per_second / kTurnsPerSecond;
    const auto count = static_cast<int>((turn + 1) * events_per_second / kTurnsPerSecond - before);
    send(count);
    due = std::max(due + kTurn, Clock::now() - std::chrono::seconds(1));
    std::this_thread::sleep_until(due);
  }
}

void SoakTraffic::WriteToKafka() {
  Dice dice = {.random = std::mt19937_64(options_.seed + 2)};
  int partition = 0;
  Paced(options_.events_per_second * 8 / 10, [&](int count) {
    for (int i = 0; i < count && !stop_; ++i) {
      partition = (partition + 1) % options_.partitions;
      const int service = static_cast<int>(dice.Below(kKafkaServices));
      producer_.Send(options_.topic, partition, Event(service, &dice), 0);
      ++sent_;
    }
  });
}

void SoakTraffic::WriteToLog() {
  using Way = LogRotator::Way;
  static constexpr std::array<Way, 5> kWays = {Way::kRename, Way::kCopyTruncate,
                                               Way::kRenameAndGzip, Way::kRenameAndZstd,
                                               Way::kCompressLater};
  Dice dice = {.random = std::mt19937_64(options_.seed + 3)};
  const auto pause = [&] {
    return std::chrono::seconds(kRotateSecondsMin + dice.Below(kRotateSecondsMore));
  };
  Clock::time_point rotate_at = Clock::now() + pause();
  Paced(options_.events_per_second / 10, [&](int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const int service = kKafkaServices + static_cast<int>(dice.Below(kLogServices));
      absl::StrAppend(&lines, Event(service, &dice), "\n");
    }
    absl::MutexLock lock(&log_mutex_);
    log_.Write(lines);
    sent_ += count;
    if (Clock::now() < rotate_at) return;
    log_.Rotate(kWays[dice.Below(kWays.size())]);
    ++rotations_;
    rotate_at = Clock::now() + pause();
  });
}

bool SoakTraffic::PostOnce(const std::string& body) const {
  return PostEvents(static_cast<std::uint16_t>(options_.http_port), body) == 200;
}

void SoakTraffic::Post() {
  Dice dice = {.random = std::mt19937_64(options_.seed + 4)};
  std::string body;
  int events = 0;
  Paced(options_.events_per_second / 10, [&](int count) {
    for (int i = 0; i < count && !stop_; ++i) {
      const int service = kServices - 1 - static_cast<int>(dice.Below(kPostServices));
      absl::StrAppend(&body, Event(service, &dice), "\n");
      if (++events < kEventsInBody) continue;
      while (!stop_ && !PostOnce(body)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
      sent_ += events;
      events = 0;
      body.clear();
    }
  });
}

void SoakTraffic::Start() {
  begin_ = Clock::now();
  threads_.emplace_back([this] { WriteToKafka(); });
  threads_.emplace_back([this] { WriteToLog(); });
  threads_.emplace_back([this] { Post(); });
}

void SoakTraffic::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  producer_.Flush();
}

std::string SoakTraffic::Poison() {
  std::uint64_t what = 0, where = 0;
  {
    absl::MutexLock lock(&dice_mutex_);
    what = dice_.Below(6);
    where = dice_.Below(3);
  }
  static const std::array<std::pair<const char*, std::string>, 6> kPoison = {{
      {"no JSON", "level=warn msg=\"not JSON\""},
      {"an object that is never closed", R"({"time":1,"type":"request","service":"service-0")"},
      {"100,000 brackets", std::string(100'000, '[')},
      {"900 KB of one name", "{\"" + std::string(900'000, 'a') + "\":1}"},
      {"no UTF-8", std::string("{\"time\":\"\xff\xfe\",\"type\":\"\xc0\x80\"}")},
      {"the year 9999",
       R"({"time":"9999-12-31T23:59:59Z","type":"request","service":"service-0"})"},
  }};
  const auto& [name, bytes] = kPoison[what];
  switch (where) {
    case 0:
      producer_.Send(options_.topic, 0, bytes, 0);
      return absl::StrCat(name, " in a record of Kafka");
    case 1: {
      absl::MutexLock lock(&log_mutex_);
      log_.Write(bytes + "\n");
      return absl::StrCat(name, " in the log");
    }
    default:
      PostOnce(bytes);
      return absl::StrCat(name, " in a request");
  }
}

}  // namespace tocsin
