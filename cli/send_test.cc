#include "cli/send_test.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/config_text.h"
#include "core/bounded_line.h"
#include "core/status_macros.h"
#include "sinks/incident_text.h"
#include "sinks/sink.h"
#include "transport/sink_transport.h"

namespace tocsin {
namespace {

Incident TestIncident(const RouteConfig& route, const SeverityScheme& scheme, TimeUs now) {
  Incident incident;
  incident.id = HashParts({"send-test", absl::StrCat(now)});
  incident.number = "TEST";
  incident.revision = 1;
  incident.severity_level =
      route.levels.empty() ? 3 : *std::max_element(route.levels.begin(), route.levels.end());
  const auto index = static_cast<std::size_t>(incident.severity_level - 1);
  incident.severity = scheme.names[index];
  incident.severity_rule = "a test";
  incident.title = "TEST: nothing is wrong. Somebody checks that tocsin can reach you";
  incident.scope = "test";
  incident.scope_labels = {{"env", "test"}};
  incident.component = "tocsin";
  incident.onset = incident.detected_at = now;
  incident.advice = {"Do nothing: this test ends by itself"};
  if (scheme.respond_within[index]) {
    incident.respond_within_s = *scheme.respond_within[index] / kSecondUs;
  }
  return incident;
}

SinkReply Send(const Sink& sink, const Delivery& delivery, SinkTransport* transport) {
  SinkTransport::Replies replies;
  transport->Send(delivery.id, sink.RequestFor(delivery), &replies);
  while (replies.empty()) transport->Perform(absl::Seconds(1), &replies);
  return std::move(replies.front().reply);
}

struct Tried {
  std::string text;
  bool reached = true;
};

// The trigger and its end.
Tried TrySink(const Sink& sink, const Incident& incident, SinkTransport* transport) {
  if (sink.is_public()) return {.text = "not sent: customers read it"};
  if (sink.withheld()) return {.text = "not sent: mode is shadow"};
  Tried tried;
  Delivery delivery;
  delivery.sink = sink.name();
  delivery.incident = incident.id;
  delivery.level = incident.severity_level;
  delivery.dedup_key = Incident::DedupKey(incident.id, incident.severity_level);
  delivery.tick = incident.onset;
  delivery.attempts = 1;
  for (const auto action : {NotificationAction::kTrigger, NotificationAction::kResolve}) {
    if (!sink.Wants(action)) continue;
    Incident as_of = incident;
    if (action == NotificationAction::kResolve) {
      as_of.state = IncidentState::kResolved;
      as_of.resolved_at = incident.onset;
    }
    delivery.action = action;
    delivery.id = DeliveryId(sink.name(), incident.id, delivery.level, action);
    delivery.payload = BoundedLine(as_of);
    ++delivery.sequence;
    const SinkReply reply = Send(sink, delivery, transport);
    const bool taken = sink.Judge(reply) == SendOutcome::kDelivered;
    absl::StrAppend(&tried.text, tried.text.empty() ? "" : ", ",
                    std::string(NotificationActionName(action)), " ",
                    taken ? "taken" : absl::StrCat("failed (", Safe(sink.Describe(reply)), ")"));
    tried.reached = tried.reached && taken;
    if (taken) delivery.receipt = sink.ReceiptOf(reply);
  }
  return tried;
}

}  // namespace

absl::StatusOr<SendTestResult> SendTest(const Config& config, TimeUs now) {
  ErrorList errors;
  const std::vector<std::unique_ptr<Sink>> sinks = NewSinks(config, &errors);
  SinkTransport transport;
  TOCSIN_RETURN_IF_ERROR(transport.Init());
  std::vector<RouteConfig> routes = config.routes;
  if (routes.empty()) {
    routes.emplace_back();
    for (const SinkConfig& sink : config.sinks) routes.back().to.push_back(sink.name);
  }
  SendTestResult result;
  result.text = "a test through every route:\n";
  std::set<std::string> tried;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Incident incident = TestIncident(routes[i], config.severity, now);
    absl::StrAppend(&result.text, "  ", i + 1, ". ", MatchText(routes[i], config.severity), "\n");
    for (const std::string& name : routes[i].to) {
      const auto sink =
          std::find_if(sinks.begin(), sinks.end(),
                       [&](const std::unique_ptr<Sink>& each) { return each->name() == name; });
      absl::StrAppend(&result.text, "     ", name, ": ");
      if (!tried.insert(name).second) {
        result.text += "as above\n";
        continue;
      }
      const Tried one = TrySink(**sink, incident, &transport);
      absl::StrAppend(&result.text, one.text, "\n");
      result.all_reached = result.all_reached && one.reached;
    }
  }
  if (!result.all_reached) {
    result.text += "not everybody was reached: see the lines that say failed\n";
  }
  return result;
}

}  // namespace tocsin
