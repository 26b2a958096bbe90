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

// The routes that may take a page somewhere, by their places: "0 3 "; "all" without any routes.
// Pages with the same ones reach the same people. nullopt where nobody is paged.
std::optional<std::string> PagingRoutes(const std::vector<RouteConfig>& routes,
                                        const Notification& notification);

// The sinks a notification goes to, by the routes, each once. The first route that matches ends the
// search unless it continues, or reached nobody because its sinks page people and the level does
// not (a route to no sink at all silences on purpose). Without any routes every sink hears
// everything. A service matches the incident's component or a `service` label; a team whom the
// incident calls, a `team` label, or a service that it owns; hours the tick of the notification.
// Missing is not equal. Of a change level, category and hours do not matter.
std::vector<const Sink*> Route(const std::vector<RouteConfig>& routes,
                               const std::vector<std::unique_ptr<Sink>>& sinks,
                               const Notification& notification);

}  // namespace tocsin
