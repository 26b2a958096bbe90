// What the sources of a storm are, compared with what is usual: the facts that label it, and the
// evidence of them.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/math.h"
#include "detectors/storm_sources.h"

namespace tocsin {
namespace {

// The history required before anything is compared with the usual. Events of the same source are
// not independent, so the number of sources counts, not only that of events.
constexpr int kMinutesNeeded = 30;
constexpr double kEventsNeeded = 30, kSourcesNeeded = 20;
// Behind a proxy the number of sources is unknown: assume a third of the events.
constexpr double kEventsPerHiddenSource = 3;

// At most one heavy address per this many events: among few events any ten addresses would have
// half.
constexpr double kEventsPerHeavy = 6;
// The heavy addresses that make up this part of the heavy share are examined, over at most two
// chunks.
constexpr double kHeavyMost = 0.9, kHeavyChunksMax = 2;
// A proxy in front: ten addresses send this share of all events, hardly any event is from a new
// address, and there are more users than addresses.
constexpr std::size_t kSharedAddresses = 10;
constexpr double kSharedShare = 0.8, kSharedNewMax = 0.25, kSharedUsers = 1.5, kHiddenShare = 0.5;
// If most sources are new at any time, new ones mean nothing; if, in addition, nearly every event
// has its own source, the number of events per source means nothing either.
constexpr double kNewUsuallyMax = 0.85, kOncePace = 1.15;
// With this many times the usual sources, those beyond the usual are examined by themselves.
constexpr double kMoreSources = 1.5;
// A smaller excess of a ranking is of no use.
constexpr double kRankedExcessMin = 0.05;
// Users are evidence if the excess has half as many as usual, and some are usual; not if one name
// stands for fifty addresses.
constexpr double kNamedUsuallyMin = 0.1, kNamedKept = 0.5, kUsersPerAddress = 0.02;
// Networks are evidence if new sources usually come from few networks, each known from several
// sources.
constexpr double kEffectiveNetworksMax = 40, kNetworksListed = 0.8, kPerNetwork = 6;
constexpr double kAtHomeMin = 0.35, kStrangersMin = 10, kStrangersShare = 0.3;

// One client: it has half of the excess, and four times the odds of its usual share; for a client
// never seen before a usual share of 2 % is assumed, so that a new version is not blamed at once.
constexpr double kClientShare = 0.5, kClientOdds = 4, kNewClientShare = 0.02, kClientSigmas = 3;
constexpr double kClientKnown = 0.005;
// Heavy addresses are new when clearly more of them are new than usual, known when hardly more are.
constexpr double kHeavyNewMargin = 0.1, kHeavyNewSigmas = 2, kHeavyKnown = 0.3;

double Odds(double share) { return share / std::max(1e-9, 1 - share); }

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Position of a share between the usual share (0) and 1 (1).
double Beyond(double share, double usual) {
  return std::clamp((share - usual) / std::max(1e-9, 1 - usual), 0.0, 1.0);
}

}  // namespace

StormSources::Amounts StormSources::Both() const {
  Amounts both = older_;
  both.AddUp(newer_);
  return both;
}

double StormSources::Excess(double now, double usual) const {
  return now > 0 ? std::clamp(1 - usual * Chunks() / now, 0.0, 1.0) : 0;
}

double StormSources::ShareOfExcess(double now, double usual) const {
  const double excess = Both().events - hour_.amounts.events * Chunks();
  return excess > 0 ? std::clamp((now - usual * Chunks()) / excess, 0.0, 1.0) : 0;
}

StormFacts StormSources::Facts() const {
  const Amounts both = Both();
  const Amounts& usual = hour_.amounts;
  const double minutes_per_chunk = 60 / chunks_per_hour_;
  StormFacts facts;
  facts.observed_minutes = static_cast<int>(observed_ / chunk_panes_ * minutes_per_chunk);
  facts.minutes_needed = kMinutesNeeded;
  facts.usual_seen = learned_events_;
  facts.usual_known = facts.observed_minutes >= kMinutesNeeded &&
                      learned_events_ >= kEventsNeeded &&
                      (learned_sources_ >= kSourcesNeeded || Crowded());
  facts.events = both.events;
  facts.usual_events = usual.events * Chunks();
  facts.excess = Excess(both.events, usual.events);
  facts.addressed = ShareOfExcess(both.addressed, usual.addressed);
  facts.agented = ShareOfExcess(both.agented, usual.agented);
  facts.named = ShareOfExcess(both.named, usual.named);
  facts.named_usual = Ratio(usual.named, usual.events);
  if (options_.attempts) {
    facts.failing = ShareOfExcess(both.failed, usual.failed);
    facts.failing_usual = Ratio(usual.failed, usual.events);
  }
  AddAddressFacts(&facts);
  AddUserFacts(&facts);
  AddMixFacts(&facts);
  return facts;
}

bool StormSources::Crowded() const {
  const double users = hour_.users.one;
  return usual_top_addresses_.ShareOfTop(kSharedAddresses) >= kSharedShare &&
         recent_.amounts.fresh <= kSharedNewMax * recent_.amounts.ranked &&
         (!(users > 0) || users >= kSharedUsers * hour_.addresses.one);
}

bool StormSources::HiddenBehind(double excess) const {
  if (!Crowded()) return false;
  const SpaceSaving top = top_addresses_.Merged();
  double share = 0, usual = 0;
  for (const SpaceSaving::Entry& entry : top.entries()) {
    const double listed = usual_top_addresses_.Share(MixKeyOf(entry.key));
    if (!(listed > 0)) continue;
    share += Ratio(static_cast<double>(entry.count), static_cast<double>(top.total()));
    usual += listed;
  }
  return (share - (1 - excess) * usual) / excess >= kHiddenShare;
}

// The share of new sources; among those beyond the usual number if there are many of these.
double StormSources::ShareOfNew(const HyperLogLog& now, const SeenItems& seen,
                                const Distinct& recent, double usual) const {
  const double all = now.Estimate(), fresh = seen.NewIn(now);
  if (all < kMoreSources * usual) return Ratio(fresh, all);
  return (fresh - recent.NewShare() * usual) / std::max(1.0, all - usual);
}

void StormSources::AddAddressFacts(StormFacts* facts) const {
  const Amounts both = Both();
  const double excess = Excess(both.addressed, hour_.amounts.addressed);
  facts->usual_addresses = hour_.addresses.In(Chunks());
  if (!(excess > 0)) return;
  facts->shared_addresses = HiddenBehind(excess);
  AddHeavyFacts(excess, facts);
  if (facts->shared_addresses) return;
  const double new_usually = Ratio(recent_.amounts.fresh, recent_.amounts.ranked);
  const bool tells = new_usually <= kNewUsuallyMax;
  // In a storm a ranking still lists only as many as it has room for, so its own excess is used.
  const double of_ranked = Excess(both.ranked, hour_.amounts.ranked);
  if (tells && facts->usual_known && both.ranked >= kEventsNeeded &&
      of_ranked >= kRankedExcessMin) {
    const double seen = Ratio(both.fresh, both.ranked);
    double strangers = Beyond((seen - (1 - of_ranked) * new_usually) / of_ranked, new_usually);
    // Sources that come once are not in a ranking.
    const HyperLogLog now = addresses_.Both();
    if (now.Estimate() >= kMoreSources * facts->usual_addresses &&
        recent_.addresses.NewShare() <= kNewUsuallyMax) {
      const double share =
          ShareOfNew(now, seen_addresses_, recent_.addresses, facts->usual_addresses);
      strangers = std::max(strangers, Beyond(share, recent_.addresses.NewShare()));
    }
    facts->strangers = strangers;
  }
  const double each = Ratio(both.addressed, addresses_.Both().Estimate());
  const double usual_each = Ratio(days_.amounts.addressed * Chunks(), days_.addresses.In(Chunks()));
  if (!(usual_each > 0)) return;
  facts->pace = each / usual_each;
  facts->pace_tells = tells || each > kOncePace || usual_each > kOncePace;
}

void StormSources::AddHeavyFacts(double excess, StormFacts* facts) const {
  struct Heavy {
    double beyond, usual;
    SpaceSaving::Entry entry;
  };
  const SpaceSaving top = top_addresses_.Merged();
  std::vector<Heavy> heavies;
  for (const SpaceSaving::Entry& entry : top.Top(kHeavyMax)) {
    const double usual = usual_top_addresses_.Share(MixKeyOf(entry.key));
    const double share = Ratio(static_cast<double>(entry.count), static_cast<double>(top.total()));
    heavies.push_back({std::max(0.0, share - usual) / excess, usual, entry});
  }
  std::stable_sort(heavies.begin(), heavies.end(),
                   [](const Heavy& a, const Heavy& b) { return a.beyond > b.beyond; });
  const double events = excess * static_cast<double>(top.total());
  const auto few = static_cast<std::size_t>(
      std::clamp(events / kEventsPerHeavy, 1.0, static_cast<double>(kHeavyMax)));
  heavies.resize(std::min(heavies.size(), few));
  for (const Heavy& heavy : heavies) facts->heavy_share += heavy.beyond;
  facts->heavy_share = std::min(1.0, facts->heavy_share);
  const HyperLogLog seen = seen_addresses_.All();
  const double novelty = seen.NoveltyChance();
  double share = 0, count = 0, listed = 0, fresh = 0, all_seen = 1;
  for (const Heavy& heavy : heavies) {
    if (share >= kHeavyMost * facts->heavy_share) break;
    share += heavy.beyond;
    count += static_cast<double>(heavy.entry.count);
    ++facts->heavy_count;
    if (heavy.usual > 0) listed += heavy.beyond;
    if (heavy.usual > 0) continue;
    all_seen *= 1 - novelty;
    if (!seen.MayContain(Hash64(heavy.entry.key))) fresh += heavy.beyond / novelty;
  }
  if (facts->heavy_count == 0) return;
  const double chunks = std::min(Chunks(), kHeavyChunksMax);
  const double usual_each = Ratio(days_.amounts.addressed * chunks, days_.addresses.In(chunks));
  // Behind a proxy a usual source is a crowd; an address beside the proxy is a single source.
  facts->heavy_pace =
      Crowded() || !(usual_each > 0) ? 1e6 : count / facts->heavy_count / usual_each;
  const double new_usually =
      recent_.amounts.ranked > 0 ? recent_.amounts.fresh / recent_.amounts.ranked : 1;
  const double usual = std::min(1.0, new_usually);
  const double sigma = SquareRoot(usual * (1 - usual) / facts->heavy_count);
  const double new_share = std::min(1.0, Ratio(fresh, share));
  if (listed >= share / 2) {
    facts->heavy_known = true;
  } else if (new_share > usual + kHeavyNewSigmas * sigma + kHeavyNewMargin) {
    facts->heavy_known = false;
  } else if (usual <= kNewUsuallyMax && new_share <= usual + kHeavyKnown * (1 - usual) &&
             all_seen <= kHeavyNewMargin) {
    facts->heavy_known = true;
  }
}

void StormSources::AddUserFacts(StormFacts* facts) const {
  const Amounts both = Both();
  const HyperLogLog now = users_.Both();
  const double users = now.Estimate(), usual = hour_.users.In(Chunks());
  facts->users = std::max(0.0, users - usual);
  const bool present = facts->named_usual >= kNamedUsuallyMin &&
                       facts->named >= kNamedKept * facts->named_usual &&
                       users >= kUsersPerAddress * addresses_.Both().Estimate();
  if (options_.attempts || !present || !(users > 0) || !(usual > 0)) return;
  const double new_usually = recent_.users.NewShare();
  const bool tells = new_usually <= kNewUsuallyMax;
  if (tells) {
    facts->user_strangers = Beyond(ShareOfNew(now, seen_users_, recent_.users, usual), new_usually);
  }
  const double each = both.named / users;
  const double usual_each = Ratio(days_.amounts.named * Chunks(), days_.users.In(Chunks()));
  if (!(usual_each > 0)) return;
  facts->user_pace = each / usual_each;
  facts->user_pace_tells = tells || each > kOncePace || usual_each > kOncePace;
}

void StormSources::AddMixFacts(StormFacts* facts) const {
  const Amounts both = Both();
  const bool hidden = Crowded() && !(hour_.users.one > 0);
  const double sources = std::max(addresses_.Both().Estimate(), users_.Both().Estimate());
  const double usual_choices = hidden ? learned_events_ / kEventsPerHiddenSource : learned_sources_;
  const double choices = hidden || !(sources > 0) ? both.events / kEventsPerHiddenSource : sources;
  const auto distance_of = [&](const UsualMix& usual, const MixWindow& now, double excess) {
    const double distance = std::min(1.0, usual.Distance(now.Merged()) / excess);
    // A mix that is entirely different is not so by chance.
    const double noise = usual.Noise(usual_choices, choices) / excess * (1 - distance);
    return std::max(0.0, distance - noise);
  };
  const double of_agents = Excess(both.agented, hour_.amounts.agented);
  if (of_agents > 0) {
    AddAgentFacts(of_agents, facts);
    if (!usual_families_.empty() && facts->agented >= kNamedKept) {
      facts->clients = distance_of(usual_families_, families_, of_agents);
    }
  }
  if (facts->excess > 0 && !usual_endpoints_.empty()) {
    facts->endpoints = distance_of(usual_endpoints_, endpoints_, facts->excess);
  }
  AddNetworkFacts(facts);
}

void StormSources::AddNetworkFacts(StormFacts* facts) const {
  const double usual = Ratio(days_.amounts.at_home, days_.amounts.networks);
  const double effective = usual_networks_.EffectiveValues();
  const double known_from = usual_networks_.total() * std::min(learned_, kDaysChunks);
  if (facts->shared_addresses || usual < kAtHomeMin || effective > kEffectiveNetworksMax ||
      usual_networks_.ShareOfTop(kNetworks) < kNetworksListed ||
      known_from < std::max(kEventsNeeded, kPerNetwork * effective)) {
    return;
  }
  // Use only new addresses beyond the number that usually comes.
  const Amounts both = Both();
  const double beyond = both.networks - recent_.amounts.networks * Chunks();
  const double at_home = std::max(0.0, both.at_home - recent_.amounts.at_home * Chunks());
  if (beyond < std::max(kStrangersMin, kStrangersShare * both.networks)) return;
  facts->networks = std::clamp(1 - at_home / beyond / usual, 0.0, 1.0);
}

void StormSources::AddAgentFacts(double excess, StormFacts* facts) const {
  const SpaceSaving top = top_agents_.Merged();
  for (const SpaceSaving::Entry& entry : top.Top(kHeavyMax)) {
    const double usual = usual_agents_.Share(MixKeyOf(entry.key));
    const double share = Ratio(static_cast<double>(entry.count), static_cast<double>(top.total()));
    const double of_excess = std::clamp((share - (1 - excess) * usual) / excess, 0.0, 1.0);
    if (!facts->agent.empty() && of_excess <= facts->agent_share) continue;
    facts->agent = entry.key;
    facts->agent_share = of_excess;
    facts->agent_usual = usual;
  }
  if (facts->agent.empty() || usual_agents_.empty()) return;
  facts->agent_known = facts->agent_usual >= kClientKnown;
  facts->family_known = usual_families_.Share(AgentFamily(facts->agent)) >= kClientKnown;
  const double usual = std::min(
      1.0, std::max({kNewClientShare, facts->agent_usual, usual_agents_.ShareOfUnlisted()}));
  const double sigma = SquareRoot(
      usual * (1 - usual) / std::max(1.0, usual_agents_.total() * std::min(learned_, kDaysChunks)));
  facts->one_client = facts->agent_share >= kClientShare &&
                      Odds(facts->agent_share) >= kClientOdds * Odds(usual) &&
                      facts->agent_share - usual >= kClientSigmas * sigma;
}

void StormSources::ExplainNow(EvidenceList* list) const {
  list->Number("samples", "distinct_addresses", addresses_.Both().Estimate());
  const double users = users_.Both().Estimate();
  if (users > 0) list->Number("samples", "distinct_users", users);
}

void StormSources::ExplainUsual(EvidenceList* list) const {
  const double addresses = hour_.addresses.In(Chunks()), users = hour_.users.In(Chunks());
  if (addresses > 0) list->Number("baseline", "distinct_addresses", addresses);
  if (users > 0) list->Number("baseline", "distinct_users", users);
}

void StormSources::ExplainTop(EvidenceList* list) const {
  const SpaceSaving addresses = top_addresses_.Merged();
  const Amounts both = Both();
  list->Number("top", "share_of_top_10_addresses", addresses.TopShare(10))
      .Number("top", "share_of_addresses_never_seen", std::min(1.0, Ratio(both.fresh, both.ranked)))
      .Top("client_ip", addresses, 10)
      .Top("user_agent", top_agents_.Merged(), 5)
      .Top("endpoint", top_endpoints_.Merged(), 5);
}

}  // namespace tocsin
