// Which sinks a notification goes to, by the routes of the configuration.
//
//   for (const Sink* sink : Route(config.routes, sinks, notification)) …
//
// Thread-safe: pure functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "sinks/sink.h"

namespace tocsin {

// The indices of the routes that may page for a notification, such as "0 3 "; "all" when there are
// no routes. Pages with equal results reach the same people. nullopt when nobody is paged.
std::optional<std::string> PagingRoutes(const std::vector<RouteConfig>& routes,
                                        const Notification& notification);

// The sinks that the routes select for a notification, each once. The first matching route ends the
// search, unless it continues, or selected no sink because its sinks page and the level does not (a
// route without any sink silences on purpose). Without any routes every sink is selected. `service`
// matches the incident's component or a `service` label. `team` matches a team that the incident
// escalates to, a `team` label, or the owner of the service. Hours are compared with the
// notification's tick. A missing value matches nothing. Level, category and hours are not compared
// for a change.
std::vector<const Sink*> Route(const std::vector<RouteConfig>& routes,
                               const std::vector<std::unique_ptr<Sink>>& sinks,
                               const Notification& notification);

}  // namespace tocsin
