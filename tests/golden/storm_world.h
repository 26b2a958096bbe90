// A service and its clients on an ordinary day, drawn from wide ranges, for storms to begin in.
//
//   StormWorld world(Family{Addresses::kNat, Agents::kBrowsers}, /*seed=*/7);
//   world.Quiet(1, &random, [&](const Event& event) { … });      // one pane of it
//
// A family says how clients get their addresses and which user agents they have; everything else is
// drawn: how much comes, from how many, how often each, how many are new at any time, which fields
// the events have. The ranges, and why they are what they are, stand where they are drawn. Nothing
// here knows the detector. A function of family and seed; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "core/event.h"
#include "core/time.h"
#include "tests/golden/random.h"

namespace tocsin {

enum class Addresses : std::uint8_t {
  kAnywhere,  // IPv4, from the whole world
  kCountry,   // IPv4, from the networks of some providers
  kPrivacy,   // IPv6, another address of the client's /64 each time
  kNat,       // as kCountry, and many behind the gateways of companies and carriers
  kProxy,     // a CDN or a balancer in front hides them
  kDynamic,   // carrier-grade NAT: another address of a pool each time
  kBoth,      // half as kCountry, half as kPrivacy
  kOffice,    // some dozens of machines of one network
};
inline constexpr int kAddressKinds = 8;
enum class Agents : std::uint8_t {
  kFew,       // an app on two to six platforms
  kBrowsers,  // dozens, of several makers and versions
  kSdks,      // libraries and tools
  kVersions,  // an app or two in dozens of versions
  kOne,       // a single one
};
inline constexpr int kAgentKinds = 5;

struct Family {
  Addresses addresses = Addresses::kCountry;
  Agents agents = Agents::kFew;
  // Not looked at while the rules were made.
  bool held_out() const { return addresses >= Addresses::kDynamic || agents >= Agents::kVersions; }
};
std::vector<Family> Families(bool held_out);
std::string FamilyName(const Family& family);

// Uniform in the logarithm.
double LogUniform(Random* random, double low, double high);
double Uniform(Random* random, double low, double high);
// One of n, by weights that sum to 1.
std::size_t Pick(Random* random, const std::vector<double>& weights);

// Who sends an event.
struct Sender {
  std::string address, agent, user, endpoint;
};

using EmitEvent = absl::FunctionRef<void(const Event& event)>;

class StormWorld {
 public:
  StormWorld(Family family, std::uint64_t seed);

  // A part of a pane.
  void Quiet(double part, Random* random, EmitEvent emit) const;

  // A regular client (below population()) or one who comes for the first time.
  Sender ClientAs(std::int64_t client, Random* random) const;
  std::int64_t Regular(Random* random) const;
  std::int64_t Newcomer(Random* random) const;
  std::size_t AgentOf(std::int64_t client) const;
  // Without its versions: what stays the same after a release.
  static std::string FamilyOf(const std::string& agent);
  // Of the usual mix of families: the share that these agents, one as frequent as the other, are
  // beyond it.
  double MixDistance(const std::vector<std::string>& agents) const;
  std::string EndpointFor(Random* random) const;
  // An address that no client of the world has, of a network anywhere.
  static std::string ForeignAddress(std::int64_t host, bool ipv6);
  // One of a provider that clients use, which no client has.
  std::string NeighbourAddress(std::int64_t host) const;
  // The user agent after the next release.
  static std::string NextVersion(const std::string& agent);
  // With the fields that this world's events have; `named` whether the user is known to it.
  void Send(const Sender& sender, Random* random, EmitEvent emit) const;

  const Family& family() const { return family_; }
  bool requests() const { return requests_; }
  double per_pane() const { return per_pane_; }          // events
  double visit_events() const { return visit_events_; }  // of one client at a time
  std::int64_t population() const { return population_; }
  double newcomers() const { return newcomers_; }
  const std::vector<std::string>& agents() const { return agents_; }
  const std::vector<double>& agent_shares() const { return agent_shares_; }
  double named() const { return named_; }
  bool has_agents() const { return agent_missing_ < 1; }
  bool has_addresses() const { return address_missing_ < 1; }
  int quiet_panes() const { return quiet_panes_; }
  // For storms that are unknown because of it.
  void DropFields(bool addresses, bool agents, bool users);
  void ShortenQuiet(int panes) { quiet_panes_ = panes; }

 private:
  void DrawAgents(Random* random);
  std::string AddressOf(std::int64_t client, Random* random) const;
  std::string CountryAddress(std::uint64_t hash) const;
  std::uint64_t HashOf(std::int64_t client, std::uint64_t purpose) const;

  Family family_;
  std::uint64_t seed_;
  bool requests_;
  double per_pane_, visit_events_, newcomers_, skew_;
  std::int64_t population_;
  int quiet_panes_;
  std::vector<std::uint16_t> networks_;  // the /16 of providers
  std::uint32_t pool_ = 0;               // addresses of a dynamic one, gateways, proxies
  double behind_ = 0;                    // share of clients behind gateways
  std::vector<std::string> agents_;
  std::vector<double> agent_shares_;
  std::vector<std::string> paths_;
  double named_, agent_missing_, address_missing_;
};

}  // namespace tocsin
