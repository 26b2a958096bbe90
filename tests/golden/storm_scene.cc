#include "tests/golden/storm_scene.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <set>

#include "core/math.h"

namespace tocsin {
namespace {

// More would only take longer.
constexpr double kRateMax = 1'500;
constexpr int kPanesPerMinute = 6;

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// Events of a distinct source within a window on an ordinary day.
double UsualPace(const StormWorld& world, int window, Random* random) {
  const double visits = world.per_pane() * window / world.visit_events();
  std::set<std::int64_t> regulars;
  const double drawn = std::max(1.0, std::min(visits, 4'000.0));
  for (int i = 0; i < static_cast<int>(drawn); ++i) regulars.insert(world.Regular(random));
  const double distinct =
      static_cast<double>(regulars.size()) * (1 - world.newcomers()) + drawn * world.newcomers();
  return world.visit_events() * drawn / std::max(1.0, distinct);
}

bool HasCountry(const StormWorld& world) {
  switch (world.family().addresses) {
    case Addresses::kCountry:
    case Addresses::kPrivacy:
    case Addresses::kNat:
    case Addresses::kDynamic:
    case Addresses::kBoth:
      return true;
    default:
      return false;
  }
}

}  // namespace

StormWatch::StormWatch(const StormWorld& world, std::uint64_t seed) {
  Random random(seed ^ 0x77a7c4u);
  static constexpr std::array<int, 5> kWindows = {1, 2, 5, 5, 10};
  static constexpr std::array<int, 4> kHolds = {0, 1, 5, 5};
  const int minutes = kWindows[static_cast<std::size_t>(random.Below(std::ssize(kWindows)))];
  const int hold = kHolds[static_cast<std::size_t>(random.Below(std::ssize(kHolds)))];
  window = minutes * kPanesPerMinute;
  gauge = !world.requests() && random.Chance(0.5);
  const std::string type = world.requests() ? "request" : "connection";
  if (gauge) {
    // Sockets that are counted stay open for minutes or hours.
    lifetime = LogUniform(&random, 18, 400);
    usual_open = world.per_pane() * lifetime;
    above = std::max(150.0, LogUniform(&random, 1.2, 4) * usual_open);
    stanza =
        "name: storm\nkind: storm\ngauge: true\nwhere: {type: metric}\nby: [service]\ncritical: "
        "{above: " +
        Number(above) + ", ratio: 3, for: " + std::to_string(hold) + "m}\n";
    return;
  }
  // Rules are written for what a service can bear, which is beyond its usual traffic.
  above = std::max(120.0, LogUniform(&random, 1, 20) * world.per_pane() * window);
  above = std::min(above, kRateMax * window / 3);
  stanza = "name: storm\nkind: storm\nwhere: {type: " + type +
           "}\nby: [service]\ncritical: {above: " + Number(above) +
           ", ratio: 3, window: " + std::to_string(minutes) + "m, for: " + std::to_string(hold) +
           "m}\n";
}

StormScene::StormScene(const StormWorld* world, const StormWatch& watch, StormKind kind)
    : world_(world), watch_(watch), kind_(kind) {}

std::optional<StormScene> StormScene::Draw(const StormWorld* world, const StormWatch& watch,
                                           StormKind kind, std::uint64_t seed) {
  Random random(seed * 31 + static_cast<std::uint64_t>(kind));
  StormScene scene(world, watch, kind);
  if (!scene.DrawSize(&random)) return std::nullopt;
  bool possible = true;
  switch (kind) {
    case StormKind::kAttack:
      possible = scene.DrawAttack(&random);
      break;
    case StormKind::kBotnet:
      possible = scene.DrawBotnet(&random);
      break;
    case StormKind::kSurge:
      possible = scene.DrawSurge(&random);
      break;
    case StormKind::kClient:
      possible = scene.DrawClient(&random);
      break;
    case StormKind::kUnknown:
      return std::nullopt;
  }
  if (!possible) return std::nullopt;
  return scene;
}

std::optional<StormScene> StormScene::DrawUnknown(const StormWorld* world, const StormWatch& watch,
                                                  Lack lack, std::uint64_t seed) {
  Random random(seed * 31 + 4);
  StormScene scene(world, watch, StormKind::kUnknown);
  if (!scene.DrawSize(&random) || !scene.DrawLack(lack, &random)) return std::nullopt;
  return scene;
}

bool StormScene::DrawLack(Lack lack, Random* random) {
  switch (lack) {
    case Lack::kBaseline:
      // It must not take so long that one is known at its end; and without a ratio a number that is
      // usual here would be a storm from the start.
      ramp_ = std::min(ramp_, 30);
      if (!watch_.gauge && watch_.above < 1.6 * world_->per_pane() * watch_.window) return false;
      [[fallthrough]];
    case Lack::kSources:
    case Lack::kEvents:
      what_ += ", no fields, no baseline or no events";
      return DrawSurge(random);
    case Lack::kWho:
      newcomers_ = 1;
      visit_ = world_->visit_events();
      what_ += ", strangers without a name";
      return true;
    case Lack::kClients:
      newcomers_ = 0;
      what_ += ", known ones, without agents";
      return world_->family().addresses != Addresses::kProxy &&
             noticed_ >= 6 * usual_pace_ * static_cast<double>(world_->population());
    case Lack::kBehind:
      tool_ = "probe-tool/0.1";
      what_ += ", a tool behind a proxy";
      return true;
  }
  return false;
}

bool StormScene::DrawSize(Random* random) {
  usual_pace_ = UsualPace(*world_, watch_.window, random);
  const double usual = world_->per_pane(), in_window = usual * watch_.window;
  noticed_ = watch_.gauge ? std::max(watch_.above, 3 * watch_.usual_open) - watch_.usual_open
                          : std::max(watch_.above, 3 * in_window) - in_window;
  if (watch_.gauge) {
    // As many are opened as make the gauge what it is, at once or in twenty minutes, and they stay.
    const double level = std::max(watch_.above, 3 * watch_.usual_open) * Uniform(random, 1.4, 4);
    events_ = level - watch_.usual_open;
    const double longest = std::min(120.0, events_ / (0.7 * usual));
    const double shortest = std::max(1.0, events_ / kRateMax);
    if (longest < shortest) return false;
    lasts_ = static_cast<int>(std::ceil(LogUniform(random, shortest, longest)));
    rate_ = events_ / lasts_;
    what_ = "gauge to " + Number(level) + " of " + Number(watch_.usual_open) + " in " +
            Number(lasts_ / 6.0) + "m";
    return true;
  }
  const double least = 1.5 * std::max(3.3, watch_.above / (usual * watch_.window));
  const double most = kRateMax / usual;
  if (least > most) return false;
  const double times = LogUniform(random, least, std::min(most, std::max(least, 300.0)));
  rate_ = (times - 1) * usual;
  ramp_ = static_cast<int>(std::ceil(LogUniform(random, 1, 180)));
  events_ = rate_ * watch_.window;
  what_ = "x" + Number(times) + " within " + Number(ramp_ / 6.0) + "m";
  return true;
}

bool StormScene::DrawAttack(Random* random) {
  if (world_->family().addresses == Addresses::kProxy || !world_->has_addresses()) return false;
  // An address that is no busier than others does not attack.
  const double most = noticed_ / (8 * usual_pace_);
  if (most < 1) return false;
  sources_ = static_cast<std::int64_t>(LogUniform(random, 1, std::min(40.0, most) + 0.99));
  skew_ = Uniform(random, 1, 1.5);
  ipv6_ = random->Chance(0.25);
  neighbours_ = !ipv6_ && HasCountry(*world_) && random->Chance(0.3);
  const double tool = random->Uniform();
  if (tool < 0.4) {
    agents_ = {"python-requests/2.31.0"};
  } else if (tool < 0.6) {
    agents_ = {world_->agents()[static_cast<std::size_t>(
        std::max_element(world_->agent_shares().begin(), world_->agent_shares().end()) -
        world_->agent_shares().begin())]};
  } else if (tool < 0.8) {
    agents_ = world_->agents();
  } else {
    for (int i = 0; i < 12; ++i)
      agents_.push_back("Mozilla/4.0 (compatible; probe " +
                        std::string(1, static_cast<char>('a' + i)) + ")");
  }
  user_kind_ = random->Chance(0.15) ? 1 : 0;
  one_endpoint_ = random->Chance(0.7);
  what_ += ", " + std::to_string(sources_) + " addresses, agents like " + agents_[0];
  return true;
}

bool StormScene::DrawBotnet(Random* random) {
  if (world_->family().addresses == Addresses::kProxy || !world_->has_addresses()) return false;
  const double each = LogUniform(random, 1, 20);
  sources_ = static_cast<std::int64_t>(std::max(150.0, events_ / each));
  const double pace = events_ / static_cast<double>(sources_) / usual_pace_;
  skew_ = Uniform(random, 1, 1.3);
  ipv6_ = random->Chance(0.2);
  neighbours_ = !ipv6_ && HasCountry(*world_) && random->Chance(0.25);
  user_kind_ = random->Chance(0.15) ? 1 : 0;
  one_endpoint_ = random->Chance(0.6);
  const std::vector<double>& shares = world_->agent_shares();
  const double tool = random->Uniform();
  if (tool < 0.3) {
    agents_ = {"Go-http/1.1"};
  } else if (tool < 0.45) {
    for (int i = 0; i < 4; ++i) {
      agents_.push_back("bot-" + std::string(1, static_cast<char>('a' + i)) + "/1.0");
    }
  } else if (tool < 0.7) {
    agents_ = {world_->agents()[static_cast<std::size_t>(
        std::max_element(shares.begin(), shares.end()) - shares.begin())]};
  } else if (tool < 0.85) {
    for (int i = 0; i < 30; ++i) {
      agents_.push_back("Mozilla/5.0 (X" + std::string(1, static_cast<char>('a' + i % 26)) +
                        "; like) Opera/" + std::to_string(60 + i));
    }
  } else {
    agents_ = world_->agents();
  }
  const double mix = world_->has_agents() ? world_->MixDistance(agents_) : 0;
  const bool anonymous = user_kind_ == 0 && world_->named() >= 0.35;
  const bool foreign = HasCountry(*world_) && !neighbours_;
  // What would betray them; those who copy the usual clients must be betrayed by more.
  int signs = mix >= 0.6 ? 2 : mix >= 0.4 ? 1 : 0;
  if (anonymous) signs += world_->named() >= 0.8 ? 2 : 1;
  if (foreign) signs += 2;
  if (pace >= 5) signs += pace >= 10 ? 2 : 1;
  what_ += ", " + std::to_string(sources_) + " bots, pace x" + Number(pace) + ", mix " +
           Number(mix) + ", " + (anonymous ? "anonymous, " : "") + (foreign ? "foreign, " : "") +
           "agents like " + agents_[0];
  return signs >= (mix < 0.35 ? 3 : 2);
}

bool StormScene::DrawSurge(Random* random) {
  user_kind_ = 2;
  const bool hidden = world_->family().addresses == Addresses::kNat ||
                      world_->family().addresses == Addresses::kDynamic ||
                      world_->family().addresses == Addresses::kProxy;
  const double known_most =
      2 * usual_pace_ * static_cast<double>(world_->population()) / events_;  // at twice the pace
  const double kind = random->Uniform();
  if (kind < 0.25 || (world_->family().addresses == Addresses::kOffice && known_most < 1)) {
    // Everybody reconnects, as after an outage.
    newcomers_ = Uniform(random, 0, 0.05);
    visit_ = 1;
    what_ += ", reconnects";
  } else {
    const double least = std::clamp(1 - known_most, 0.0, 1.0);
    newcomers_ = random->Chance(0.25) ? least : Uniform(random, least, 1);
    visit_ = std::max(1.0, world_->visit_events() * Uniform(random, 0.8, 1.6));
    // Where users cannot be told apart a crowd of one version behind one address would look like
    // one client that goes mad.
    if (random->Chance(0.3) && (!hidden || world_->named() >= 0.35)) {
      newcomers_ = std::max(newcomers_, std::clamp(1 - known_most / 8, 0.0, 1.0));
      visit_ = std::max(1.0, world_->visit_events() * Uniform(random, 0.8, 1.15));
      release_ = Uniform(random, 0.5, 1);
      released_ = Pick(random, world_->agent_shares());
      if (newcomers_ < 0.3) focus_ = Uniform(random, 0, 0.9);
    } else if (random->Chance(0.4)) {
      landing_ = Uniform(random, 0.2, 0.9);
    }
    what_ += ", " + Number(newcomers_) + " new, visits of " + Number(visit_) + ", release " +
             Number(release_) + ", landing " + Number(landing_);
  }
  return true;
}

bool StormScene::DrawClient(Random* random) {
  if (!world_->has_agents()) return false;
  const Addresses kind = world_->family().addresses;
  const bool dynamic = kind == Addresses::kDynamic || kind == Addresses::kProxy;
  const std::vector<double>& shares = world_->agent_shares();
  const std::size_t agent = static_cast<std::size_t>(random->Below(std::ssize(shares)));
  const bool new_version = random->Chance(0.3) || shares[agent] > 0.95;
  if (!new_version && shares[agent] < 0.02) return false;
  if (new_version && dynamic && world_->named() < 0.35) return false;
  loop_agent_ =
      new_version ? StormWorld::NextVersion(world_->agents()[agent]) : world_->agents()[agent];
  // When it is noticed each has come at least five times as often as usual. They are some of those
  // who are here now and then.
  const double most = noticed_ / (5 * usual_pace_);
  const double share = Uniform(random, 0.05, 1);
  const double visits = world_->quiet_panes() * world_->per_pane() / world_->visit_events();
  std::set<std::int64_t> tried;
  for (double i = 0; i < visits && static_cast<double>(loopers_.size()) < most; ++i) {
    const std::int64_t client = world_->Regular(random);
    if (!tried.insert(client).second) continue;
    const bool holds = new_version || world_->AgentOf(client) == agent;
    if (holds && random->Chance(share)) loopers_.push_back(client);
  }
  // Too few of them in a crowd of which not all were seen, or of whom no name is known, look like
  // an attack.
  const bool all_seen = !dynamic && visits >= 5 * static_cast<double>(world_->population());
  const bool can_tell = world_->population() <= 1'000 && (world_->named() >= 0.35 || all_seen);
  if (loopers_.size() < 3 || (loopers_.size() < 100 && !can_tell)) return false;
  user_kind_ = 2;
  what_ += ", " + std::to_string(loopers_.size()) + " clients of " + loop_agent_ + " (" +
           Number(new_version ? 0 : shares[agent]) + ")";
  return true;
}

double StormScene::Rate(int pane) const {
  if (pane >= lasts_) return 0;
  return rate_ * std::min(1.0, (pane + 1.0) / ramp_);
}

Sender StormScene::One(Random* random) {
  switch (kind_) {
    case StormKind::kAttack:
    case StormKind::kBotnet: {
      const auto host = static_cast<std::int64_t>(static_cast<double>(sources_) *
                                                  Pow(std::max(1e-12, random->Uniform()), skew_));
      Sender sender;
      sender.address =
          neighbours_ ? world_->NeighbourAddress(host) : StormWorld::ForeignAddress(host, ipv6_);
      // A bot keeps its agent or changes it each time; either is a rotation.
      sender.agent = agents_[static_cast<std::size_t>(random->Below(std::ssize(agents_)))];
      if (user_kind_ == 1) sender.user = "guess-" + std::to_string(random->Below(1'000'000));
      sender.endpoint = one_endpoint_ ? "/api/v1/part-0" : world_->EndpointFor(random);
      return sender;
    }
    case StormKind::kSurge:
    case StormKind::kUnknown: {
      const bool is_new = random->Chance(newcomers_);
      Sender sender = world_->ClientAs(
          is_new ? world_->Newcomer(random) : random->Below(world_->population()), random);
      if (!tool_.empty()) sender.agent = tool_;
      if (release_ > 0) Update(random, &sender);
      if (random->Chance(landing_)) sender.endpoint = "/campaign";
      return sender;
    }
    case StormKind::kClient: {
      const std::int64_t client =
          loopers_[static_cast<std::size_t>(random->Below(std::ssize(loopers_)))];
      Sender sender = world_->ClientAs(client, random);
      sender.agent = loop_agent_;
      return sender;
    }
  }
  return {};
}

void StormScene::Update(Random* random, Sender* sender) const {
  const std::string& version = world_->agents()[released_];
  const std::string app = StormWorld::FamilyOf(version);
  const auto has_app = [&] { return StormWorld::FamilyOf(sender->agent) == app; };
  for (int i = 0; i < 40 && !has_app() && random->Chance(focus_); ++i) {
    *sender = world_->ClientAs(random->Below(world_->population()), random);
  }
  if (has_app() && random->Chance(release_)) sender->agent = StormWorld::NextVersion(version);
}

void StormScene::Pane(int pane, double part, Random* random, EmitEvent emit) {
  for (int visits = random->Poisson(part * Rate(pane) / visit_); visits > 0; --visits) {
    int events = 1;
    while (events < 200 && random->Chance(1 - 1 / visit_)) ++events;
    Sender sender = One(random);
    open_ += events;  // they stay
    for (; events > 0; --events) {
      world_->Send(sender, random, emit);
      if (landing_ == 0 && !one_endpoint_) sender.endpoint = world_->EndpointFor(random);
    }
  }
}

}  // namespace tocsin
