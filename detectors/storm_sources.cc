#include "detectors/storm_sources.h"

#include <algorithm>
#include <map>

#include "core/client_network.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/math.h"

namespace tocsin {
namespace {

enum MeasureIndex : std::size_t {
  kNamed = StormSources::kEvents + 1,
  kFailed,
  kAddresses,
  kAgents,
  kDistinctAddresses,
  kDistinctUsers,
  kEndpoints
};
constexpr std::uint32_t kTopEndpoints = 32;

// Six chunks are the half hour after which a rate is known. A storm that grows within half an hour
// has grown by a half during one chunk.
constexpr DurationUs kChunk = 5 * kMinuteUs;
// A long storm is examined in stretches of this many chunks.
constexpr double kStormChunks = 4;
// Number of chunks in the recent average.
constexpr double kRecentChunks = 3;
// A rate this many times the usual is not learned at once; once it has lasted an hour it is the new
// usual.
constexpr double kCalmRise = 1.5;
constexpr double kCalmChunksMin = 6;
// Below this chance too few of the new items would be recognised as new.
constexpr double kNoveltyMin = 0.02;

constexpr std::size_t kAgentsKept = 16, kEndpointsKept = 8;
constexpr std::size_t kUsualAgents = 32, kFamilies = 24, kEndpointMix = 16;

}  // namespace

template <typename Self, typename Visit>
void StormSources::Amounts::ForEach(Self& self, Visit visit) {
  visit(&Amounts::panes, self.panes);
  visit(&Amounts::events, self.events);
  visit(&Amounts::addressed, self.addressed);
  visit(&Amounts::named, self.named);
  visit(&Amounts::agented, self.agented);
  visit(&Amounts::failed, self.failed);
  visit(&Amounts::ranked, self.ranked);
  visit(&Amounts::fresh, self.fresh);
  visit(&Amounts::networks, self.networks);
  visit(&Amounts::at_home, self.at_home);
}

void StormSources::Amounts::AddUp(const Amounts& other) {
  ForEach(*this, [&](auto member, double& value) { value += other.*member; });
}

double StormSources::Distinct::In(double chunks) const {
  if (!(one > 0) || !(chunks > 0)) return 0;
  // Twice the time has between one and two times as many distinct items; extrapolate with the same
  // exponent.
  const double growth = std::clamp(two / one, 1.0, 2.0);
  return one * Pow(chunks, Log(growth) / Log(2));
}

void StormSources::Chunk::MoveTowards(const Chunk& other, double gain) {
  Amounts::ForEach(amounts, [&](auto member, double& value) {
    value += gain * (other.amounts.*member - value);
  });
  const auto move = [gain](Distinct* distinct, const Distinct& towards) {
    distinct->one += gain * (towards.one - distinct->one);
    distinct->two += gain * (towards.two - distinct->two);
    distinct->fresh += gain * (towards.fresh - distinct->fresh);
  };
  move(&addresses, other.addresses);
  move(&users, other.users);
}

void StormSources::Chunk::Encode(ByteWriter* out) const {
  Amounts::ForEach(amounts, [out](auto, double value) { out->Double(value); });
  for (const Distinct* distinct : {&addresses, &users}) {
    for (const double value : {distinct->one, distinct->two, distinct->fresh}) out->Double(value);
  }
}

void StormSources::Chunk::Decode(ByteReader* in) {
  const auto read = [in](double* value) {
    *value = in->Double();
    if (!(*value >= 0)) in->Fail();
  };
  Amounts::ForEach(amounts, [&](auto, double& value) { read(&value); });
  for (Distinct* distinct : {&addresses, &users}) {
    for (double* value : {&distinct->one, &distinct->two, &distinct->fresh}) read(value);
  }
}

HyperLogLog StormSources::Sketches::Both() const {
  HyperLogLog both = older.Unpacked({});
  both.Merge(newer.Unpacked({}));
  return both;
}

void StormSources::Sketches::Rotate() {
  older = newer;
  newer.Clear();
}

std::vector<Measure> StormSources::Measures(bool endpoints) {
  std::vector<Measure> measures = {Measure::Count(),
                                   Measure::CountWith(Field::kUser),
                                   Measure::CountFailed(),
                                   Measure::TopNetworks(limits::kTopK),
                                   Measure::TopK(Field::kUserAgent, limits::kTopK),
                                   Measure::DistinctNetworks(),
                                   Measure::Distinct(Field::kUser)};
  if (endpoints) measures.push_back(Measure::TopK(Field::kEndpoint, kTopEndpoints));
  return measures;
}

StormSources::StormSources(DurationUs pane, Options options)
    : options_(options),
      chunk_panes_(PanesOf(kChunk, pane)),
      chunks_per_hour_(static_cast<double>(kHourUs) / static_cast<double>(chunk_panes_ * pane)),
      top_addresses_(kHeavyMax),
      top_agents_(kAgentsKept),
      top_endpoints_(kEndpointsKept),
      families_(kFamilies),
      endpoints_(kEndpointMix),
      networks_(kNetworks),
      usual_top_addresses_(kHeavyMax),
      usual_agents_(kUsualAgents),
      usual_families_(kFamilies),
      usual_endpoints_(kEndpointMix),
      usual_networks_(kNetworks) {}

void StormSources::CountRanked(const SpaceSaving& addresses) {
  if (addresses.entries().empty()) return;
  const HyperLogLog seen = seen_addresses_.All(), newer = addresses_.newer.Unpacked({});
  const double novelty = seen.NoveltyChance();
  if (novelty < kNoveltyMin) return;
  std::map<MixKey, std::int64_t> blocks;
  std::int64_t fresh = 0;  // summed as an integer first, then divided once
  for (const SpaceSaving::Entry& entry : addresses.entries()) {
    const std::int64_t count = entry.count - entry.error;
    const std::uint64_t hash = Hash64(entry.key);
    newer_.ranked += static_cast<double>(count);
    if (seen.MayContain(hash)) continue;
    fresh += count;
    // Count each address once, or a few busy ones would dominate the mix.
    if (newer.MayContain(hash)) continue;
    const MixKey block = MixKeyOf(NetworkBlock(entry.key));
    ++blocks[block];
    if (usual_networks_.empty()) continue;
    newer_.networks += 1;
    if (usual_networks_.Share(block) > 0) newer_.at_home += 1;
  }
  newer_.fresh += static_cast<double>(fresh) / novelty;
  Mix mix;
  for (const auto& [block, count] : blocks) {
    mix.parts.push_back({block, count});
    mix.total += count;
  }
  networks_.Add(mix);
}

void StormSources::Add(const PaneContext& pane, const SpecCells& cells) {
  // A partial pane is not a sample of the usual.
  if (pane.partial && !storming_) return;
  const SpaceSaving& addresses = cells.Top(kAddresses);
  const SpaceSaving& agents = cells.Top(kAgents);
  newer_.events += static_cast<double>(cells.Count(kEvents));
  newer_.named += static_cast<double>(cells.Count(kNamed));
  newer_.failed += static_cast<double>(cells.Count(kFailed));
  newer_.addressed += static_cast<double>(addresses.total());
  newer_.agented += static_cast<double>(agents.total());
  CountRanked(addresses);
  addresses_.newer.Merge(cells.Distinct(kDistinctAddresses), {});
  users_.newer.Merge(cells.Distinct(kDistinctUsers), {});
  top_addresses_.Add(addresses);
  top_agents_.Add(agents);
  families_.Add(MixOf(agents, AgentFamily));
  if (!options_.endpoints) return;
  top_endpoints_.Add(cells.Top(kEndpoints));
  endpoints_.Add(MixOf(cells.Top(kEndpoints), MixKeyOf));
}

void StormSources::Rotate() {
  older_ = newer_;
  newer_ = {};
  addresses_.Rotate();
  users_.Rotate();
  for (TopWindow* top : {&top_addresses_, &top_agents_, &top_endpoints_}) top->Rotate();
  for (MixWindow* mix : {&families_, &endpoints_, &networks_}) mix->Rotate();
}

void StormSources::ForgetOlder() {
  older_ = {};
  addresses_.older.Clear();
  users_.older.Clear();
  for (TopWindow* top : {&top_addresses_, &top_agents_, &top_endpoints_}) top->ForgetOlder();
  for (MixWindow* mix : {&families_, &endpoints_, &networks_}) mix->ForgetOlder();
}

void StormSources::EndPane(const PaneContext& pane, bool storm) {
  if (pane.partial && !storming_ && !storm) return;
  newer_.panes += 1;
  if (storm) {
    if (!storming_ && newer_.panes >= chunk_panes_ / 2.0) ForgetOlder();
    storming_ = true;
    if (newer_.panes >= kStormChunks * chunk_panes_) Rotate();
    return;
  }
  if (storming_) {
    storming_ = false;
    Rotate();
    Rotate();
    return;
  }
  observed_ += 1;
  if (newer_.panes < chunk_panes_) return;
  if (older_.panes > 0) {
    // The chunk before a rise is not learned: the rise may have begun in it.
    if (Calm(newer_) || skipped_ >= chunks_per_hour_) {
      Learn(pane.start);
      skipped_ = 0;
    } else {
      skipped_ += 1;
    }
  }
  Rotate();
}

bool StormSources::Calm(const Amounts& stretch) const {
  if (learned_ < kCalmChunksMin) return true;
  const double usual = hour_.amounts.events;
  return stretch.events <= kCalmRise * usual + 3 * SquareRoot(usual);
}

void StormSources::Learn(TimeUs time) {
  Chunk chunk = {.amounts = older_, .addresses = {}, .users = {}};
  const auto count = [time](const Sketches& sketches, SeenItems* seen, Distinct* distinct) {
    const HyperLogLog older = sketches.older.Unpacked({});
    *distinct = {
        .one = older.Estimate(), .two = sketches.Both().Estimate(), .fresh = seen->NewIn(older)};
    seen->Add(older, time);
  };
  count(addresses_, &seen_addresses_, &chunk.addresses);
  count(users_, &seen_users_, &chunk.users);
  learned_ += 1;
  learned_events_ += older_.events;
  const double sources = std::max(chunk.addresses.one, chunk.users.one);
  learned_sources_ += sources > 0 ? sources : older_.events;
  const auto gain = [&](double memory) { return 1 / std::clamp(memory, 1.0, learned_); };
  hour_.MoveTowards(chunk, gain(chunks_per_hour_));
  days_.MoveTowards(chunk, gain(kDaysChunks));
  recent_.MoveTowards(chunk, gain(kRecentChunks));
  const double of_mix = gain(kDaysChunks);
  usual_top_addresses_.Learn(MixOf(top_addresses_.Older(), MixKeyOf), of_mix);
  usual_agents_.Learn(MixOf(top_agents_.Older(), MixKeyOf), of_mix);
  usual_families_.Learn(families_.Older(), of_mix);
  usual_networks_.Learn(networks_.Older(), of_mix);
  usual_endpoints_.Learn(endpoints_.Older(), of_mix);
}

void StormSources::Encode(ByteWriter* out) const {
  out->Bool(storming_);
  for (const Amounts* amounts : {&newer_, &older_}) {
    Amounts::ForEach(*amounts, [out](auto, double value) { out->Double(value); });
  }
  for (const Sketches* sketches : {&addresses_, &users_}) {
    sketches->newer.Encode({}, out);
    sketches->older.Encode({}, out);
  }
  for (const TopWindow* top : {&top_addresses_, &top_agents_, &top_endpoints_}) top->Encode(out);
  for (const MixWindow* mix : {&families_, &endpoints_, &networks_}) mix->Encode(out);
  for (const double value : {observed_, learned_, learned_events_, learned_sources_, skipped_}) {
    out->Double(value);
  }
  for (const Chunk* chunk : {&hour_, &days_, &recent_}) chunk->Encode(out);
  seen_addresses_.Encode(out);
  seen_users_.Encode(out);
  for (const UsualMix* usual : {&usual_top_addresses_, &usual_agents_, &usual_families_,
                                &usual_endpoints_, &usual_networks_}) {
    usual->Encode(out);
  }
}

void StormSources::Decode(ByteReader* in) {
  storming_ = in->Bool();
  const auto read = [in](double* value) {
    *value = in->Double();
    if (!(*value >= 0)) in->Fail();
  };
  for (Amounts* amounts : {&newer_, &older_}) {
    Amounts::ForEach(*amounts, [&](auto, double& value) { read(&value); });
  }
  for (Sketches* sketches : {&addresses_, &users_}) {
    sketches->newer.Decode(in);
    sketches->older.Decode(in);
  }
  for (TopWindow* top : {&top_addresses_, &top_agents_, &top_endpoints_}) top->Decode(in);
  for (MixWindow* mix : {&families_, &endpoints_, &networks_}) mix->Decode(in);
  for (double* value : {&observed_, &learned_, &learned_events_, &learned_sources_, &skipped_}) {
    read(value);
  }
  for (Chunk* chunk : {&hour_, &days_, &recent_}) chunk->Decode(in);
  seen_addresses_.Decode(in);
  seen_users_.Decode(in);
  for (UsualMix* usual : {&usual_top_addresses_, &usual_agents_, &usual_families_,
                          &usual_endpoints_, &usual_networks_}) {
    usual->Decode(in);
  }
}

}  // namespace tocsin
