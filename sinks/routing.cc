#include "sinks/routing.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/labels.h"

namespace tocsin {
namespace {

template <typename T, typename U>
bool Contains(const std::vector<T>& values, const U& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Whether the scope or a signal has the label with one of these values. A missing label never
// matches.
bool HasLabel(const Incident& incident, std::string_view name,
              const std::vector<std::string>& values) {
  const auto has = [&](const Labels& labels) {
    const std::string_view value = LabelValue(labels, name);
    return !value.empty() && Contains(values, value);
  };
  return has(incident.scope_labels) ||
         std::any_of(incident.signals.begin(), incident.signals.end(),
                     [&](const Signal& signal) { return has(signal.series); });
}

bool IsAboutService(const Incident& incident, const std::vector<std::string>& services) {
  return (!incident.component.empty() && Contains(services, incident.component)) ||
         HasLabel(incident, "service", services);
}

bool MatchesTeam(const RouteConfig& route, const Incident& incident) {
  const std::vector<std::string>& called = incident.escalate_to;
  return std::any_of(called.begin(), called.end(),
                     [&](const std::string& role) { return Contains(route.teams, role); }) ||
         HasLabel(incident, "team", route.teams) || IsAboutService(incident, route.team_services);
}

bool Matches(const RouteConfig& route, const Notification& notification) {
  const Incident& incident = notification.incident;
  const bool change = notification.action == NotificationAction::kChange;
  if (!change && !route.levels.empty() && !Contains(route.levels, notification.level)) return false;
  if (!route.services.empty() && !IsAboutService(incident, route.services)) return false;
  if (!route.teams.empty() && !MatchesTeam(route, incident)) return false;
  if (!route.environments.empty()) {
    const std::string_view environment = LabelValue(incident.scope_labels, "env");
    if (environment.empty() || !Contains(route.environments, environment)) return false;
  }
  for (const auto& [name, values] : route.labels) {
    if (!HasLabel(incident, name, values)) return false;
  }
  // A change has no level and no category, and pages nobody.
  if (change) return true;
  if (route.during && !route.during->Contains(notification.tick)) return false;
  if (route.outside && route.outside->Contains(notification.tick)) return false;
  return route.categories.empty() || Contains(route.categories, CategoryName(incident.category));
}

}  // namespace

std::optional<std::string> PagingRoutes(const std::vector<RouteConfig>& routes,
                                        const Notification& notification) {
  if (routes.empty()) return notification.pages ? std::optional<std::string>("all") : std::nullopt;
  std::string taken;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!Matches(routes[i], notification)) continue;
    const bool pages = notification.pages || !routes[i].levels.empty();
    if (pages) absl::StrAppend(&taken, i, " ");
    // A route that pages nobody may or may not have ended the search: that depends on its sinks,
    // which are not known here.
    if (!routes[i].proceed && (pages || routes[i].to.empty())) break;
  }
  return taken.empty() ? std::nullopt : std::optional(std::move(taken));
}

std::vector<const Sink*> Route(const std::vector<RouteConfig>& routes,
                               const std::vector<std::unique_ptr<Sink>>& sinks,
                               const Notification& notification) {
  std::vector<const Sink*> reached;
  const auto reach = [&](const Sink& sink, bool names_level) {
    if (sink.pages() && !notification.pages && !names_level) return false;
    const bool in_audience = notification.audience == Audience::kAll ||
                             (notification.audience == Audience::kPaging) == sink.pages();
    // The route still counts as having selected the sink: a folded page must not fall through to
    // the next route.
    if (!in_audience) return true;
    if (!Contains(reached, &sink)) reached.push_back(&sink);
    return true;
  };
  if (routes.empty()) {
    for (const std::unique_ptr<Sink>& sink : sinks) reach(*sink, /*names_level=*/false);
    return reached;
  }
  for (const RouteConfig& route : routes) {
    if (!Matches(route, notification)) continue;
    bool selected = route.to.empty();
    for (const std::string& name : route.to) {
      for (const std::unique_ptr<Sink>& sink : sinks) {
        if (sink->name() == name) selected = reach(*sink, !route.levels.empty()) || selected;
      }
    }
    if (selected && !route.proceed) break;
  }
  return reached;
}

}  // namespace tocsin
