#include "service/watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "panes/pane_batch.h"

namespace tocsin {
namespace {

// Shares are computed over kShareWindow and at least kShareEventsMin events, and have to hold for
// kShareFor, so that a few old lines that are read once do not count as blindness.
constexpr DurationUs kShareWindow = 2 * kMinuteUs;
constexpr std::int64_t kShareEventsMin = 20;
constexpr DurationUs kShareFor = 5 * kMinuteUs;
constexpr DurationUs kSampleEvery = 5 * kSecondUs;
// Many logs contain lines that are not events; if nearly all lines are, the format has changed.
constexpr double kUndecodableShare = 0.95;
constexpr std::size_t kLossesMax = 8;
// Longer than sets wait for the disk before they are decided (WriteBehind::kReleaseAfter).
constexpr DurationUs kStandsStill = 5 * kSecondUs;

std::string Percent(double share) { return absl::StrFormat("%.0f %%", 100 * share); }

}  // namespace

Watch::Watch(Options options)
    : options_(options),
      log_(options.log),
      alarm_(options.config->blind.after),
      started_at_(options.time->Monotonic()),
      beat_at_(started_at_) {}

Blindness Watch::blindness() const {
  absl::MutexLock lock(&mutex_);
  return published_;
}

void Watch::Turn(const WatchedState& state) {
  const TimeUs now = options_.time->Monotonic();
  Conditions conditions;
  for (const InputStatus& input : state.inputs) {
    AddInput(input, &conditions);
    AddShares(input, now, &conditions);
  }
  if (!state.excluded.empty()) {
    conditions.push_back(
        {.key = "excluded",
         .text = absl::StrCat("decides without ", absl::StrJoin(state.excluded, ", ")),
         .after = 0});
  }
  if (!state.unopened.empty()) {
    conditions.push_back(
        {.key = "state", .text = state.unopened, .after = options_.config->blind.after});
  }
  AddLog(state, now, &conditions);
  AddLosses(state, now, &conditions);
  const bool changed = alarm_.Update(now, conditions);
  {
    absl::MutexLock lock(&mutex_);
    published_ = alarm_.state();
  }
  if (changed) {
    const Blindness& blindness = alarm_.state();
    if (blindness.blind) {
      spdlog::error("blind: {}", absl::StrJoin(blindness.reasons, "; "));
    } else {
      spdlog::info("no longer blind");
    }
    options_.alarm->SetBlindness(blindness);
  }
  // Do not resolve the earlier process' page while a condition holds that is about to blind this
  // one.
  if (!resolved_leftovers_ && !alarm_.state().blind && conditions.empty() &&
      now - started_at_ >= options_.config->blind.after) {
    resolved_leftovers_ = true;
    options_.alarm->ResolveLeftovers();
  }
  if (options_.config->heartbeat && log_ != nullptr) Beat(state, now);
}

void Watch::AddInput(const InputStatus& input, Conditions* conditions) {
  const BlindConfig& config = options_.config->blind;
  if (input.state == InputStatus::State::kEnded) return;
  if (input.down_since != kNoTime) {
    conditions->push_back({.key = "input " + input.name,
                           .text = absl::StrCat("input ", input.name, " cannot be read",
                                                input.reason.empty() ? "" : ": ", input.reason),
                           .after = config.after});
    return;
  }
  std::vector<std::string> unreadable;
  for (const SourceStatus& source : input.sources) {
    if (!source.problem.empty()) unreadable.push_back(source.source + " (" + source.problem + ")");
  }
  if (!unreadable.empty()) {
    const std::size_t others = unreadable.size() - 1;
    conditions->push_back(
        {.key = "sources of " + input.name,
         .text = absl::StrCat(unreadable.front(),
                              others == 0 ? "" : absl::StrCat(" and ", others, " more"),
                              " cannot be read"),
         .after = config.after});
  }
  const TimeUs wall = options_.time->Wall();
  DurationUs lag = 0;
  for (const SourceStatus& source : input.sources) {
    if (!source.at_end && source.clock != kNoTime) lag = std::max(lag, wall - source.clock);
  }
  if (lag <= config.lag_max) return;
  conditions->push_back({.key = "lag of " + input.name,
                         .text = absl::StrCat("input ", input.name, " is ",
                                              FormatDuration(FloorTo(lag, kSecondUs)), " behind"),
                         .after = config.after});
}

void Watch::AddShares(const InputStatus& input, TimeUs now, Conditions* conditions) {
  Sample sample = {.at = now};
  for (const SourceStatus& source : input.sources) {
    sample.events += source.counters.events;
    sample.unusable += source.counters.late + source.counters.quarantined;
    sample.undecodable += source.counters.undecodable;
  }
  std::deque<Sample>& samples = samples_[input.name];
  // The counters of an input start at 0 when it is created anew.
  if (!samples.empty() && sample.events < samples.back().events) samples.clear();
  if (samples.empty() || now - samples.back().at >= kSampleEvery) samples.push_back(sample);
  while (samples.size() > 1 && now - samples[1].at >= kShareWindow) samples.pop_front();
  const auto events = static_cast<double>(sample.events - samples.front().events);
  const auto unusable = static_cast<double>(sample.unusable - samples.front().unusable);
  const auto undecodable = static_cast<double>(sample.undecodable - samples.front().undecodable);
  if (events >= kShareEventsMin && unusable > options_.config->blind.late_share * events) {
    conditions->push_back(
        {.key = "late of " + input.name,
         .text = absl::StrCat(Percent(unusable / events), " of the events of input ", input.name,
                              " come too late or from the future: are all clocks right, and is its "
                              "delay long enough?"),
         .after = kShareFor});
  }
  const double all = events + undecodable;
  if (all >= kShareEventsMin && undecodable > kUndecodableShare * all) {
    conditions->push_back(
        {.key = "format of " + input.name,
         .text = absl::StrCat(Percent(undecodable / all), " of input ", input.name,
                              " cannot be decoded: has its format changed?"),
         .after = kShareFor});
  }
}

void Watch::AddLog(const WatchedState& state, TimeUs now, Conditions* conditions) {
  const DurationUs after = options_.config->blind.after;
  if (state.log.disk.failing_since != kNoTime) {
    conditions->push_back(
        {.key = "disk",
         .text = absl::StrCat("the state cannot be written: ", state.log.disk.Reason()),
         .after = after});
  }
  if (state.log.undecided_since != kNoTime && now - state.log.undecided_since > kStandsStill) {
    conditions->push_back({.key = "deciding", .text = "decisions stand still", .after = after});
  }
}

void Watch::AddLosses(const WatchedState& state, TimeUs now, Conditions* conditions) {
  std::vector<std::string> losses = state.losses;
  if (const std::int64_t more = state.lost_batches - lost_batches_; more > 0) {
    lost_batches_ = state.lost_batches;
    losses.push_back(absl::StrCat(more, more == 1 ? " batch" : " batches",
                                  " of panes missing or damaged in the batch log: decided as if "
                                  "nothing had arrived; `tocsin state check` says more"));
  }
  for (std::string& loss : losses) {
    if (losses_.size() == kLossesMax) losses_.pop_front();
    losses_.push_back({.text = std::move(loss), .until = now + kLossFor});
  }
  std::erase_if(losses_, [&](const Loss& loss) { return now >= loss.until; });
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    conditions->push_back({.key = absl::StrCat("loss ", i), .text = losses_[i].text, .after = 0});
  }
}

void Watch::Beat(const WatchedState& state, TimeUs now) {
  if (now < beat_at_) return;
  if (canary_ == 0) {
    // A control record that expects no source has no effect.
    canary_ = log_->Append({.records = {EncodeControl({.kind = ControlRecord::Kind::kExpect})}});
    canary_turns_ = state.delivery_turns;
    return;
  }
  const bool crossed =
      state.durable >= canary_ && state.decided >= canary_ && state.delivery_turns > canary_turns_;
  if (!crossed || alarm_.state().blind) return;
  canary_ = 0;
  beat_at_ = now + options_.config->heartbeat->every;
  options_.alarm->Beat();
}

}  // namespace tocsin
