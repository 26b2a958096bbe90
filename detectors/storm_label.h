// What a storm looks like, from facts about what is beyond the usual: attack, botnet, surge, client
// or unknown.
//
//   StormVerdict verdict = LabelStorm(sources.Facts());
//   verdict.label     // "attack"
//   verdict.reason    // "8 addresses, none of them seen before, make up 93 % of what is beyond the usual"
//   verdict.missing   // for "unknown": what would have told, {"user_agent", "no user agents in …"}
//
// All shares are of the excess, which is what came minus what usually comes in the same time; so they
// do not depend on how large the storm is. Everything is compared with what is usual for this very
// series: many connections of one address mean nothing where all come through one proxy. The rules,
// and the reason of each number, are in docs/decisions/025-storm-labels.md. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tocsin {

struct StormFacts {
  // What is usual.
  bool usual_known = false;
  int observed_minutes = 0;  // of quiet
  int minutes_needed = 0;
  double usual_seen = 0;  // events that it is known from
  // How much came.
  double events = 0;                             // in this stretch
  double usual_events = 0;                       // in as much time
  double excess = 0;                             // share of `events` that is beyond the usual
  double addressed = 0, named = 0, agented = 0;  // share of the excess with an address, user, agent
  double named_usual = 0;
  // Addresses.
  double heavy_share = 0;           // of the few heaviest, beyond what they usually have
  int heavy_count = 0;              // how many these are
  double heavy_pace = 0;            // events of one of them, in those of a usual source
  std::optional<bool> heavy_known;  // whether they were seen in quiet times
  bool shared_addresses = false;    // most come from the few that usually nearly all come from
  double usual_addresses = 0;       // distinct, in as much time
  std::optional<double> pace;       // events of an address, in those that are usual
  bool pace_tells = false;          // false: every event has an address of its own, at any time
  std::optional<double> strangers;  // 0: as many were never seen as is usual; 1: all
  // Users.
  double users = 0;                 // distinct, beyond the usual number
  std::optional<double> user_pace;  // as of addresses; absent where the excess has no users
  bool user_pace_tells = false;
  std::optional<double> user_strangers;
  // Mixes: 0 as usual, 1 nothing in common.
  std::optional<double> clients;  // families of user agents
  std::optional<double> endpoints;
  // Of strangers: 0 from where new ones usually come, 1 all from elsewhere; absent where they usually
  // come from everywhere.
  std::optional<double> networks;
  // The most frequent user agent.
  std::string agent;
  double agent_share = 0, agent_usual = 0;
  bool one_client = false;    // it is far above its usual share
  bool agent_known = false;   // it is usual here
  bool family_known = false;  // it is, or another version of it
  // Failed ones where events are attempts to authenticate.
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
