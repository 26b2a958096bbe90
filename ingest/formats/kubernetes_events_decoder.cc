// Kubernetes events: rollouts of Deployments become deploys, all others log lines.
//
//   {"kind": "Event", "apiVersion": "v1", "involvedObject": {"kind": "Pod", …}, "reason": …,
//    "message": …, "type": "Warning", "source": {"host": …}, "lastTimestamp": …, "metadata": {…}}
//   {"kind": "Event", "apiVersion": "events.k8s.io/v1", "regarding": {…}, "note": …, …}
//   {"type": "ADDED", "object": {…an event…}}                                      a watch
//   {"kind": "EventList", "items": [{…}, …]}                                       kubectl
//
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
//
// A rollout of a Deployment is the scaling of one of its replica sets from zero. Older clusters do
// not report the previous size, so with them a replica set that merely grows is a deploy as well.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

constexpr std::string_view kErrors[] = {"BackOff", "Evicted", "FailedScheduling", "OOMKilling",
                                        "SystemOOM"};

// Whether the text has only characters that Kubernetes uses in random names, and a size in range.
bool IsRandom(std::string_view text, std::size_t bytes_min, std::size_t bytes_max) {
  return text.size() >= bytes_min && text.size() <= bytes_max &&
         text.find_first_not_of("bcdfghjklmnpqrstvwxz2456789") == text.npos;
}

// Removes "-suffix" from the end and returns the suffix; empty, with no effect, if there is none.
std::string_view CutSuffix(std::string_view* name) {
  const std::size_t dash = name->rfind('-');
  if (dash == name->npos || dash == 0) return {};
  const std::string_view suffix = name->substr(dash + 1);
  *name = name->substr(0, dash);
  return suffix;
}

// "web" of the pods "web-6f7c9d5b4d-x2x4k" (Deployment) and "web-0" (StatefulSet); else the name.
std::string_view WorkloadOf(std::string_view pod) {
  std::string_view rest = pod;
  const std::string_view last = CutSuffix(&rest);
  if (!last.empty() && last.find_first_not_of("0123456789") == last.npos) return rest;
  if (!IsRandom(last, 5, 5)) return pod;
  const std::string_view hash = CutSuffix(&rest);
  return IsRandom(hash, 6, 10) ? rest : pod;
}

// The replica set that "Scaled up replica set NAME …" reports as scaled from zero; empty if none.
std::string_view RolledOut(std::string_view message) {
  constexpr std::string_view kScaledUp = "Scaled up replica set ";
  if (!message.starts_with(kScaledUp)) return {};
  message.remove_prefix(kScaledUp.size());
  constexpr std::string_view kFrom = " from ";
  const std::size_t from = message.find(kFrom);
  if (from != message.npos) {
    const std::string_view count = message.substr(from + kFrom.size());
    if (count != "0" && !count.starts_with("0 ")) return {};
  }
  return message.substr(0, message.find(' '));
}

class KubernetesEventsDecoder final : public Decoder {
 public:
  KubernetesEventsDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& payload) { ReadPayload(payload); });
  }

 private:
  void ReadPayload(const PayloadObject& payload);
  void ReadEvent(const PayloadObject& source_event);
  // The newest time in the event.
  static TimeUs TimeOf(const PayloadObject& source_event);
  void SetPlace(const PayloadObject& source_event, const PayloadObject& object);

  PayloadReader reader_;
};

void KubernetesEventsDecoder::ReadPayload(const PayloadObject& payload) {
  if (payload.Has<"items">()) {
    bool any = false;
    payload.ForEach<"items">([&](const PayloadObject& source_event) {
      any = true;
      ReadEvent(source_event);
    });
    if (!any) reader_.Skip("a list without events");
    return;
  }
  if (!payload.Has<"object">()) return ReadEvent(payload);
  const std::string_view type = payload.Text<"type">();
  if (type == "DELETED" || type == "BOOKMARK") {
    return reader_.Skip("a DELETED or BOOKMARK watch event");
  }
  ReadEvent(payload.Object<"object">());
}

void KubernetesEventsDecoder::ReadEvent(const PayloadObject& source_event) {
  const PayloadObject involved = source_event.Object<"involvedObject">();
  const PayloadObject object = involved.present() ? involved : source_event.Object<"regarding">();
  const std::string_view reason = source_event.Text<"reason">();
  if (!object.present() || reason.empty()) return reader_.Refuse("not a Kubernetes event");
  const std::string_view note =
      FirstOf(source_event.Text<"message">(), source_event.Text<"note">());
  const bool of_deployment = object.Text<"kind">() == "Deployment";
  const std::string_view replica_set =
      of_deployment && reason == "ScalingReplicaSet" ? RolledOut(note) : std::string_view();
  const bool rolled_back = of_deployment && reason == "DeploymentRollback";
  const bool is_deploy = rolled_back || !replica_set.empty();
  Event& event = reader_.BeginEvent(is_deploy ? EventType::kDeploy : EventType::kLog);
  event.time = TimeOf(source_event);
  SetPlace(source_event, object);
  const std::string message = std::string(reason) + (note.empty() ? "" : ": ") + std::string(note);
  reader_.Set(Field::kMessage, message);
  if (is_deploy) {
    reader_.Set(Field::kName, rolled_back ? "rollback" : "release");
    std::string_view set = replica_set;
    reader_.Set(Field::kVersion, CutSuffix(&set));
    reader_.Set(Field::kId, source_event.Object<"metadata">().Text<"uid">());
  } else {
    const bool is_error =
        std::find(std::begin(kErrors), std::end(kErrors), reason) != std::end(kErrors);
    const bool is_warning = source_event.Text<"type">() == "Warning";
    reader_.Set(Field::kLevel, is_error ? "error" : is_warning ? "warning" : "info");
    reader_.Set(Field::kException, reason);
  }
  reader_.Deliver();
}

TimeUs KubernetesEventsDecoder::TimeOf(const PayloadObject& source_event) {
  return std::max({source_event.Object<"series">().Time<"lastObservedTime">(),
                   source_event.Time<"lastTimestamp">(),
                   source_event.Time<"deprecatedLastTimestamp">(),
                   source_event.Time<"firstTimestamp">(), source_event.Time<"eventTime">()});
}

void KubernetesEventsDecoder::SetPlace(const PayloadObject& source_event,
                                       const PayloadObject& object) {
  const std::string_view kind = object.Text<"kind">();
  const std::string_view name = object.Text<"name">();
  const PayloadObject labels = object.Object<"labels">();
  reader_.AddLabel("namespace", object.Text<"namespace">());
  reader_.AddLabel("kind", kind);
  reader_.AddLabel("object", name);
  const std::string_view reporter =
      FirstOf(source_event.Object<"source">().Text<"host">(),
              source_event.Object<"deprecatedSource">().Text<"host">());
  if (kind == "Node") {
    reader_.Set(Field::kHost, name);
    return;
  }
  reader_.Set(Field::kHost, reporter);
  const std::string_view app =
      FirstOf(labels.Text<"app.kubernetes.io/name">(), labels.Text<"app">());
  reader_.Set(Field::kService, FirstOf(app, kind == "Pod" ? WorkloadOf(name) : name));
}

}  // namespace

std::unique_ptr<Decoder> NewKubernetesEventsDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<KubernetesEventsDecoder>(input, errors);
}

}  // namespace tocsin
