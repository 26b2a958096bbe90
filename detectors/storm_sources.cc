#include "detectors/storm_sources.h"

#include <algorithm>

#include "core/hash.h"
#include "core/limits.h"

namespace tocsin {
namespace {

constexpr std::size_t kTopAddresses = 10;
constexpr double kAttackShare = 0.5;
// Where few addresses are usual (a proxy in front), their share alone says nothing.
constexpr double kAttackShareRise = 0.2;
constexpr double kAttackPerSource = 2;
constexpr double kClientShare = 0.5;
constexpr double kClientOdds = 4;
// Of an agent that was never seen, so that a new version is not at once a culprit.
constexpr double kUnseenAgentShare = 0.02;
constexpr double kRise = 1.5;
constexpr double kJump = 3;
constexpr double kPerSourceNear = 2;
constexpr double kAgentsNear = 0.3;
constexpr double kMostlyUnseen = 0.7;
// A view is a window, learned a fifth of a window apart: about the last two days at 5 min.
constexpr double kGainMin = 1.0 / 2880;
// Fewer events are no basis for a share.
constexpr std::int64_t kEventsMin = 50;

double Odds(double share) { return share / std::max(1e-9, 1 - share); }

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

StormSources::StormSources(int window_panes)
    : addresses_(window_panes, limits::kTopK),
      agents_(window_panes, kAgentsMax),
      distinct_(window_panes, HyperLogLog()) {}

bool StormSources::NextPane() {
  agents_.NextPane();
  distinct_.NextPane();
  return addresses_.NextPane();
}

void StormSources::Add(const SpaceSaving& addresses, const SpaceSaving& agents,
                       const HyperLogLog& distinct) {
  addresses_.Add(addresses);
  agents_.Add(agents);
  distinct_.Add(distinct);
}

StormView StormSources::Look() const {
  StormView view = {.addresses = addresses_.Merged(),
                    .agents = agents_.Merged(),
                    .distinct_addresses = distinct_.Merged()};
  view.events = view.addresses.total();
  view.distinct = view.distinct_addresses.Estimate();
  view.top_share = view.addresses.TopShare(kTopAddresses);
  HyperLogLog seen = seen_.Unpacked({});
  seen.Merge(seen_before_.Unpacked({}));
  const double before = seen.Estimate();
  seen.Merge(view.distinct_addresses);
  if (view.distinct > 0) {
    view.unseen = std::clamp((seen.Estimate() - before) / view.distinct, 0.0, 1.0);
  }
  return view;
}

void StormSources::Learn(const StormView& view, TimeUs time) {
  if (view.events == 0) return;
  const TimeUs day = FloorTo(time, kDayUs);
  if (day != day_) {
    if (day_ != kNoTime) seen_before_ = seen_;
    seen_.Clear();
    day_ = day;
  }
  seen_.Merge(view.distinct_addresses, {});
  ++learned_;
  // The plain mean at first, then an exponentially weighted one.
  const double gain = std::max(kGainMin, 1.0 / static_cast<double>(learned_));
  usual_distinct_ += gain * (view.distinct - usual_distinct_);
  usual_top_share_ += gain * (view.top_share - usual_top_share_);
  const double per_source = static_cast<double>(view.events) / std::max(1.0, view.distinct);
  usual_per_source_ += gain * (per_source - usual_per_source_);
  LearnAgents(view.agents, gain);
}

void StormSources::LearnAgents(const SpaceSaving& agents, double gain) {
  if (agents.empty()) return;
  for (Agent& agent : usual_agents_) agent.share *= 1 - gain;
  for (const SpaceSaving::Entry& entry : agents.Top(kAgentsMax)) {
    const double share = gain * Share(entry.count, agents.total());
    const std::uint64_t key = Hash64(entry.key);
    const auto known = std::find_if(usual_agents_.begin(), usual_agents_.end(),
                                    [&](const Agent& agent) { return agent.key == key; });
    if (known != usual_agents_.end()) {
      known->share += share;
    } else {
      usual_agents_.push_back({.key = key, .share = share});
    }
  }
  std::sort(usual_agents_.begin(), usual_agents_.end(), [](const Agent& a, const Agent& b) {
    return a.share != b.share ? a.share > b.share : a.key < b.key;
  });
  if (usual_agents_.size() > kAgentsMax) usual_agents_.resize(kAgentsMax);
  usual_agents_.shrink_to_fit();
}

double StormSources::UsualShare(const std::string& name) const {
  const std::uint64_t key = Hash64(name);
  for (const Agent& agent : usual_agents_) {
    if (agent.key == key) return agent.share;
  }
  return 0;
}

double StormSources::AgentDistance(const SpaceSaving& agents) const {
  if (agents.empty()) return usual_agents_.empty() ? 0 : 1;
  double difference = 0, usual_listed = 0, now_listed = 0;
  for (const SpaceSaving::Entry& entry : agents.Top(kAgentsMax)) {
    const double now = Share(entry.count, agents.total()), usual = UsualShare(entry.key);
    difference += now > usual ? now - usual : usual - now;
    usual_listed += usual;
    now_listed += now;
  }
  // What the one side lists and the other does not, and the tails of both against each other.
  const double usual_rest = std::max(0.0, 1 - usual_listed),
               now_rest = std::max(0.0, 1 - now_listed);
  difference += usual_rest > now_rest ? usual_rest - now_rest : now_rest - usual_rest;
  return difference / 2;
}

bool StormSources::OneClient(const StormView& view) const {
  const std::vector<SpaceSaving::Entry> top = view.agents.Top(1);
  if (top.empty()) return false;
  const double share = Share(top[0].count, view.agents.total());
  if (share < kClientShare) return false;
  const double usual = std::max(kUnseenAgentShare, UsualShare(top[0].key));
  return Odds(share) >= kClientOdds * Odds(usual);
}

std::string StormSources::Label(const StormView& view) const {
  if (view.events < kEventsMin) return "unknown";
  const double per_source = static_cast<double>(view.events) / std::max(1.0, view.distinct);
  const bool concentrated = view.top_share >= kAttackShare;
  if (!known()) return concentrated ? "attack" : "unknown";
  if (concentrated && (view.top_share >= usual_top_share_ + kAttackShareRise ||
                       per_source >= kAttackPerSource * usual_per_source_)) {
    return "attack";
  }
  const bool one_client = OneClient(view);
  const bool rises = view.distinct >= kRise * usual_distinct_;
  const bool like_users = per_source <= kPerSourceNear * usual_per_source_;
  const bool jumps = view.distinct >= kJump * usual_distinct_;
  // A loop of reconnects: the same sources come more often, or they are known. Many new ones are
  // none, however often each comes.
  const bool strangers = view.unseen >= kMostlyUnseen && (jumps || (rises && like_users));
  if (one_client && !strangers) return "client";
  const bool usual_clients = AgentDistance(view.agents) <= kAgentsNear;
  if (rises && like_users && (usual_clients || (!one_client && view.unseen < 0.5))) return "surge";
  if (jumps && view.unseen >= kMostlyUnseen) return "botnet";
  return "unknown";
}

void StormSources::Encode(ByteWriter* out) const {
  addresses_.Encode(out);
  agents_.Encode(out);
  distinct_.Encode(out);
  out->Signed(learned_);
  for (const double value : {usual_distinct_, usual_per_source_, usual_top_share_}) {
    out->Double(value);
  }
  out->Varint(usual_agents_.size());
  for (const Agent& agent : usual_agents_) {
    out->Fixed64(agent.key);
    out->Double(agent.share);
  }
  seen_.Encode({}, out);
  seen_before_.Encode({}, out);
  out->Signed(day_);
}

void StormSources::Decode(ByteReader* in) {
  addresses_.Decode(in);
  agents_.Decode(in);
  distinct_.Decode(in);
  learned_ = in->Signed();
  for (double* value : {&usual_distinct_, &usual_per_source_, &usual_top_share_}) {
    *value = in->Double();
  }
  const std::size_t size = in->Count(16);
  if (size > kAgentsMax) in->Fail();
  usual_agents_.clear();
  for (std::size_t i = 0; in->ok() && i < size; ++i) {
    const std::uint64_t key = in->Fixed64();
    usual_agents_.push_back({.key = key, .share = in->Double()});
  }
  seen_.Decode(in);
  seen_before_.Decode(in);
  day_ = in->Signed();
}

}  // namespace tocsin
