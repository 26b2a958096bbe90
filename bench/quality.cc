// How well the detectors do: false pages on quiet traffic, recall, time to detect, what they make
// of little traffic, and what a threshold changes. docs/quality.md says what is measured and
// against what.
//
//   ./dev bench quality [SEED [SCALE [STANZA]]]
//
// SCALE 1 is the whole of it, some minutes; 0.02 a quick look. With STANZA only the stanzas whose
// name contains it, with the figures that they have among the others. The same for the same
// arguments, whatever the number of threads. Exits with 1 when a target is missed.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "bench/quality_cases.h"
#include "bench/quality_run.h"
#include "bench/quality_thin.h"
#include "bench/quality_thresholds.h"
#include "bench/seed_and_scale.h"
#include "core/time.h"

namespace tocsin {
namespace {

constexpr double kFalsePagesMax = 0.001;  // per series and week
constexpr double kRecallMin = 0.99;
constexpr DurationUs kOutageMax = 3 * kMinuteUs;
constexpr int kThinYears = 20;
constexpr int kThinTrials = 100;
constexpr int kThresholdYears = 2;        // at each rate
constexpr int kThresholdIncidents = 100;  // in each of them
constexpr int kSeriesPerCase = 24;        // over all its rates
constexpr int kWeeks = 6;
constexpr int kTrials = 30;  // of each series and fault

struct Arguments : SeedAndScale {
  std::string stanza;  // empty: all
};

int Scaled(double full, double scale, int least) {
  return std::max(least, static_cast<int>(std::lround(full * scale)));
}

// Runs job(0) … job(n − 1) on all cores, in any order.
template <typename Job>
void InParallel(std::size_t n, Job job) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next.fetch_add(1)) < n;) job(i);
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back(work);
  }
  work();
}

struct Job {
  const QualityCase* quality_case;
  const QualityRule* rule;
  std::size_t rate;
  SeriesOptions options;
  SeriesResult result = {};
};

std::string NameOf(const QualityCase& quality_case) {
  return *quality_case.profile == '\0'
             ? "(defaults)"
             : std::string(quality_case.profile) + "/" + quality_case.stanza;
}

std::vector<Job> MakeJobs(const std::vector<QualityCase>& cases,
                          const std::vector<QualityRule>& rules, const Arguments& arguments) {
  std::vector<Job> jobs;
  const int series = Scaled(kSeriesPerCase, arguments.scale, 1);
  for (std::size_t c = 0; c < cases.size(); ++c) {
    if (NameOf(cases[c]).find(arguments.stanza) == std::string::npos) continue;
    for (int i = 0; i < series; ++i) {
      // With few series each case still has another rate than the one before.
      const std::size_t rate = (c + static_cast<std::size_t>(i)) % cases[c].rates.size();
      const auto number = static_cast<std::uint64_t>(i);
      jobs.push_back({.quality_case = &cases[c],
                      .rule = &rules[c],
                      .rate = rate,
                      .options = {.rate = cases[c].rates[rate],
                                  .seed = StreamSeed(arguments.seed, {c, number}),
                                  .weeks = kWeeks,
                                  .trials = kTrials}});
    }
  }
  return jobs;
}

// Prints the table; true when the target is met.
bool PrintFalsePages(const std::vector<QualityCase>& cases, const std::vector<QualityRule>& rules,
                     const std::vector<Job>& jobs) {
  std::printf("\n1. Quiet traffic: pages per series and week, target <= %g\n\n", kFalsePagesMax);
  std::printf("%-14s %-32s %-12s %8s %8s %8s %10s\n", "kind", "stanza", "unit", "a minute", "weeks",
              "pages", "per week");
  std::int64_t all_pages = 0;
  double all_weeks = 0;
  for (std::size_t c = 0; c < cases.size(); ++c) {
    for (std::size_t rate = 0; rate < cases[c].rates.size(); ++rate) {
      std::int64_t pages = 0;
      double weeks = 0;
      for (const Job& job : jobs) {
        if (job.quality_case != &cases[c] || job.rate != rate) continue;
        pages += job.result.false_pages;
        weeks += job.options.weeks;
        for (const TimeUs at : job.result.paged_at) {
          std::fprintf(stderr, "false page: %s at %g a minute, seed %llu, %s\n",
                       NameOf(cases[c]).c_str(), job.options.rate,
                       static_cast<unsigned long long>(job.options.seed), FormatTime(at).c_str());
        }
      }
      if (weeks == 0) continue;
      all_pages += pages;
      all_weeks += weeks;
      std::printf("%-14s %-32s %-12s %8g %8g %8lld %10.4f\n", rules[c].kind.c_str(),
                  NameOf(cases[c]).c_str(), cases[c].unit, cases[c].rates[rate], weeks,
                  static_cast<long long>(pages), static_cast<double>(pages) / weeks);
    }
  }
  const double share = static_cast<double>(all_pages) / all_weeks;
  const bool met = share <= kFalsePagesMax;
  std::printf("%-14s %-32s %-12s %8s %8g %8lld %10.4f  %s\n", "all", "", "", "", all_weeks,
              static_cast<long long>(all_pages), share, met ? "met" : "MISSED");
  return met;
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::min(values.size() - 1, at > 0 ? at - 1 : 0)];
}

std::string Seconds(double seconds) {
  char text[32];
  if (seconds < 120) {
    std::snprintf(text, sizeof text, "%.0fs", seconds);
  } else {
    std::snprintf(text, sizeof text, "%.1fm", seconds / 60);
  }
  return text;
}

double SecondsOf(DurationUs duration) {
  return static_cast<double>(duration) / static_cast<double>(kSecondUs);
}

// The line of one fault at one rate; true when its targets are met or its floor is out of reach.
bool PrintFault(const std::string& head, const std::vector<Trial>& trials) {
  std::int64_t met = 0, paged = 0, late = 0, beyond_plain = 0;
  std::vector<double> took, plain_bounds, bounds;
  std::int64_t found = 0;  // whether or not the floor was met
  for (const Trial& trial : trials) {
    found += trial.paged ? 1 : 0;
    if (!trial.floor_met) continue;
    ++met;
    plain_bounds.push_back(SecondsOf(trial.plain_bound));
    bounds.push_back(SecondsOf(trial.bound));
    if (!trial.paged) continue;
    ++paged;
    took.push_back(SecondsOf(trial.took));
    late += trial.took > trial.bound ? 1 : 0;
    beyond_plain += trial.took > trial.plain_bound ? 1 : 0;
  }
  if (2 * met < static_cast<std::int64_t>(trials.size())) {
    std::printf("%s %7zu below floor; paged all the same: %.3f\n", head.c_str(), trials.size(),
                static_cast<double>(found) / static_cast<double>(trials.size()));
    return true;
  }
  const double recall = static_cast<double>(paged) / static_cast<double>(met);
  const bool enough = recall >= kRecallMin;
  const auto mostly = [paged](std::int64_t trials_late) { return 20 * trials_late <= paged; };
  const bool in_time = mostly(late);  // the 95th percentile is
  std::printf("%s %7lld %8.3f %8s %8s %8s %8s %6lld  %s\n", head.c_str(),
              static_cast<long long>(met), recall, Seconds(Quantile(took, 0.5)).c_str(),
              Seconds(Quantile(took, 0.95)).c_str(), Seconds(Quantile(plain_bounds, 0.5)).c_str(),
              Seconds(Quantile(bounds, 0.5)).c_str(), static_cast<long long>(late),
              !enough                ? "RECALL"
              : !in_time             ? "LATE"
              : mostly(beyond_plain) ? ""
                                     : "wider");
  return enough && in_time;
}

bool PrintRecall(const std::vector<QualityCase>& cases, const std::vector<QualityRule>& rules,
                 const std::vector<Job>& jobs) {
  std::printf(
      "\n2. Incidents: recall (target >= %g) and time to detect (95th percentile <= bound)\n"
      "   plain: max(for, 1.5 x evidence floor) + 1 pane, the median; bound: with what the window "
      "and the samples'\n   interval add; late: trials beyond their own bound; wider: the plain "
      "one "
      "is not met\n\n",
      kRecallMin);
  std::printf("%-14s %-32s %-18s %8s %7s %8s %8s %8s %8s %8s %6s\n", "kind", "stanza", "fault",
              "a minute", "trials", "recall", "p50", "p95", "plain", "bound", "late");
  bool met = true;
  for (std::size_t c = 0; c < cases.size(); ++c) {
    for (std::size_t f = 0; f < cases[c].faults.size(); ++f) {
      for (std::size_t rate = 0; rate < cases[c].rates.size(); ++rate) {
        std::vector<Trial> trials;
        for (const Job& job : jobs) {
          if (job.quality_case != &cases[c] || job.rate != rate) continue;
          const std::vector<Trial>& of_series = job.result.trials[f];
          trials.insert(trials.end(), of_series.begin(), of_series.end());
        }
        if (trials.empty()) continue;
        char head[128];
        std::snprintf(head, sizeof head, "%-14s %-32s %-18s %8g", rules[c].kind.c_str(),
                      NameOf(cases[c]).c_str(), cases[c].faults[f].name, cases[c].rates[rate]);
        met = PrintFault(head, trials) && met;
      }
    }
  }
  return met;
}

bool ThinSection(const std::vector<QualityCase>& cases, const std::vector<QualityRule>& rules,
                 const Arguments& arguments) {
  const auto years = static_cast<std::size_t>(Scaled(kThinYears, arguments.scale, 1));
  const auto trials = static_cast<std::size_t>(Scaled(kThinTrials, arguments.scale, 5));
  std::printf("\n3. Little traffic: 10 requests a minute, 0.2 %% of them fail\n\n");
  std::printf("%-32s %14s %8s %10s %14s %12s\n", "stanza", "1 of 2 pages", "years", "pages a week",
              "outage p50", "outage max");
  bool met = true;
  for (std::size_t c = 0; c < cases.size(); ++c) {
    if (rules[c].kind != "error_rate") continue;
    std::vector<std::int64_t> pages(years), one_in_two(trials);
    std::vector<double> outages(trials);
    InParallel(years, [&](std::size_t i) {
      pages[i] = PagesInWeeks(rules[c], {.seed = StreamSeed(arguments.seed, {2000, c, i})}, 52);
    });
    InParallel(trials, [&](std::size_t i) {
      const ThinTraffic traffic = {.seed = StreamSeed(arguments.seed, {3000, c, i})};
      for (const int days : {0, 1}) one_in_two[i] += PagesOfOneInTwo(rules[c], traffic, days);
      outages[i] = SecondsOf(TimeToPageOutage(rules[c], traffic).value_or(kHourUs));
    });
    const auto sum = [](const std::vector<std::int64_t>& counts) {
      return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    };
    const double a_week = static_cast<double>(sum(pages)) / (52.0 * static_cast<double>(years));
    const double longest = Quantile(outages, 1);
    const bool good =
        sum(one_in_two) == 0 && a_week <= kFalsePagesMax && longest <= SecondsOf(kOutageMax);
    std::printf("%-32s %14lld %8zu %12.4f %14s %12s  %s\n", NameOf(cases[c]).c_str(),
                static_cast<long long>(sum(one_in_two)), years, a_week,
                Seconds(Quantile(outages, 0.5)).c_str(), Seconds(longest).c_str(),
                good ? "" : "MISSED");
    met = met && good;
  }
  return met;
}

// Prints the table; true when the budget is kept, and no lower threshold catches less or later.
bool ThresholdSection(const Arguments& arguments) {
  constexpr std::array<double, 5> kRates = {1, 10, 100, 1'000, 10'000};
  const auto years = static_cast<std::size_t>(Scaled(kThresholdYears, arguments.scale, 1));
  const int weeks = Scaled(52, std::min(1.0, arguments.scale * kThresholdYears), 4);
  std::vector<std::vector<ThresholdTally>> runs(kRates.size() * years);
  InParallel(runs.size(), [&](std::size_t i) {
    runs[i] = RunThresholds({.per_minute = kRates[i % kRates.size()],
                             .seed = StreamSeed(arguments.seed, {4000, i}),
                             .weeks = weeks,
                             .incidents = kThresholdIncidents});
  });
  std::printf(
      "\n4. Thresholds of error_rate, 0.1 to 0.3 %% usual: pages in %zu quiet weeks at each rate "
      "(for: 0s; for: 5m),\n   and of %zu incidents at each, the share caught and the median time "
      "(for: 0s)\n\n%-8s",
      years * static_cast<std::size_t>(weeks), years * kThresholdIncidents, "above");
  for (const double rate : kRates) std::printf(" %22g a minute", rate);
  std::printf("\n");
  std::int64_t pages = 0;
  bool met = true;
  std::array<std::vector<double>, kRates.size()> lower;  // of the threshold before
  for (std::size_t t = 0; t < runs.front().size(); ++t) {
    std::printf("%-8g", 100 * runs.front()[t].above);
    for (std::size_t rate = 0; rate < kRates.size(); ++rate) {
      std::int64_t quick = 0, slow = 0;
      std::vector<double> took;
      for (std::size_t i = rate; i < runs.size(); i += kRates.size()) {
        quick += runs[i][t].pages;
        slow += runs[i][t].pages_with_for;
        for (const DurationUs time : runs[i][t].took) took.push_back(SecondsOf(time));
      }
      const double caught =
          static_cast<double>(took.size()) / static_cast<double>(years * kThresholdIncidents);
      std::printf("  %4lld %4lld  %5.3f %8s", static_cast<long long>(quick),
                  static_cast<long long>(slow), caught, Seconds(Quantile(took, 0.5)).c_str());
      pages += quick + slow;
      met = met && (t == 0 || took.size() <= lower[rate].size());
      lower[rate] = std::move(took);
    }
    std::printf("\n");
  }
  const double series_weeks = 2.0 * static_cast<double>(runs.size() * runs.front().size()) * weeks;
  const double a_week = static_cast<double>(pages) / series_weeks;
  const bool kept = a_week <= kFalsePagesMax;
  std::printf("pages a series and week: %.5f  %s\n", a_week, kept ? "met" : "MISSED");
  if (!met) std::printf("a lower threshold catches less: MISSED\n");
  return kept && met;
}

int Run(const Arguments& arguments) {
  const std::vector<QualityCase> cases = QualityCases();
  std::vector<QualityRule> rules;
  for (const QualityCase& quality_case : cases) {
    ErrorList errors;
    std::optional<QualityRule> rule =
        MakeQualityRule(quality_case.profile, quality_case.stanza, &errors);
    if (!rule) {
      std::fprintf(stderr, "quality: no stanza %s\n", NameOf(quality_case).c_str());
      for (const ConfigError& error : errors.Sorted()) {
        std::fprintf(stderr, "%s\n", error.ToString().c_str());
      }
      return 3;
    }
    rules.push_back(*std::move(rule));
  }
  std::printf("quality: seed %llu, scale %g\n", static_cast<unsigned long long>(arguments.seed),
              arguments.scale);
  std::vector<Job> jobs = MakeJobs(cases, rules, arguments);
  InParallel(jobs.size(), [&](std::size_t i) {
    jobs[i].result = RunSeries(*jobs[i].quality_case, *jobs[i].rule, jobs[i].options);
  });
  if (jobs.empty()) {
    std::fprintf(stderr, "quality: no stanza's name contains '%s'\n", arguments.stanza.c_str());
    return 2;
  }
  bool met = PrintFalsePages(cases, rules, jobs);
  met = PrintRecall(cases, rules, jobs) && met;
  if (!arguments.stanza.empty()) return met ? 0 : 1;
  met = ThinSection(cases, rules, arguments) && met;
  met = ThresholdSection(arguments) && met;
  return met ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  tocsin::Arguments arguments;
  if (argc > 4 || !tocsin::ReadSeedAndScale(argc, argv, &arguments)) {
    std::fprintf(stderr, "usage: quality [SEED [SCALE [STANZA]]]\n");
    return 2;
  }
  if (argc > 3) arguments.stanza = argv[3];
  return tocsin::Run(arguments);
}
