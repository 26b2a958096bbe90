#include "detectors/storm_label.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Ten times the usual from many known addresses with the usual clients.
StormFacts Usual() {
  StormFacts facts;
  facts.usual_known = true;
  facts.observed_minutes = 90;
  facts.minutes_needed = 30;
  facts.usual_seen = 4000;
  facts.events = 3000;
  facts.usual_events = 300;
  facts.excess = 0.9;
  facts.addressed = facts.agented = 1;
  facts.heavy_share = 0.05;
  facts.heavy_count = 30;
  facts.heavy_pace = 2;
  facts.usual_addresses = 250;
  facts.pace = 1.2;
  facts.pace_tells = true;
  facts.strangers = 0;
  facts.clients = 0.05;
  facts.agent = "ChatApp/7.1";
  facts.agent_share = 0.4;
  facts.agent_usual = 0.38;
  facts.agent_known = facts.family_known = true;
  return facts;
}

void HasUsers(StormFacts* facts) {
  facts->named = facts->named_usual = 1;
  facts->users = 2000;
  facts->user_pace = 1.1;
  facts->user_pace_tells = true;
  facts->user_strangers = 0;
}

void FewAddresses(StormFacts* facts) {
  facts->heavy_share = 0.95;
  facts->heavy_count = 8;
  facts->heavy_pace = 200;
  facts->heavy_known = false;
  facts->strangers = 1;
  facts->pace = 9;
}

void OneClient(StormFacts* facts) {
  facts->one_client = true;
  facts->agent_share = 0.97;
  facts->agent_usual = 0.1;
  facts->clients = 0.85;
  facts->pace = 8;
}

void NoAgents(StormFacts* facts) {
  facts->agented = 0;
  facts->clients.reset();
  facts->agent.clear();
}

struct Row {
  std::string name, label;
  std::function<void(StormFacts*)> change;
};

TEST(StormLabel, SaysWhatTheFactsMean) {
  using F = StormFacts;
  const std::vector<Row> rows = {
      {"all come back at once", "surge", [](F* f) { f->pace = 12; }},
      {"a campaign brings strangers", "surge", [](F* f) { f->strangers = 1; }},
      {"strangers with names", "surge",
       [](F* f) { HasUsers(f), f->strangers = 1, f->user_strangers = 1; }},
      {"few addresses", "attack", FewAddresses},
      {"few addresses, the usual clients", "attack", FewAddresses},
      {"few addresses, one odd client", "attack", [](F* f) { FewAddresses(f), OneClient(f); }},
      {"few addresses, none busier than usual", "surge",
       [](F* f) { FewAddresses(f), f->heavy_pace = 2, f->pace = 1, f->strangers = 0; }},
      {"a crowd behind a new gateway", "surge", [](F* f) { FewAddresses(f), HasUsers(f); }},
      {"a crowd behind a gateway that is known", "surge",
       [](F* f) { FewAddresses(f), f->heavy_known = true; }},
      {"names that nobody has heard, from addresses that nobody has seen", "attack",
       [](F* f) { FewAddresses(f), HasUsers(f), f->user_strangers = 1; }},
      {"stolen names behind few addresses", "attack",
       [](F* f) { FewAddresses(f), OneClient(f), HasUsers(f), f->user_pace = 9; }},
      {"guessed names behind few addresses, odd clients", "attack",
       [](F* f) { FewAddresses(f), OneClient(f), HasUsers(f), f->user_strangers = 1; }},
      {"some known machines in a loop", "client",
       [](F* f) { FewAddresses(f), OneClient(f), f->heavy_known = true; }},
      {"their users are gone", "attack",
       [](F* f) {
         FewAddresses(f), OneClient(f), f->heavy_known = true;
         f->named_usual = 1;
       }},
      {"one client in a loop", "client", OneClient},
      {"its addresses change, its users do not", "client",
       [](F* f) { OneClient(f), HasUsers(f), f->user_pace = 8, f->strangers = 1; }},
      {"a new version at the usual pace", "surge",
       [](F* f) {
         OneClient(f), HasUsers(f);
         f->agent_usual = 0, f->agent_known = false, f->clients = 0.02;
       }},
      {"a new version in a loop", "client",
       [](F* f) {
         OneClient(f);
         f->agent_usual = 0, f->agent_known = false, f->clients = 0.02;
       }},
      {"a new version of whose users nothing is known, in a loop", "client",
       [](F* f) {
         OneClient(f), f->strangers.reset();
         f->agent_usual = 0, f->agent_known = false, f->clients = 0.02;
       }},
      {"strangers who log in as ever, with one client in a loop", "client",
       [](F* f) {
         OneClient(f), HasUsers(f);
         f->strangers = f->user_strangers = 1, f->user_pace = 5;
       }},
      {"strangers with one odd client", "botnet",
       [](F* f) { OneClient(f), f->strangers = 1, f->pace = 1, f->family_known = false; }},
      {"strangers who copy the commonest client", "botnet",
       [](F* f) { OneClient(f), f->strangers = 1, f->pace = 1, f->clients = 0.6; }},
      {"strangers from home who copy one client, and never rest", "botnet",
       [](F* f) { OneClient(f), f->strangers = 1, f->clients = 0.6, f->networks = 0.1; }},
      {"strangers with many odd clients and names that nobody has heard", "botnet",
       [](F* f) {
         HasUsers(f);
         f->strangers = f->user_strangers = 1, f->clients = 0.7, f->networks = 0.1;
       }},
      {"strangers with many odd clients", "botnet",
       [](F* f) { f->strangers = 1, f->clients = 0.9; }},
      {"strangers who copy all clients, but not the users", "botnet",
       [](F* f) { f->strangers = 1, f->named_usual = 0.9, f->named = 0; }},
      {"strangers who copy all clients, from elsewhere", "botnet",
       [](F* f) { f->strangers = 1, f->networks = 0.9; }},
      {"strangers who copy all clients, and never rest", "botnet",
       [](F* f) { f->strangers = 1, f->pace = 15; }},
      {"known ones without clients", "surge", NoAgents},
      {"known ones without clients again and again", "unknown",
       [](F* f) { NoAgents(f), f->pace = 8; }},
      {"strangers of whom nothing is known", "unknown",
       [](F* f) { NoAgents(f), f->strangers = 1; }},
      {"strangers from home of whom nothing else is known", "surge",
       [](F* f) { NoAgents(f), f->strangers = 1, f->networks = 0.1; }},
      {"a tool that nobody knows, behind a proxy", "unknown",
       [](F* f) {
         OneClient(f), f->shared_addresses = true, f->family_known = false;
         f->strangers.reset(), f->pace.reset();
       }},
      {"a client in a loop, behind a proxy", "client",
       [](F* f) {
         OneClient(f), f->shared_addresses = true, f->strangers.reset(), f->pace.reset();
       }},
      {"stuffing credentials", "botnet",
       [](F* f) {
         f->strangers = 1, f->failing = 0.95, f->failing_usual = 0.05, f->clients = 0.4;
       }},
      {"nothing but a number", "unknown", [](F* f) { NoAgents(f), f->addressed = 0; }},
      {"no baseline", "unknown", [](F* f) { f->usual_known = false, f->observed_minutes = 12; }},
      {"few known machines of which nothing else is known", "unknown",
       [](F* f) { FewAddresses(f), NoAgents(f), f->heavy_known = true; }},
      {"few known machines with a tool that nobody knows", "attack",
       [](F* f) { FewAddresses(f), OneClient(f), f->heavy_known = true, f->family_known = false; }},
      {"no baseline, but one tool from few addresses", "attack",
       [](F* f) { FewAddresses(f), f->usual_known = false, f->agent_share = 1; }},
      {"as much as always", "unknown", [](F* f) { f->excess = 0.05; }},
  };
  for (const Row& row : rows) {
    StormFacts facts = Usual();
    row.change(&facts);
    const StormVerdict verdict = LabelStorm(facts);
    EXPECT_EQ(verdict.label, row.label) << row.name << ": " << verdict.reason;
    if (row.label == "unknown") {
      EXPECT_THAT(verdict.missing, Not(IsEmpty())) << row.name;
    } else {
      EXPECT_THAT(verdict.missing, IsEmpty()) << row.name;
      EXPECT_THAT(verdict.reason, Not(IsEmpty())) << row.name;
    }
  }
}

std::string Missing(const StormFacts& facts) {
  std::string text;
  for (const StormVerdict::Missing& each : LabelStorm(facts).missing) {
    text += each.name + ": " + each.text + "\n";
  }
  return text;
}

TEST(StormLabel, SaysWhatIsMissing) {
  StormFacts facts = Usual();
  facts.usual_known = false;
  facts.observed_minutes = 12;
  EXPECT_THAT(Missing(facts), HasSubstr("baseline: no baseline yet: 12 of 30 min\n"));
  facts.observed_minutes = 60;
  facts.usual_seen = 7;
  EXPECT_THAT(Missing(facts), HasSubstr("baseline: no baseline: 7 events in 60 quiet min\n"));
  facts = Usual();
  NoAgents(&facts);
  facts.addressed = 0;
  EXPECT_THAT(Missing(facts),
              "client_ip: no client addresses in the events\n"
              "user_agent: no user agents in the events\n"
              "user: no users in the events\n");
  facts.addressed = 0.12;
  EXPECT_THAT(Missing(facts), HasSubstr("client addresses in only 12 % of the events"));
  facts = Usual();
  facts.excess = 0.05;
  facts.events = 212;
  facts.usual_events = 205;
  EXPECT_EQ(Missing(facts), "events: hardly more events than usual: 212, usually 205\n");
}

TEST(StormLabel, ReasonsNameWhoItIs) {
  StormFacts facts = Usual();
  FewAddresses(&facts);
  EXPECT_EQ(LabelStorm(facts).reason,
            "8 addresses, never seen before, make up 95 % of what is beyond the usual");
  facts = Usual();
  OneClient(&facts);
  EXPECT_EQ(LabelStorm(facts).reason,
            "ChatApp/7.1 makes up 97 % of what is beyond the usual, and usually 10 %");
}

}  // namespace
}  // namespace tocsin
