// Labels a storm from facts about the events beyond the usual: attack, botnet, surge, client or
// unknown.
//
//   StormVerdict verdict = LabelStorm(sources.Facts());
//   verdict.label     // "attack"
//   verdict.reason    // "8 addresses, never seen before, make up 93 % of what is beyond the usual"
//   verdict.missing   // for "unknown": missing facts, {"user_agent", "no user agents in …"}
//
// All shares are of the excess, which is the number of events minus the usual number in the same
// time; so they do not depend on how large the storm is. Everything is compared with what is usual
// for this very series: many connections of one address mean nothing if all come through one proxy.
// The rules, and the reason of each number, are in docs/decisions/025-storm-labels.md. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tocsin {

struct StormFacts {
  // What is usual.
  bool usual_known = false;
  int observed_minutes = 0;  // minutes of quiet time observed
  int minutes_needed = 0;
  double usual_seen = 0;  // number of events that the usual is known from
  // How much came.
  double events = 0;                             // in this stretch
  double usual_events = 0;                       // in the same length of time
  double excess = 0;                             // share of `events` beyond the usual
  double addressed = 0, named = 0, agented = 0;  // share of the excess with an address, user, agent
  double named_usual = 0;
  // Addresses.
  double heavy_share = 0;           // of the few heaviest, beyond their usual share
  int heavy_count = 0;              // number of these addresses
  double heavy_pace = 0;            // events per heavy address ÷ events per usual source
  std::optional<bool> heavy_known;  // whether they were seen in quiet times
  bool shared_addresses = false;    // most are from the few that usually send nearly all
  double usual_addresses = 0;       // distinct, in the same length of time
  std::optional<double> pace;       // events per address ÷ the usual number
  bool pace_tells = false;          // false: every event always has its own address
  std::optional<double> strangers;  // share of new addresses; 0: as usual, 1: all
  // Users.
  double users = 0;                 // distinct, beyond the usual number
  std::optional<double> user_pace;  // as `pace`; absent if the excess has no users
  bool user_pace_tells = false;
  std::optional<double> user_strangers;
  // Distances of mixes: 0 as usual, 1 nothing in common.
  std::optional<double> clients;  // families of user agents
  std::optional<double> endpoints;
  // Networks of new addresses: 0: those that new ones usually come from, 1: all from other ones;
  // absent if new ones usually come from everywhere.
  std::optional<double> networks;
  // The most frequent user agent.
  std::string agent;
  double agent_share = 0, agent_usual = 0;
  bool one_client = false;    // the agent is far above its usual share
  bool agent_known = false;   // the agent is usual here
  bool family_known = false;  // the agent or another version of it is usual here
  // Shares of failed events, if events are authentication attempts.
  std::optional<double> failing, failing_usual;
};

struct StormVerdict {
  std::string label;
  std::string reason;
  struct Missing {
    std::string name, text;
  };
  std::vector<Missing> missing;
};

StormVerdict LabelStorm(const StormFacts& facts);

}  // namespace tocsin
