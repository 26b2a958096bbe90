#include "bench/quality_thin.h"

#include "bench/quality_run.h"

namespace tocsin {
namespace {

constexpr double kPanesPerMinute = static_cast<double>(kMinuteUs) / kQualityPane;
constexpr std::int64_t kPanesPerHour = kHourUs / kQualityPane;

class ThinSeries {
 public:
  ThinSeries(const QualityRule& rule, const ThinTraffic& traffic)
      : rule_(rule), traffic_(traffic), rng_(traffic.seed), series_(rule.setup.get()) {}

  // True when a page goes out.
  bool Pane(std::int64_t good, std::int64_t bad) {
    PaneFill fill(rule_.setup.get(), now_);
    fill.AddOutcomes(traffic_.type, "payment", good, bad);
    const SeriesDriver::Step step = series_.Update(QualityContext({.start = now_}), fill.Cells());
    now_ += kQualityPane;
    return step.change && step.change->kind != SignalChangeKind::kCleared &&
           rule_.Pages(step.change->slot, "");
  }
  bool RandomPane(double share) {
    const std::int64_t total = rng_.Poisson(traffic_.per_minute / kPanesPerMinute);
    const std::int64_t bad = rng_.Binomial(total, share);
    return Pane(total - bad, bad);
  }
  std::int64_t RandomPanes(std::int64_t panes) {
    std::int64_t pages = 0;
    for (std::int64_t i = 0; i < panes; ++i) pages += RandomPane(traffic_.share) ? 1 : 0;
    return pages;
  }

 private:
  const QualityRule& rule_;
  ThinTraffic traffic_;
  Rng rng_;
  SeriesDriver series_;
  TimeUs now_ = kQualityStart;
};

}  // namespace

std::int64_t PagesInWeeks(const QualityRule& rule, const ThinTraffic& traffic, int weeks) {
  return ThinSeries(rule, traffic).RandomPanes(weeks * 168 * kPanesPerHour);
}

std::int64_t PagesOfOneInTwo(const QualityRule& rule, const ThinTraffic& traffic, int warm_days) {
  ThinSeries series(rule, traffic);
  series.RandomPanes(warm_days * 24 * kPanesPerHour);
  for (std::int64_t i = 0; i < kPanesPerHour; ++i) series.Pane(0, 0);
  std::int64_t pages = series.Pane(1, 0) ? 1 : 0;
  pages += series.Pane(0, 1) ? 1 : 0;
  for (std::int64_t i = 0; i < kPanesPerHour; ++i) pages += series.Pane(0, 0) ? 1 : 0;
  return pages;
}

std::optional<DurationUs> TimeToPageOutage(const QualityRule& rule, const ThinTraffic& traffic) {
  ThinSeries series(rule, traffic);
  series.RandomPanes(168 * kPanesPerHour);
  for (std::int64_t i = 1; i <= kPanesPerHour; ++i) {
    if (series.RandomPane(1)) return i * kQualityPane;
  }
  return std::nullopt;
}

}  // namespace tocsin
