#include <algorithm>

#include "core/labels.h"
#include "sinks/outbox.h"

namespace tocsin {
namespace {

template <typename T, typename U>
bool Contains(const std::vector<T>& values, const U& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool MatchesService(const std::vector<std::string>& services, const Incident& incident) {
  if (services.empty()) return true;
  if (!incident.component.empty() && Contains(services, incident.component)) return true;
  return std::any_of(incident.signals.begin(), incident.signals.end(), [&](const Signal& signal) {
    const std::string_view service = LabelValue(signal.series, "service");
    return !service.empty() && Contains(services, service);
  });
}

bool Matches(const RouteConfig& route, const Notification& notification) {
  const Incident& incident = notification.incident;
  if (!route.levels.empty() && !Contains(route.levels, notification.level)) return false;
  if (!MatchesService(route.services, incident)) return false;
  if (!route.environments.empty()) {
    const std::string_view environment = LabelValue(incident.scope_labels, "env");
    if (environment.empty() || !Contains(route.environments, environment)) return false;
  }
  return route.categories.empty() || Contains(route.categories, CategoryName(incident.category));
}

}  // namespace

const RouteConfig* FirstRoute(const std::vector<RouteConfig>& routes,
                              const Notification& notification) {
  const auto found = std::find_if(routes.begin(), routes.end(), [&](const RouteConfig& route) {
    return Matches(route, notification);
  });
  return found == routes.end() ? nullptr : &*found;
}

std::vector<const Sink*> Route(const std::vector<RouteConfig>& routes,
                               const std::vector<std::unique_ptr<Sink>>& sinks,
                               const Notification& notification) {
  std::vector<const Sink*> reached;
  const auto reach = [&](const Sink& sink, bool names_level) {
    if (sink.pages() && !notification.pages && !names_level) return false;
    const bool meant = notification.audience == Audience::kAll ||
                       (notification.audience == Audience::kPaging) == sink.pages();
    // It was found all the same: what is folded does not go to the next route instead.
    if (!meant) return true;
    if (!Contains(reached, &sink)) reached.push_back(&sink);
    return true;
  };
  if (routes.empty()) {
    for (const std::unique_ptr<Sink>& sink : sinks) reach(*sink, /*names_level=*/false);
    return reached;
  }
  for (const RouteConfig& route : routes) {
    if (!Matches(route, notification)) continue;
    bool heard = route.to.empty();
    for (const std::string& name : route.to) {
      for (const std::unique_ptr<Sink>& sink : sinks) {
        if (sink->name() == name) heard = reach(*sink, !route.levels.empty()) || heard;
      }
    }
    if (heard && !route.proceed) break;
  }
  return reached;
}

}  // namespace tocsin
