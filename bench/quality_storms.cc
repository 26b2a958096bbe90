#include "bench/quality_storms.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "bench/quality_run.h"

namespace tocsin {
namespace {

constexpr DurationUs kQuiet = 2 * kDayUs;
constexpr DurationUs kStormMax = 20 * kMinuteUs;
constexpr double kPanesPerMinute = static_cast<double>(kMinuteUs) / kQualityPane;
// The runbook's storm has 1,000 in five minutes; ours are clearly above.
constexpr double kStormPerMinuteMin = 400;

constexpr std::array<std::pair<const char*, double>, 6> kAgents = {{{"Chrome/121", 0.4},
                                                                    {"MobileApp/2.0.0", 0.25},
                                                                    {"Safari/17", 0.15},
                                                                    {"MobileApp/1.0.0", 0.1},
                                                                    {"Firefox/122", 0.06},
                                                                    {"Desktop/5", 0.04}}};
constexpr std::size_t kLoopingAgent = 3;

// A client keeps its agent.
std::size_t AgentOf(std::int64_t client) {
  Rng rng(StreamSeed(17, {static_cast<std::uint64_t>(client)}));
  double left = rng.Uniform();
  std::size_t agent = 0;
  while (agent + 1 < kAgents.size() && left >= kAgents[agent].second) {
    left -= kAgents[agent++].second;
  }
  return agent;
}

struct Connections {
  std::int64_t clients;  // known ones
  double per_pane;

  static void Add(std::int64_t address, const char* agent, PaneFill* fill) {
    Event event;
    event.type = EventType::kConnection;
    event.action = ConnectionAction::kOpen;
    const std::string text = "10." + std::to_string(address);
    event.Set(Field::kClientIp, text);
    event.Set(Field::kUserAgent, agent);
    event.Normalize();
    fill->Add(event);
  }
  void Client(std::int64_t client, PaneFill* fill) const {
    Add(client, kAgents[AgentOf(client)].first, fill);
  }
  void Usual(Rng* rng, PaneFill* fill) const {
    const std::int64_t count = rng->NegativeBinomial(per_pane, 1.5);
    for (std::int64_t i = 0; i < count; ++i) {
      // Every tenth is somebody who was not here for long.
      Client(rng->Chance(0.9) ? rng->Below(clients) : clients + rng->Below(50 * clients), fill);
    }
  }
};

// One storm: what comes beyond the usual.
class Storm {
 public:
  Storm(std::size_t kind, const Connections& usual, Rng* rng)
      : kind_(kind),
        usual_(usual),
        per_pane_(
            std::max(rng->Between(5, 15) * usual.per_pane, kStormPerMinuteMin / kPanesPerMinute) -
            usual.per_pane),
        addresses_(kind == 0 ? 1 + rng->Below(15) : 20'000 + rng->Below(100'000)),
        own_agent_(rng->Chance(0.5)) {}

  void Pane(Rng* rng, PaneFill* fill) const {
    const std::int64_t count = rng->Poisson(per_pane_);
    for (std::int64_t i = 0; i < count; ++i) One(rng, fill);
  }

 private:
  void One(Rng* rng, PaneFill* fill) const {
    constexpr std::int64_t kElsewhere = 1'000'000'000;
    const char* const agent = own_agent_ ? "python-requests/2.31" : kAgents[0].first;
    switch (kind_) {
      case 0:
      case 1:
        Connections::Add(kElsewhere + rng->Below(addresses_), agent, fill);
        return;
      case 2:
        usual_.Client(rng->Chance(0.3) ? rng->Below(usual_.clients)
                                       : usual_.clients + rng->Below(50 * usual_.clients),
                      fill);
        return;
      default: {
        std::int64_t client = rng->Below(usual_.clients);
        while (AgentOf(client) != kLoopingAgent) client = rng->Below(usual_.clients);
        usual_.Client(client, fill);
      }
    }
  }

  std::size_t kind_;
  Connections usual_;
  double per_pane_;
  std::int64_t addresses_;
  bool own_agent_;
};

// The label of the page, "" without one.
std::string LabelOf(const QualityRule& rule, const SeriesDriver& quiet, TimeUs now,
                    const Connections& usual, std::size_t kind, std::uint64_t seed) {
  Rng rng(seed);
  std::optional<SeriesDriver> series = quiet.Copy();
  if (!series) std::abort();
  const Storm storm(kind, usual, &rng);
  for (const TimeUs end = now + kStormMax; now < end; now += kQualityPane) {
    PaneFill fill(rule.setup.get(), now);
    usual.Usual(&rng, &fill);
    storm.Pane(&rng, &fill);
    if (series->Update(QualityContext({.start = now}), fill.Cells()).change) {
      return series->state().Classification();
    }
  }
  return "";
}

}  // namespace

StormLabels RunStormWorld(const QualityRule& rule, const StormWorld& world) {
  Rng rng(StreamSeed(world.seed, {0}));
  const Connections usual = {.clients = 1000 + rng.Below(4000),
                             .per_pane = world.per_minute / kPanesPerMinute};
  SeriesDriver series(rule.setup.get());
  TimeUs now = kQualityStart;
  for (; now < kQualityStart + kQuiet; now += kQualityPane) {
    PaneFill fill(rule.setup.get(), now);
    usual.Usual(&rng, &fill);
    series.Update(QualityContext({.start = now}), fill.Cells());
  }
  StormLabels labels;
  for (std::size_t kind = 0; kind < kStormKinds.size(); ++kind) {
    for (int i = 0; i < world.trials; ++i) {
      const std::uint64_t seed = StreamSeed(world.seed, {1 + kind, static_cast<std::uint64_t>(i)});
      ++labels[kind][LabelOf(rule, series, now, usual, kind, seed)];
    }
  }
  return labels;
}

}  // namespace tocsin
