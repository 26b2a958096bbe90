// More pages than anybody can read become one.
//
//   PageGrouper folder(config.routes);
//   folder.Fold(tick, &notifications);      // what the correlator has just said, in its order
//
// Pages are triggers that a route takes to sinks that page people, counted by scope and route (by all
// the routes that it takes, where one says `continue`) over the last kWindow of ticks. Past
// limits::kPagesUnfolded of them a page below level 1 is folded: its trigger goes on to sinks that
// page nobody (tickets, chats), and one page with an id of its own stands for all that are folded on
// that route at that level. While the storm lasts more join it;
// once the window has few pages again the next one is a page by itself, and another storm another
// fold. A fold is escalated to whoever a member is escalated to, once, acknowledged when all its
// members are, and resolves when all have. Level 1 is counted and never folded.
//
// Decided by tick alone, so a replay folds the same. Bounded by the open incidents. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "core/wire.h"

namespace tocsin {

class PageGrouper {
 public:
  static constexpr DurationUs kWindow = 10 * kMinuteUs;

  explicit PageGrouper(const std::vector<RouteConfig>* routes) : routes_(routes) {}

  // `tick` never falls. What folds say comes behind what was there.
  void Fold(TimeUs tick, std::vector<Notification>* notifications);

  void Encode(ByteWriter* out) const;
  // Empty if `in` is malformed.
  void Decode(ByteReader* in);

 private:
  using Line = std::pair<std::string, std::string>;  // scope and routes (PagingRoutes)
  using Member = std::pair<Hash128, int>;            // incident and level
  struct OpenFold {
    Incident incident;               // what the page says
    std::map<Member, bool> members;  // whether it was acknowledged
    TimeUs joined = kNoTime;         // the last one
    bool acknowledged = false;
  };

  // The page that new ones of this line and level join; nullptr where the last storm is over.
  OpenFold* Joinable(const Line& line, int level, TimeUs tick);
  void FoldTrigger(const Line& line, TimeUs tick, Notification* notification,
                   std::vector<Hash128>* begun);
  void Escalate(Notification* notification, std::vector<Notification>* said);
  void Follow(const Notification& notification, std::vector<Notification>* said);
  static Notification About(NotificationAction action, TimeUs tick, const OpenFold& fold);

  const std::vector<RouteConfig>* routes_;
  std::map<Line, std::deque<TimeUs>> pages_;  // in the window, folded ones too
  std::map<Hash128, OpenFold> folds_;
  std::map<std::pair<Line, int>, Hash128> newest_;  // of the folds of a line and level
  std::map<Member, Hash128> fold_of_;
};

}  // namespace tocsin
