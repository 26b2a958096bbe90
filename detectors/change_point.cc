#include "detectors/change_point.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/functional/function_ref.h"
#include "core/math.h"

namespace tocsin {
namespace {

// A pane that is e^3, twenty times less likely than the best one is ruled out.
constexpr double kDoubt = 3;
// A change may hide in this much silence, when there were no requests to show it.
constexpr DurationUs kHiddenMax = kMinuteUs;
// A change that matters is at least this multiple of the usual, which fluctuates.
constexpr double kChangeMin = 2;
// Logarithms need shares that are neither 0 nor 1.
constexpr double kUsualMin = 1e-6, kUsualMax = 0.4, kShareMax = 1 - 1e-9;

// The evidence of one pane for the changed rate against the usual one.
using StepOf = absl::FunctionRef<double(const PaneCount& pane)>;
// The evidence of the newest `panes` panes, with these counts, for the rate that fits best.
using EvidenceOf = absl::FunctionRef<double(double panes, double bad, double total)>;
// Whether the pane by itself shows no sign of the change.
using IsCalm = absl::FunctionRef<bool(const PaneCount& pane)>;

// With this much evidence against the change in consecutive calm panes, it was over.
constexpr double kOver = 10;

// The number of panes to consider.
int Known(const CountRing& ring, DurationUs pane, StepOf step, IsCalm calm) {
  int known = 0;
  double evidence = 0, over = 0;
  for (int age = kPlotPanes - 1; age >= 0; --age) {
    const double gained = step(ring.At(age));
    over = calm(ring.At(age)) ? std::max(0.0, over - gained) : 0;
    evidence = over >= kOver ? 0 : std::max(0.0, evidence + gained);
    known = evidence > 0 ? known + 1 : 0;
  }
  if (known == 0) return 0;
  DurationUs hidden = 0;
  for (; known < kPlotPanes && calm(ring.At(known)); ++known) {
    if (ring.At(known).total > 0) continue;
    hidden += pane;
    if (hidden > kHiddenMax) break;
  }
  return known;
}

OnsetInterval Change(const CountRing& ring, int known, const PaneContext& pane,
                     EvidenceOf evidence) {
  if (known == 0) return {};
  std::array<double, kPlotPanes> since{};
  double bad = 0, total = 0, best = 0;
  for (int age = 0; age < known; ++age) {
    const PaneCount count = ring.At(age);
    bad += count.bad;
    total += count.total;
    double& of = since[static_cast<std::size_t>(age)];
    of = total > 0 ? evidence(age + 1, bad, total) : 0;
    best = std::max(best, of);
  }
  int newest = known - 1, oldest = 0;
  for (int age = 0; age < known; ++age) {
    if (since[static_cast<std::size_t>(age)] < best - kDoubt) continue;
    newest = std::min(newest, age);
    oldest = age;
  }
  return {.earliest = pane.end - (oldest + 1) * pane.pane, .latest = pane.end - newest * pane.pane};
}

}  // namespace

OnsetInterval RatioChange(const CountRing& ring, const PaneContext& pane,
                          const ChangeModel& model) {
  const double usual = std::clamp(model.usual, kUsualMin, kUsualMax);
  const double changed = std::clamp(model.changed, kChangeMin * usual, kShareMax);
  const double weight_bad = Log(changed / usual);
  const double weight_good = Log((1 - changed) / (1 - usual));
  const auto step = [&](const PaneCount& of) {
    return of.bad * weight_bad + (static_cast<double>(of.total) - of.bad) * weight_good;
  };
  const auto calm = [](const PaneCount& of) { return of.bad == 0; };
  return Change(ring, Known(ring, pane.pane, step, calm), pane,
                [&](double, double bad, double total) {
                  const double share = std::min(bad / total, kShareMax);
                  if (share <= usual) return 0.0;
                  return total * BernoulliDivergence(share, usual) / model.dispersion;
                });
}

OnsetInterval RateChange(const CountRing& ring, const PaneContext& pane, const ChangeModel& model) {
  const double changed = std::max(model.changed, kChangeMin * model.usual);
  const double weight = Log(changed / model.usual);
  const auto step = [&](const PaneCount& of) {
    return of.total * weight - (changed - model.usual);
  };
  const auto calm = [&](const PaneCount& of) { return of.total <= kChangeMin * model.usual; };
  return Change(ring, Known(ring, pane.pane, step, calm), pane,
                [&](double panes, double, double total) {
                  const double usual = model.usual * panes;
                  if (total <= usual) return 0.0;
                  return (total * Log(total / usual) - (total - usual)) / model.dispersion;
                });
}

}  // namespace tocsin
