#include "bench/quality_traffic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace tocsin {
namespace {

constexpr double kPanesPerMinute = static_cast<double>(kMinuteUs) / kQualityPane;
constexpr double kPanesPerHour = 60 * kPanesPerMinute;
constexpr double kPanesPerWeek = 168 * kPanesPerHour;
constexpr double kDispersion = 1.5;
constexpr double kPi = 3.141592653589793;

double Rhythm(TimeUs time, double phase) {
  const double hours = static_cast<double>(time % kWeekUs) / static_cast<double>(kHourUs);
  const double day = 1 + 0.7 * std::cos(2 * kPi * (hours - 15 - phase) / 24);
  return day * (HourOfWeek(time) >= 120 ? 0.6 : 1);
}

Event NewEvent(EventType type) {
  Event event;
  event.type = type;
  return event;
}

// How many of the pane's events arrive, on a quiet day.
std::int64_t Arrivals(double per_minute, const Moment& moment, Rng* rng) {
  if (moment.gap) return 0;
  return rng->NegativeBinomial(per_minute / kPanesPerMinute * moment.load * moment.seen,
                               kDispersion);
}

class Ratio : public Traffic {
 public:
  Ratio(const RatioTraffic& options, double usual) : options_(options), usual_(usual) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    const std::int64_t total = Arrivals(options_.per_minute, moment, rng);
    const std::int64_t hit = rng->Binomial(total, fault.share);
    // Failures come in clusters: their share varies from pane to pane.
    const double share =
        std::min(0.5, usual_ * rng->Gamma(2) / 2 * (moment.cold ? 3 : 1)) + moment.failing;
    const std::int64_t bad = rng->Binomial(total - hit, share) + rng->Binomial(hit, fault.strength);
    fill->AddOutcomes(options_.type, options_.name, total - bad, bad);
    return {.evidence = static_cast<double>(hit)};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Ratio>(*this); }
  double usual() const override { return usual_; }

 private:
  RatioTraffic options_;
  double usual_;
};

class Latency : public Traffic {
 public:
  Latency(double per_minute, DurationUs limit, Rng* rng)
      : per_minute_(per_minute), median_(rng->Between(40'000, 120'000)), sigma_(0.6) {
    const double p95 = 1.6449;  // of the normal distribution
    const double limit_z = limit > 0 ? std::log(static_cast<double>(limit) / median_) / sigma_
                                     : std::log(1.5) / sigma_ + p95;
    usual_ = 0.5 * std::erfc(limit_z / std::sqrt(2.0));
  }
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    const std::int64_t total = Arrivals(per_minute_, moment, rng);
    // Busy hours are a little slower; once in a few hours the collector stops the world.
    const double slower = (0.95 + 0.05 * moment.load) * (moment.cold ? 2 : 1);
    const double paused = rng->Chance(1.0 / 1000) ? 0.1 : 0;
    double evidence = 0;
    Event event = NewEvent(EventType::kRequest);
    event.outcome = Outcome::kSuccess;
    event.Normalize();
    for (std::int64_t i = 0; i < total; ++i) {
      double duration = median_ * slower * Shape(rng);
      if (fault.share > 0 && rng->Chance(fault.share)) {
        duration *= fault.strength;
        ++evidence;
      }
      if (paused > 0 && rng->Chance(paused)) duration += 300'000;
      event.duration = static_cast<DurationUs>(duration);
      fill->Add(event);
    }
    return {.evidence = evidence};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Latency>(*this); }
  double usual() const override { return usual_; }

 private:
  // exp(σ·z), from a table of quantiles: an exponential for each of a billion events takes minutes.
  double Shape(Rng* rng) const {
    static const std::vector<double> shapes = [] {
      Rng normal(1);
      std::vector<double> table(1 << 16);
      for (double& shape : table) shape = std::exp(0.6 * normal.Normal());
      return table;
    }();
    return shapes[rng->Next() >> 48];
  }

  double per_minute_, median_, sigma_, usual_ = 0;
};

// When the samples of a gauge or a check come: evenly.
class Schedule {
 public:
  explicit Schedule(double per_minute) : per_pane_(per_minute / kPanesPerMinute) {}
  // Calls `sample(at)` for each of the pane, `at` within 0 … 1.
  template <typename Sample>
  void Pane(const Moment& moment, Sample sample) {
    const double due = owed_ + per_pane_;
    for (double nth = 1; nth <= due; nth += 1) {
      if (!moment.gap) sample((nth - owed_) / per_pane_);
    }
    owed_ = due - std::floor(due);
  }

 private:
  double per_pane_;
  double owed_ = 0;
};

void AddGauge(const char* name, double value, std::optional<double> limit, double at,
              PaneFill* fill) {
  Event event = NewEvent(EventType::kMetric);
  event.Set(Field::kName, name);
  event.value = value;
  event.limit = limit;
  event.Normalize();
  fill->Add(event, at);
}

// A fault is on from here to the end of the pane.
bool Struck(const Fault& fault, double at) { return fault.share > 0 && at >= 1 - fault.share; }

class Pool : public Traffic {
 public:
  Pool(double samples_per_minute, Rng* rng)
      : schedule_(samples_per_minute), level_(rng->Between(60, 70)) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    Sign sign;
    schedule_.Pane(moment, [&](double at) {
      double used = level_ + 2 * moment.load + 1.5 * rng->Normal() - 2;
      if (Struck(fault, at)) {
        used = 100 * fault.strength + rng->Between(-0.5, 0.5);
        ++sign.evidence;
      }
      AddGauge("db_connections", std::floor(used), 100, at, fill);
    });
    return sign;
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Pool>(*this); }

 private:
  Schedule schedule_;
  double level_;
};

// What a fault has added by the end of the pane, in its own unit an hour.
double Gained(const Fault& fault, TimeUs start, double at) {
  if (fault.share <= 0) return 0;
  const double since =
      static_cast<double>(start - fault.onset) + at * static_cast<double>(kQualityPane);
  return std::max(0.0, fault.strength * since / static_cast<double>(kHourUs));
}

class Memory : public Traffic {
 public:
  Memory(double samples_per_minute, Rng* rng)
      : schedule_(samples_per_minute),
        base_(rng->Chance(1.0 / 3) ? rng->Between(84, 88) : rng->Between(45, 60)),
        tooth_(rng->Between(3, 8)),
        period_(rng->Between(2, 20) * kPanesPerMinute) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    if (moment.restarted) freed_ = 15;
    freed_ *= 1 - 1 / (10 * kPanesPerMinute);  // caches fill within ten minutes
    height_ += moment.load / period_;
    if (height_ >= 1) height_ = rng->Between(0, 0.1);
    const double gained = Gained(fault, moment.start, 1);
    schedule_.Pane(moment, [&](double at) {
      const double level = base_ - freed_ + tooth_ * height_ + 0.5 * moment.load +
                           0.3 * rng->Normal() + Gained(fault, moment.start, at);
      AddGauge("memory_utilization", std::clamp(level, 0.0, 100.0), {}, at, fill);
    });
    const double low = base_ - freed_ + gained;
    // Minima are comparable when each is of a whole tooth; at night one takes three times as long.
    const double slots = static_cast<double>(kQualityPane) / static_cast<double>(5 * kMinuteUs);
    return {.evidence = fault.share * std::min(slots, moment.load / period_),
            .holds = low >= 80 && low + fault.strength / 2 >= 100,
            .over = low >= 100};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Memory>(*this); }

 private:
  Schedule schedule_;
  double base_, tooth_, period_;
  double height_ = 0, freed_ = 0;
};

class Disk : public Traffic {
 public:
  Disk(double samples_per_minute, Rng* rng)
      : schedule_(samples_per_minute),
        level_(rng->Between(40, 60)),
        per_pane_(rng->Between(1, 4) / (24 * kPanesPerHour)),
        dump_hour_(rng->Below(5)) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    level_ += per_pane_ * moment.load;
    if (level_ > 70) level_ = 45;
    const TimeUs of_day = moment.start % kDayUs - dump_hour_ * kHourUs;
    const double dump = of_day >= 0 && of_day < 20 * kMinuteUs
                            ? 2 * static_cast<double>(of_day) / static_cast<double>(20 * kMinuteUs)
                            : 0;
    schedule_.Pane(moment, [&](double at) {
      const double level = level_ + dump + 0.05 * rng->Normal() + Gained(fault, moment.start, at);
      AddGauge("disk_utilization", std::min(level, 100.0), {}, at, fill);
    });
    const double now = level_ + Gained(fault, moment.start, 1);
    return {.evidence = fault.share * static_cast<double>(kQualityPane) /
                        static_cast<double>(5 * kMinuteUs),
            .holds = now + 6 * fault.strength >= 100,
            .over = now >= 100};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Disk>(*this); }

 private:
  Schedule schedule_;
  double level_, per_pane_;
  std::int64_t dump_hour_;
};

class Volume : public Traffic {
 public:
  Volume(EventType type, double per_minute, double at_least)
      : type_(type), per_minute_(per_minute), at_least_(at_least) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    std::int64_t total = Arrivals(per_minute_, moment, rng);
    if (fault.share > 0) {
      const double storm = std::max(fault.strength * per_minute_ * moment.load, at_least_) -
                           per_minute_ * moment.load;
      total += moment.gap ? 0 : rng->Poisson(storm * fault.share * moment.seen / kPanesPerMinute);
    }
    Event event = NewEvent(type_);
    event.action = ConnectionAction::kOpen;
    event.outcome = Outcome::kSuccess;
    event.weight = total;
    event.Normalize();
    if (total > 0) fill->Add(event);
    return {.evidence = fault.share * static_cast<double>(total)};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Volume>(*this); }

 private:
  EventType type_;
  double per_minute_, at_least_;
};

class Logins : public Traffic {
 public:
  explicit Logins(double per_minute) : per_minute_(per_minute) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    // Somebody mistypes his password up to three times, which makes two failures on average.
    const std::int64_t people = rng->Binomial(Arrivals(per_minute_, moment, rng), 0.05 / 2);
    for (std::int64_t i = 0; i < people; ++i) {
      const std::int64_t address = rng->Chance(0.02) ? rng->Below(20) : 20 + rng->Below(100'000);
      Add(address, 1 + rng->Below(3), fill);
    }
    const std::int64_t tries =
        moment.gap ? 0 : rng->Poisson(fault.strength * fault.share * moment.seen / kPanesPerMinute);
    if (tries > 0) Add(-1, tries, fill);
    return {.evidence = static_cast<double>(tries)};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Logins>(*this); }

 private:
  static void Add(std::int64_t address, std::int64_t failures, PaneFill* fill) {
    Event event = NewEvent(EventType::kAuth);
    event.outcome = Outcome::kFailure;
    event.weight = failures;
    const std::string text = "10." + std::to_string(address);
    event.Set(Field::kClientIp, text);
    event.Normalize();
    fill->Add(event);
  }
  double per_minute_;
};

class LogLines : public Traffic {
 public:
  LogLines(double per_minute, const char* message) : per_minute_(per_minute), message_(message) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    if (moment.gap) return {};
    Event event = NewEvent(EventType::kLog);
    event.Set(Field::kMessage, message_);
    const std::int64_t usual =
        rng->Poisson(per_minute_ / 500'000 * moment.load * moment.seen / kPanesPerMinute);
    const std::int64_t lines =
        rng->Poisson(fault.strength * fault.share * moment.seen / kPanesPerMinute);
    event.weight = usual + lines;
    event.Normalize();
    if (event.weight > 0) fill->Add(event);
    return {.evidence = static_cast<double>(lines)};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<LogLines>(*this); }

 private:
  double per_minute_;
  const char* message_;
};

class ArrivalsOnly : public Traffic {
 public:
  explicit ArrivalsOnly(double per_minute) : per_minute_(per_minute) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    const std::int64_t total = rng->Binomial(Arrivals(per_minute_, moment, rng), 1 - fault.share);
    fill->AddOutcomes(EventType::kRequest, "", total, 0);
    // A pane with a part of silence is none without events.
    const bool silent = fault.share >= 1 && !moment.gap && !moment.partial;
    return {.evidence = silent ? per_minute_ / kPanesPerMinute * moment.load : 0};
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<ArrivalsOnly>(*this); }

 private:
  double per_minute_;
};

class Checks : public Traffic {
 public:
  explicit Checks(double per_minute) : schedule_(per_minute) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    Sign sign;
    schedule_.Pane(moment, [&](double at) {
      const bool struck = Struck(fault, at);
      sign.evidence += struck ? 1 : 0;
      Event event = NewEvent(EventType::kCheck);
      event.Set(Field::kName, "/health");
      event.outcome = struck || rng->Chance(0.001) ? Outcome::kFailure : Outcome::kSuccess;
      event.Normalize();
      fill->Add(event, at);
    });
    return sign;
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Checks>(*this); }

 private:
  Schedule schedule_;
};

class Targets : public Traffic {
 public:
  Targets(double samples_per_minute, Rng* rng)
      : schedule_(samples_per_minute), targets_(static_cast<double>(2 + rng->Below(3))) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng*, PaneFill* fill) override {
    Sign sign;
    schedule_.Pane(moment, [&](double at) {
      const bool struck = Struck(fault, at);
      sign.evidence += struck ? 1 : 0;
      AddGauge("healthy_targets", struck ? 0 : targets_ - (moment.cold ? 1 : 0), targets_, at,
               fill);
    });
    return sign;
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Targets>(*this); }

 private:
  Schedule schedule_;
  double targets_;
};

class Stored : public Traffic {
 public:
  Stored(double samples_per_minute, Rng* rng)
      : schedule_(samples_per_minute),
        stored_(rng->Between(1e5, 1e7)),
        per_second_(rng->Between(0.1, 10)) {}
  Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) override {
    Sign sign;
    stored_ += per_second_ * moment.load * 10;
    schedule_.Pane(moment, [&](double at) {
      const bool struck = Struck(fault, at);
      sign.evidence += struck ? 1 : 0;
      for (const bool database : {true, false}) {
        Event event = NewEvent(EventType::kMetric);
        event.Set(Field::kName, "messages_stored");
        const LabelView label = {"source", database ? "database" : "application"};
        event.labels = {&label, 1};
        const double behind = database ? per_second_ * rng->Between(0, 5) : 0;
        event.value =
            std::floor((stored_ - behind) * (database && struck ? 1 - fault.strength : 1));
        event.Normalize();
        fill->Add(event, at);
      }
    });
    return sign;
  }
  std::unique_ptr<Traffic> Clone() const override { return std::make_unique<Stored>(*this); }

 private:
  Schedule schedule_;
  double stored_, per_second_;
};

}  // namespace

Climate::Climate(std::uint64_t seed)
    : rng_(seed),
      phase_(rng_.Between(-3, 3)),
      crowds_{.per_week = 20, .least = kMinuteUs, .most = 5 * kMinuteUs},
      blips_{.per_week = 14, .least = 20 * kSecondUs, .most = 40 * kSecondUs},
      gaps_{.per_week = 1, .least = kMinuteUs, .most = 30 * kMinuteUs},
      lags_{.per_week = 3, .least = kMinuteUs, .most = 10 * kMinuteUs} {}

bool Climate::Lasts(TimeUs start, Spell* spell) {
  if (start < spell->until) return true;
  if (!rng_.Chance(spell->per_week / kPanesPerWeek)) return false;
  spell->until = start + static_cast<DurationUs>(rng_.Between(static_cast<double>(spell->least),
                                                              static_cast<double>(spell->most)));
  crowd_ = rng_.Between(1.5, 2.2);
  blip_ = rng_.Between(0.02, 0.04);
  return true;
}

Moment Climate::Next(TimeUs start) {
  Moment moment = {.start = start};
  if (start % kMinuteUs == 0) noise_ = 0.9 * noise_ + 0.05 * rng_.Normal();
  moment.load = Rhythm(start, phase_) * std::exp(noise_);
  if (Lasts(start, &crowds_)) moment.load *= crowd_;
  if (Lasts(start, &blips_)) moment.failing = blip_;
  moment.gap = Lasts(start, &gaps_);
  moment.partial = Lasts(start, &lags_);
  if (moment.partial) moment.seen = 0.5;
  // One a workday, between 8 and 18 o'clock.
  const bool working =
      HourOfWeek(start) < 120 && HourOfWeek(start) % 24 >= 8 && HourOfWeek(start) % 24 < 18;
  if (working && rng_.Chance(1 / (10 * kPanesPerHour))) {
    deployed_ = start;
    moment.restarted = true;
  }
  const DurationUs since = start - deployed_;
  moment.cold = since < 90 * kSecondUs;
  moment.recent_deploy = since < 30 * kMinuteUs;
  return moment;
}

void PaneFill::Add(Event event, double at) {
  event.time = start_ + static_cast<DurationUs>(at * static_cast<double>(kQualityPane - 1));
  setup_->Accumulate(event, &table_);
}

void PaneFill::AddOutcomes(EventType type, const char* name, std::int64_t good, std::int64_t bad) {
  for (const bool failed : {false, true}) {
    Event event = NewEvent(type);
    event.weight = failed ? bad : good;
    if (event.weight == 0) continue;
    event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
    event.Set(Field::kName, name);
    event.Set(Field::kEndpoint, "/orders");
    event.Set(Field::kVersion, "v1");
    event.Normalize();
    Add(event);
  }
}

std::unique_ptr<Traffic> NewRatioTraffic(const RatioTraffic& options, Rng* rng) {
  return std::make_unique<Ratio>(options, rng->Between(options.usual_low, options.usual_high));
}
std::unique_ptr<Traffic> NewLatencyTraffic(double per_minute, DurationUs limit_us, Rng* rng) {
  return std::make_unique<Latency>(per_minute, limit_us, rng);
}
std::unique_ptr<Traffic> NewPoolTraffic(double samples_per_minute, Rng* rng) {
  return std::make_unique<Pool>(samples_per_minute, rng);
}
std::unique_ptr<Traffic> NewMemoryTraffic(double samples_per_minute, Rng* rng) {
  return std::make_unique<Memory>(samples_per_minute, rng);
}
std::unique_ptr<Traffic> NewDiskTraffic(double samples_per_minute, Rng* rng) {
  return std::make_unique<Disk>(samples_per_minute, rng);
}
std::unique_ptr<Traffic> NewVolumeTraffic(EventType type, double per_minute, double at_least) {
  return std::make_unique<Volume>(type, per_minute, at_least);
}
std::unique_ptr<Traffic> NewLoginTraffic(double per_minute) {
  return std::make_unique<Logins>(per_minute);
}
std::unique_ptr<Traffic> NewLogTraffic(double per_minute, const char* message) {
  return std::make_unique<LogLines>(per_minute, message);
}
std::unique_ptr<Traffic> NewArrivalTraffic(double per_minute) {
  return std::make_unique<ArrivalsOnly>(per_minute);
}
std::unique_ptr<Traffic> NewCheckTraffic(double per_minute) {
  return std::make_unique<Checks>(per_minute);
}
std::unique_ptr<Traffic> NewTargetTraffic(double samples_per_minute, Rng* rng) {
  return std::make_unique<Targets>(samples_per_minute, rng);
}
std::unique_ptr<Traffic> NewStoredTraffic(double samples_per_minute, Rng* rng) {
  return std::make_unique<Stored>(samples_per_minute, rng);
}

}  // namespace tocsin
