#include "detectors/storm_label.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// Fewer events are too few for a share, and a smaller excess for a share of the excess.
constexpr double kEventsMin = 50;
constexpr double kExcessMin = 0.15;
// A field that a smaller share of the events has says too little about them.
constexpr double kPresent = 0.5;

// Few addresses: they make up this share, and each is this many times as busy as a usual one.
constexpr double kFewShare = 0.5;
constexpr double kHeavyPace = 5;
// This many users per address are a crowd behind a gateway, unless nearly all users are new.
constexpr double kCrowdUsers = 8, kMadeUpUsers = 0.8;
// The most users counted for machines: per address, and in addition.
constexpr double kMachineUsers = 4, kMachineUsersSlack = 8;
// Limits for a label without a baseline, where only a plain case is labelled.
constexpr double kPlainShare = 0.8;
constexpr int kPlainAddresses = 10;

// Paces relative to the usual: beyond the error of sketches and a short stretch; beyond new
// visitors; beyond people.
constexpr double kLoopPace = 1.4;
constexpr double kFastPace = 3;
constexpr double kVeryFastPace = 10;

// Distances of mixes. A crowd is never exactly the usual mix; an odd crowd shares little with it,
// an alien one hardly anything.
constexpr double kUsualMix = 0.35;
constexpr double kOddMix = 0.6;
constexpr double kAlienMix = 0.8;
constexpr double kHomeNetworks = 0.25;

// From this share of new sources or users on, they are not the usual ones.
constexpr double kMostlyStrangers = 0.5;

enum class Sources { kUnclear, kKnown, kStrange };

class Case {
 public:
  explicit Case(const StormFacts& facts) : facts_(facts) {}

  StormVerdict Label() const {
    if (!facts_.usual_known) return LabelWithoutUsual();
    if (facts_.events < kEventsMin || facts_.excess < kExcessMin) return Unknown();
    if (!HasAddresses() && !HasAgents() && !HasUsers()) return Unknown();
    if (FewAddresses()) return LabelFew();
    return facts_.one_client ? LabelOneClient() : LabelMany();
  }

 private:
  bool HasAddresses() const { return facts_.addressed >= kPresent; }
  bool HasAgents() const { return facts_.agented >= kPresent; }
  bool HasUsers() const { return facts_.named >= kPresent; }
  bool UsualClients() const { return facts_.clients && *facts_.clients <= kUsualMix; }
  bool OddClients() const { return facts_.clients && *facts_.clients >= kOddMix; }
  bool FromElsewhere(double at_least) const {
    return facts_.networks && *facts_.networks >= at_least;
  }
  bool KnownUsers() const {
    return facts_.user_strangers && *facts_.user_strangers < kMostlyStrangers;
  }

  bool FewAddresses() const {
    return HasAddresses() && facts_.heavy_share >= kFewShare && facts_.heavy_pace >= kHeavyPace;
  }
  bool ManyUsers() const { return facts_.users >= kCrowdUsers * facts_.heavy_count; }
  // Many users behind the heavy addresses, none busier than usual. Unless both are known, they may
  // be made up: new names from new addresses.
  bool Crowd() const {
    const bool made_up =
        facts_.heavy_known != true && facts_.user_strangers.value_or(1) > kMadeUpUsers;
    return ManyUsers() && facts_.user_pace && *facts_.user_pace <= kFastPace && !made_up;
  }
  // Anonymous: many events usually have a user, now hardly any has. AsNamedAsEver: about as many as
  // usual have one.
  bool Anonymous() const {
    return facts_.named_usual >= 0.3 && facts_.named <= 0.3 * facts_.named_usual;
  }
  bool AsNamedAsEver() const {
    return facts_.named_usual >= 0.3 && facts_.named >= 0.5 * facts_.named_usual;
  }

  Sources SourcesAre() const {
    if (KnownUsers()) return Sources::kKnown;
    if (FromElsewhere(kAlienMix)) return Sources::kStrange;
    if (facts_.strangers) {
      return *facts_.strangers < kMostlyStrangers ? Sources::kKnown : Sources::kStrange;
    }
    return facts_.user_strangers ? Sources::kStrange : Sources::kUnclear;
  }
  // Prefer users: one who changes addresses, or shares one, is still one user.
  std::optional<double> Pace() const { return facts_.user_pace ? facts_.user_pace : facts_.pace; }
  bool PaceIs(double at_least) const { return Pace() && *Pace() >= at_least; }
  bool PaceTells() const {
    return facts_.user_pace ? facts_.user_pace_tells : facts_.pace && facts_.pace_tells;
  }

  int Circumstances() const;
  int Score() const;
  StormVerdict LabelWithoutUsual() const;
  StormVerdict LabelFew() const;
  StormVerdict LabelOneClient() const;
  StormVerdict LabelMany() const;
  StormVerdict LabelByScore() const;
  StormVerdict Unknown() const;

  StormVerdict Surge(std::string reason) const { return {"surge", std::move(reason), {}}; }
  StormVerdict Client() const;
  StormVerdict Attack() const;
  StormVerdict Botnet() const;
  std::string PaceText() const;

  const StormFacts& facts_;
};

std::string Percent(double share) {
  return absl::StrCat(static_cast<int>(std::clamp(share, 0.0, 1.0) * 100 + 0.5), " %");
}

// Points for hostile new sources minus points for a crowd, apart from their clients and their pace.
int Case::Circumstances() const {
  int score = 0;
  if (Anonymous()) score += facts_.named_usual >= 0.9 ? 3 : facts_.named_usual >= 0.6 ? 2 : 1;
  // Names cost nothing, so new ones count only if the clients are the usual ones.
  const bool plausible = UsualClients() || facts_.user_strangers.value_or(1) < kMadeUpUsers;
  if (plausible && facts_.user_pace && *facts_.user_pace <= kFastPace) score -= 1;
  if (facts_.networks) {
    if (FromElsewhere(kOddMix)) score += FromElsewhere(kAlienMix) ? 3 : 2;
    if (*facts_.networks < kHomeNetworks) score -= 1;
  }
  if (facts_.endpoints) {
    if (*facts_.endpoints >= kOddMix) score += 1;
    if (*facts_.endpoints <= kUsualMix) score -= 1;
  }
  if (facts_.failing && *facts_.failing >= 0.5 && *facts_.failing_usual <= 0.3) score += 2;
  return score;
}

int Case::Score() const {
  int score = Circumstances();
  // A crowd with one client that is otherwise one among several here is not a usual crowd.
  const bool one_of_ours = facts_.one_client && facts_.agent_usual > 0;
  if (OddClients()) {
    score += *facts_.clients >= kAlienMix ? 3 : 2;
  } else if (facts_.clients) {
    score += UsualClients() && !one_of_ours ? -1 : 1;
  }
  if (facts_.one_client && !facts_.family_known) score += 1;
  // The pace of known sources only shows that they return, as a crowd does too.
  if (SourcesAre() == Sources::kStrange) {
    if (PaceIs(kFastPace)) score += 1;
    if (PaceIs(kVeryFastPace)) score += 1;
  }
  return score;
}

StormVerdict Case::LabelWithoutUsual() const {
  // A pattern that any proxy could show is not enough: require very few addresses with the same
  // client.
  const bool one_kind = !HasAgents() || facts_.agent_share >= kPlainShare;
  if (facts_.events >= kEventsMin && HasAddresses() && facts_.heavy_share >= kPlainShare &&
      facts_.heavy_count <= kPlainAddresses && one_kind && !ManyUsers()) {
    return Attack();
  }
  return Unknown();
}

StormVerdict Case::LabelFew() const {
  if (Crowd() && (UsualClients() || !facts_.clients)) {
    return Surge("many users at their usual pace, behind few addresses");
  }
  // Where events always have a user, regular clients do not come without one.
  const bool nameless = Anonymous() && facts_.named_usual >= 0.9;
  const bool one_of_ours = facts_.one_client && (facts_.family_known || KnownUsers()) && !nameless;
  if (facts_.heavy_known == true) {
    if (one_of_ours) return Client();
    if (!facts_.clients && !KnownUsers()) return Unknown();
    if (!facts_.one_client && !OddClients()) {
      return Surge("the usual clients, behind addresses that are known");
    }
  }
  // Machines, each with its own user, that may or may not have been here before.
  const bool machines = facts_.users <= kMachineUsers * facts_.heavy_count + kMachineUsersSlack;
  if (!facts_.heavy_known && one_of_ours && AsNamedAsEver() && machines) return Client();
  return Attack();
}

StormVerdict Case::LabelOneClient() const {
  const auto client_or_release = [this] {
    if (facts_.agent_known || PaceIs(kLoopPace)) return Client();
    return Surge(absl::StrCat("a new version of a client that is usual here, ", PaceText()));
  };
  const Sources sources = SourcesAre();
  if (sources == Sources::kKnown && !Anonymous()) {
    return PaceTells() ? client_or_release() : Client();
  }
  const bool harmless = facts_.family_known && !Anonymous() && !FromElsewhere(kOddMix);
  if (sources == Sources::kStrange) {
    // Users who log in as usual, and return again and again.
    return harmless && AsNamedAsEver() && PaceIs(kLoopPace) ? Client() : LabelByScore();
  }
  if (!harmless) return LabelByScore();
  return PaceTells() && !PaceIs(kLoopPace) ? LabelByScore() : client_or_release();
}

StormVerdict Case::LabelMany() const {
  if (SourcesAre() != Sources::kKnown || OddClients()) return LabelByScore();
  // Without user agents, one client in a loop looks like all clients.
  if (!facts_.clients && PaceIs(kFastPace)) return Unknown();
  if (PaceIs(kFastPace)) return Surge("known sources with the usual clients come again and again");
  return Surge(absl::StrCat("known sources, ", PaceText()));
}

StormVerdict Case::LabelByScore() const {
  const int score = Score();
  const bool odd = facts_.clients && !UsualClients() && !AsNamedAsEver();
  if (score > 0 || (score == 0 && odd)) {
    // It is unknown whether the sources are few or many.
    if (!HasAddresses() || facts_.shared_addresses) return Unknown();
    return Botnet();
  }
  if (score == 0 && !facts_.clients) return Unknown();
  return Surge(
      absl::StrCat(UsualClients() ? "the usual clients" : "many sources", ", ", PaceText()));
}

std::string Case::PaceText() const {
  const std::optional<double> pace = Pace();
  if (!pace) return "from many sources";
  return absl::StrCat("each ", *pace < kFastPace ? "at the usual pace" : "busier than usual");
}

StormVerdict Case::Client() const {
  return {"client",
          absl::StrCat(ToAbsl(facts_.agent), " makes up ", Percent(facts_.agent_share),
                       " of what is beyond the usual, and usually ", Percent(facts_.agent_usual)),
          {}};
}

StormVerdict Case::Attack() const {
  std::string known;
  if (facts_.heavy_known) known = *facts_.heavy_known ? ", seen before," : ", never seen before,";
  return {"attack",
          absl::StrCat(facts_.heavy_count, facts_.heavy_count == 1 ? " address" : " addresses",
                       known, facts_.heavy_count == 1 ? " makes up " : " make up ",
                       Percent(facts_.heavy_share), " of what is beyond the usual"),
          {}};
}

StormVerdict Case::Botnet() const {
  std::vector<std::string> reasons;
  if (facts_.strangers && *facts_.strangers >= kMostlyStrangers) {
    reasons.emplace_back("addresses that were never seen");
  } else {
    reasons.emplace_back("many addresses");
  }
  if (facts_.clients && !UsualClients()) reasons.emplace_back("clients that are not usual here");
  if (Anonymous()) reasons.emplace_back("without users");
  if (facts_.networks && *facts_.networks >= kOddMix) {
    reasons.emplace_back("from networks that are not usual here");
  }
  if (PaceIs(kFastPace)) reasons.emplace_back("each busier than usual");
  std::string text;
  for (const std::string& reason : reasons) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", reason);
  }
  return {"botnet", std::move(text), {}};
}

StormVerdict Case::Unknown() const {
  StormVerdict verdict = {"unknown", "", {}};
  const auto add = [&](const char* name, std::string text) {
    verdict.missing.push_back({name, std::move(text)});
  };
  const auto rounded = [](double value) { return static_cast<std::int64_t>(value + 0.5); };
  if (!facts_.usual_known && facts_.observed_minutes < facts_.minutes_needed) {
    add("baseline", absl::StrCat("no baseline yet: ", facts_.observed_minutes, " of ",
                                 facts_.minutes_needed, " min"));
  } else if (!facts_.usual_known) {
    add("baseline", absl::StrCat("no baseline: ", rounded(facts_.usual_seen), " events in ",
                                 facts_.observed_minutes, " quiet min"));
  } else if (facts_.events < kEventsMin || facts_.excess < kExcessMin) {
    add("events", absl::StrCat("hardly more events than usual: ", rounded(facts_.events),
                               ", usually ", rounded(facts_.usual_events)));
    return verdict;
  }
  if (facts_.events <= 0) return verdict;
  const auto absent = [&](const char* name, const char* what, double share) {
    if (share >= kPresent) return;
    add(name, share < 0.01 ? absl::StrCat("no ", what, " in the events")
                           : absl::StrCat(what, " in only ", Percent(share), " of the events"));
  };
  absent("client_ip", "client addresses", facts_.addressed);
  if (HasAddresses() && facts_.shared_addresses) {
    add("client_ip", "client addresses are hidden: nearly all events come through the same few");
  }
  absent("user_agent", "user agents", facts_.agented);
  absent("user", "users", facts_.named);
  if (verdict.missing.empty()) {
    add("client_ip", "addresses that are known: at any time nearly all of them are new");
  }
  return verdict;
}

}  // namespace

StormVerdict LabelStorm(const StormFacts& facts) { return Case(facts).Label(); }

}  // namespace tocsin
