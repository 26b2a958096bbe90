// A storm in a world: an attack, a botnet, a surge, a client in a loop, or one that nobody could
// tell.
//
//   std::optional<StormScene> scene = StormScene::Draw(&world, StormKind::kSurge, /*seed=*/3);
//   scene->stanza()                                  // the detector, as YAML
//   scene->Pane(i, 1, &random, [&](const Event& event) { … });   // what comes beyond the usual
//
// What is drawn, beside what the world draws: how many times the usual comes (3 to 300), within
// which time it grows to that (10 s to 30 min), from how many, how often each, with which share of
// known users and which user agents; whether the events are watched or the number of open
// connections, and over which window. Not every storm is possible in every world: where nothing
// that an event has would tell a botnet from a surge there is nothing to be right about. Functions
// of their arguments; a scene refers to its world.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/golden/storm_world.h"

namespace tocsin {

enum class StormKind : std::uint8_t { kAttack, kBotnet, kSurge, kClient, kUnknown };
inline constexpr int kStormKinds = 5;
inline constexpr std::array<const char*, kStormKinds> kStormNames = {"attack", "botnet", "surge",
                                                                     "client", "unknown"};

// What there is not, so that nobody could tell what a storm is.
enum class Lack : std::uint8_t {
  kSources,   // addresses, user agents and users
  kBaseline,  // half an hour of quiet
  kEvents,    // a gauge alone
  kWho,       // strangers of whom nothing but the address is known
  kClients,   // known ones come again and again: all of them, or one client?
  kBehind,    // a tool that nobody knows, behind the proxy that hides who uses it
};
inline constexpr int kLacks = 6;

// How a world is watched; the same for all storms in it.
struct StormWatch {
  explicit StormWatch(const StormWorld& world, std::uint64_t seed);
  std::string stanza;
  bool gauge = false;
  int window = 30;      // panes
  double above = 1000;  // events in it, or open connections
  double lifetime = 0;  // panes a connection stays open
  double usual_open = 0;
};

class StormScene {
 public:
  // nullopt: this world does not have it.
  static std::optional<StormScene> Draw(const StormWorld* world, const StormWatch& watch,
                                        StormKind kind, std::uint64_t seed);
  static std::optional<StormScene> DrawUnknown(const StormWorld* world, const StormWatch& watch,
                                               Lack lack, std::uint64_t seed);

  // A part of a pane.
  void Pane(int pane, double part, Random* random, EmitEvent emit);
  // Of a gauge: how many more connections are open than usual.
  double open() const { return open_; }
  const std::string& what() const { return what_; }

 private:
  StormScene(const StormWorld* world, const StormWatch& watch, StormKind kind);
  bool DrawSize(Random* random);
  bool DrawAttack(Random* random);
  bool DrawBotnet(Random* random);
  bool DrawSurge(Random* random);
  bool DrawClient(Random* random);
  bool DrawLack(Lack lack, Random* random);
  double Rate(int pane) const;
  Sender One(Random* random);
  void Update(Random* random, Sender* sender) const;

  const StormWorld* world_;
  StormWatch watch_;
  StormKind kind_;
  std::string what_;
  double rate_ = 0;      // a pane, beyond the usual
  int ramp_ = 1;         // panes
  int lasts_ = 1 << 30;  // panes in which something comes
  double events_ = 0;    // in a window, or until all are open
  double noticed_ = 0;   // of them, when the detector breaches
  double usual_pace_ = 1;

  std::int64_t sources_ = 1;
  double skew_ = 1;
  bool ipv6_ = false, neighbours_ = false;
  std::vector<std::string> agents_;  // empty: those of the world, as usual
  int user_kind_ = 0;                // 0 none, 1 made up, 2 the client's own
  bool one_endpoint_ = false;
  double newcomers_ = 0, landing_ = 0;
  // A share of those with one app have its next version, and of all who come more have this app.
  double release_ = 0, focus_ = 0;
  std::size_t released_ = 0;
  std::string tool_;                   // that all have
  double visit_ = 1;                   // events of a client at a time
  std::vector<std::int64_t> loopers_;  // clients
  std::string loop_agent_;
  double open_ = 0;
};

}  // namespace tocsin
