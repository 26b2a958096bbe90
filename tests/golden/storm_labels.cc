#include "tests/golden/storm_labels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "core/math.h"
#include "tests/detectors/series_driver.h"

namespace tocsin {
namespace {

constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;
constexpr DurationUs kPane = 10 * kSecondUs;
// The longest ramp, the longest window and `for`, and as much again.
constexpr int kStormPanesMax = 420;

// One watched series.
class Watched {
 public:
  Watched(const StormWatch* watch, const DetectorSetup* setup)
      : watch_(watch), setup_(setup), series_(setup), open_(watch->usual_open) {}
  // The same past, another future.
  Watched Copy() const {
    Watched copy(watch_, setup_);
    std::optional<SeriesDriver> series = series_.Copy();
    if (!series) std::abort();
    copy.series_ = *std::move(series);
    copy.open_ = open_;
    copy.now_ = now_;
    return copy;
  }

  // `fill` is called with what takes the pane's events, `beyond` says how many connections more
  // than usual are open after it. True when it fires.
  template <typename Fill, typename Beyond>
  bool Pane(bool explained, Fill fill, Beyond beyond) {
    const DetectorSetup* events = watch_->gauge ? setup_->explaining() : setup_;
    PaneTable table = events->NewTable();
    std::int64_t count = 0;
    fill([&](const Event& event) {
      ++count;
      events->Accumulate(event, &table);
    });
    const PaneContext pane = {.tick = now_ + 2 * kPane, .start = now_, .end = now_ + kPane};
    now_ += kPane;
    if (!watch_->gauge) return series_.Update(pane, events->Cells(table)).change.has_value();
    open_ += static_cast<double>(count);
    const double storm = beyond();
    open_ = (open_ - storm) * Exp(-1 / watch_->lifetime) + storm;
    PaneTable gauge = setup_->NewTable();
    Event sample;
    sample.type = EventType::kMetric;
    sample.time = pane.start + kSecondUs;
    sample.value = std::round(open_);
    setup_->Accumulate(sample, &gauge);
    const SpecCells none;
    return series_.Update(pane, setup_->Cells(gauge), explained ? events->Cells(table) : none)
        .change.has_value();
  }
  const SeriesState& state() const { return series_.state(); }

 private:
  const StormWatch* watch_;
  const DetectorSetup* setup_;
  SeriesDriver series_;
  double open_;
  TimeUs now_ = kStart;
};

std::unique_ptr<DetectorSetup> SetupOf(const std::string& stanza) {
  ErrorList errors;
  std::unique_ptr<Detector> detector = MakeDetector(stanza, &errors);
  for (const ConfigError& error : errors.Sorted()) {
    std::fprintf(stderr, "%s\n%s", error.ToString().c_str(), stanza.c_str());
  }
  if (detector == nullptr || !errors.empty()) std::abort();
  return std::make_unique<DetectorSetup>(std::move(detector));
}

StormOutcome RunScene(const StormWorld& world, const Watched& quiet, StormScene scene,
                      StormKind kind, bool explained, std::uint64_t seed) {
  Random random(seed);
  Watched watched = quiet.Copy();
  StormOutcome outcome;
  outcome.kind = kind;
  outcome.what = scene.what();
  for (int pane = 0; pane < kStormPanesMax; ++pane) {
    const auto fill = [&](EmitEvent emit) {
      for (int second = 0; second < 10; ++second) {
        world.Quiet(0.1, &random, emit);
        scene.Pane(pane, 0.1, &random, emit);
      }
    };
    if (!watched.Pane(explained, fill, [&] { return scene.open(); })) continue;
    outcome.label = watched.state().Classification();
    for (const Evidence& evidence : watched.state().Explain()) {
      if (evidence.kind == "missing") outcome.missing += evidence.json + ' ';
      if (evidence.kind == "label") outcome.reason = evidence.json;
    }
    break;
  }
  return outcome;
}

void RunQuiet(const StormWorld& world, bool explained, std::uint64_t seed, Watched* watched) {
  Random random(seed);
  for (int pane = 0; pane < world.quiet_panes(); ++pane) {
    watched->Pane(
        explained, [&](EmitEvent emit) { world.Quiet(1, &random, emit); }, [] { return 0.0; });
  }
}

std::string WorldName(const Family& family, std::uint64_t seed) {
  return FamilyName(family) + " " + std::to_string(seed);
}

// A world in which nobody could tell.
std::optional<StormOutcome> RunUnknown(Family family, std::uint64_t seed) {
  Random random(seed ^ 0x10c4u);
  const auto lack = static_cast<Lack>(random.Below(kLacks));
  if (lack == Lack::kWho) family.addresses = Addresses::kAnywhere;
  if (lack == Lack::kBehind) family.addresses = Addresses::kProxy;
  StormWorld world(family, seed);
  if (lack == Lack::kSources) world.DropFields(true, true, true);
  if (lack == Lack::kWho || lack == Lack::kClients) world.DropFields(false, true, true);
  if (lack == Lack::kBehind) world.DropFields(false, false, true);
  if (lack == Lack::kBaseline) world.ShortenQuiet(20 + static_cast<int>(random.Below(80)));
  StormWatch watch(world, seed);
  // What is only watched by its number needs no half an hour.
  if (lack == Lack::kBaseline) {
    const std::size_t ratio = watch.stanza.find("ratio: 3, ");
    watch.stanza.erase(ratio, std::string("ratio: 3, ").size());
  }
  if (lack == Lack::kEvents && !watch.gauge) return std::nullopt;
  // Endpoints tell something of those of whom nothing else is known.
  if (lack == Lack::kWho && world.requests()) return std::nullopt;
  std::optional<StormScene> scene = StormScene::DrawUnknown(&world, watch, lack, seed);
  if (!scene) return std::nullopt;
  const std::unique_ptr<DetectorSetup> setup = SetupOf(watch.stanza);
  Watched watched(&watch, setup.get());
  const bool explained = lack != Lack::kEvents;
  RunQuiet(world, explained, seed, &watched);
  StormOutcome outcome =
      RunScene(world, watched, *std::move(scene), StormKind::kUnknown, explained, seed + 5);
  outcome.world = WorldName(family, seed);
  return outcome;
}

}  // namespace

std::vector<StormOutcome> RunStormWorld(Family family, std::uint64_t seed,
                                        const std::array<bool, kStormKinds>& wanted) {
  std::vector<StormOutcome> outcomes;
  const StormWorld world(family, seed);
  const StormWatch watch(world, seed);
  std::unique_ptr<DetectorSetup> setup;
  std::optional<Watched> watched;
  for (int k = 0; k < kStormKinds - 1; ++k) {
    const auto kind = static_cast<StormKind>(k);
    if (!wanted[static_cast<std::size_t>(k)]) continue;
    std::optional<StormScene> scene = StormScene::Draw(&world, watch, kind, seed);
    if (!scene) continue;
    if (!watched) {
      setup = SetupOf(watch.stanza);
      watched.emplace(&watch, setup.get());
      RunQuiet(world, true, seed, &*watched);
    }
    outcomes.push_back(RunScene(world, *watched, *std::move(scene), kind, true,
                                seed + static_cast<std::uint64_t>(k) + 1));
    outcomes.back().world = WorldName(family, seed);
    outcomes.back().what += watch.gauge ? ", gauge" : ", events";
  }
  if (wanted[static_cast<std::size_t>(StormKind::kUnknown)]) {
    if (std::optional<StormOutcome> unknown = RunUnknown(family, seed)) {
      outcomes.push_back(*std::move(unknown));
    }
  }
  return outcomes;
}

StormResults RunStorms(const StormRunOptions& options) {
  StormResults results;
  const std::vector<Family> families = Families(options.held_out);
  for (std::uint64_t i = 0;; ++i) {
    std::array<bool, kStormKinds> wanted{};
    for (int k = 0; k < kStormKinds; ++k) {
      wanted[static_cast<std::size_t>(k)] =
          results.Count(static_cast<StormKind>(k)) < options.worlds;
    }
    if (std::none_of(wanted.begin(), wanted.end(), [](bool more) { return more; })) break;
    const std::uint64_t seed = options.seed * 1'000'003 + i;
    for (StormOutcome& outcome : RunStormWorld(families[i % families.size()], seed, wanted)) {
      results.Add(std::move(outcome));
    }
  }
  return results;
}

void StormResults::Add(StormOutcome outcome) {
  ++labels_[static_cast<std::size_t>(outcome.kind)][outcome.label];
  if (!outcome.Right()) wrong_.push_back(std::move(outcome));
}

int StormResults::Count(StormKind kind) const {
  int count = 0;
  for (const auto& [label, number] : labels_[static_cast<std::size_t>(kind)]) count += number;
  return count;
}

double StormResults::Right(StormKind kind) const {
  const auto& labels = labels_[static_cast<std::size_t>(kind)];
  const auto right = labels.find(kStormNames[static_cast<std::size_t>(kind)]);
  const int count = Count(kind);
  return right == labels.end() || count == 0 ? 0 : static_cast<double>(right->second) / count;
}

std::string StormResults::Table() const {
  std::string table = "storm      ";
  char text[64];
  const auto add = [&](const char* format, auto value) {
    std::snprintf(text, sizeof text, format, value);
    table += text;
  };
  for (const char* label : kStormNames) add("%9s", label);
  table += "   missed    right\n";
  for (int k = 0; k < kStormKinds; ++k) {
    const auto& labels = labels_[static_cast<std::size_t>(k)];
    const auto number = [&](const std::string& label) {
      const auto found = labels.find(label);
      return found == labels.end() ? 0 : found->second;
    };
    add("%-11s", kStormNames[static_cast<std::size_t>(k)]);
    for (const char* label : kStormNames) add("%9d", number(label));
    add("%9d", number(""));
    add("%9.3f\n", Right(static_cast<StormKind>(k)));
  }
  return table;
}

}  // namespace tocsin
