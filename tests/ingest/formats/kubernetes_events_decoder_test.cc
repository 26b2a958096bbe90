#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("kubernetes-events");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string CoreEvent(const std::string& kind, const std::string& name, const std::string& reason,
                      const std::string& message, const std::string& type = "Warning") {
  return R"({"kind": "Event", "apiVersion": "v1",
      "metadata": {"name": "e", "namespace": "prod", "uid": "4d2e"},
      "involvedObject": {"kind": ")" +
         kind + R"(", "namespace": "prod", "name": ")" + name + R"(", "uid": "77"}, "reason": ")" +
         reason + R"(", "message": ")" + message +
         R"(", "source": {"component": "kubelet", "host": "node-1"}, "count": 3,
      "firstTimestamp": "2026-03-01T21:00:00Z", "lastTimestamp": "2026-03-01T21:05:00Z",
      "eventTime": null, "type": ")" +
         type + R"("})";
}

std::string Expected(const std::string& what, const std::string& kind, const std::string& name,
                     const std::string& more = "") {
  return "2026-03-01T21:05:00Z " + what + more + " labels.kind=" + kind +
         " labels.namespace=prod labels.object=" + name;
}

TEST(KubernetesEventsDecoder, EventsAreLogLines) {
  const std::string pod = "web-6f7c9d5b4d-x2x4k";
  ExpectDecoded(kInput, {CoreEvent("Pod", pod, "BackOff", "Back-off restarting"),
                         Expected("log exception=BackOff host=node-1 level=error "
                                  "message=BackOff: Back-off restarting service=web",
                                  "Pod", pod)});
  ExpectDecoded(kInput, {CoreEvent("Pod", "db-0", "Unhealthy", "Readiness probe failed"),
                         Expected("log exception=Unhealthy host=node-1 level=warning "
                                  "message=Unhealthy: Readiness probe failed service=db",
                                  "Pod", "db-0")});
  ExpectDecoded(kInput, {CoreEvent("Pod", "one-off", "FailedScheduling", "0/3 nodes"),
                         Expected("log exception=FailedScheduling host=node-1 level=error "
                                  "message=FailedScheduling: 0/3 nodes service=one-off",
                                  "Pod", "one-off")});
  ExpectDecoded(kInput, {CoreEvent("Pod", pod, "Started", "", "Normal"),
                         Expected("log exception=Started host=node-1 level=info message=Started "
                                  "service=web",
                                  "Pod", pod)});
  ExpectDecoded(kInput, {CoreEvent("Node", "node-2", "OOMKilling", "Killed process 7 (node)"),
                         Expected("log exception=OOMKilling host=node-2 level=error "
                                  "message=OOMKilling: Killed process 7 (node)",
                                  "Node", "node-2")});
  const RecordCase cases[] = {
      {R"({"apiVersion": "events.k8s.io/v1", "kind": "Event", "reason": "Unhealthy",
           "regarding": {"kind": "Pod", "name": "a-b", "labels": {"app": "shop"}},
           "note": "Liveness probe failed", "type": "Warning",
           "eventTime": "2026-03-01T21:00:00.123456Z",
           "series": {"count": 3, "lastObservedTime": "2026-03-01T21:04:00Z"},
           "deprecatedSource": {"host": "node-1"}, "deprecatedLastTimestamp": null})",
       "2026-03-01T21:04:00Z log exception=Unhealthy host=node-1 level=warning "
       "message=Unhealthy: Liveness probe failed service=shop labels.kind=Pod labels.object=a-b"},
      {R"({"reason": "A", "involvedObject": {"kind": "Service", "name": "a", "labels": {
           "app": "b", "app.kubernetes.io/name": "c"}}})",
       "2019-12-20T00:00:00Z log exception=A level=info message=A service=c labels.kind=Service "
       "labels.object=a"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(KubernetesEventsDecoder, WatchesAndLists) {
  const std::string event = CoreEvent("Node", "n", "Rebooted", "");
  const std::string text =
      Expected("log exception=Rebooted host=n level=warning message=Rebooted", "Node", "n");
  ExpectDecoded(kInput, {R"({"type": "ADDED", "object": )" + event + "}", text});
  ExpectDecoded(kInput, {R"({"type": "MODIFIED", "object": )" + event + "}", text});
  ExpectDecoded(
      kInput, {R"({"kind": "List", "items": [)" + event + "," + event + "]}", text + "\n" + text});
  ExpectDecoded(kInput, {R"({"type": "DELETED", "object": )" + event + "}",
                         "skipped: a DELETED or BOOKMARK watch event"});
}

TEST(KubernetesEventsDecoder, RolloutsAreDeploys) {
  const auto decoded = [](const std::string& message, const std::string& expected) {
    ExpectDecoded(kInput,
                  {CoreEvent("Deployment", "web", "ScalingReplicaSet", message, "Normal"),
                   Expected(expected + "message=ScalingReplicaSet: " + message, "Deployment", "web",
                            expected.starts_with("deploy") ? " name=release service=web version="
                                                             "6f7c9d5b4d"
                                                           : " service=web")});
  };
  const std::string deploy = "deploy host=node-1 id=4d2e ";
  const std::string log = "log exception=ScalingReplicaSet host=node-1 level=info ";
  decoded("Scaled up replica set web-6f7c9d5b4d to 3", deploy);
  decoded("Scaled up replica set web-6f7c9d5b4d to 3 from 0", deploy);
  decoded("Scaled up replica set web-6f7c9d5b4d from 0 to 3", deploy);
  // One that had pods grows, because of the load or as its rollout goes on.
  decoded("Scaled up replica set web-6f7c9d5b4d to 5 from 3", log);
  decoded("Scaled up replica set web-6f7c9d5b4d from 10 to 12", log);
  decoded("Scaled down replica set web-6f7c9d5b4d to 0 from 3", log);
  const std::string rolled_back = "Rolled back deployment web to revision 2";
  ExpectDecoded(kInput,
                {CoreEvent("Deployment", "web", "DeploymentRollback", rolled_back, "Normal"),
                 Expected("deploy host=node-1 id=4d2e message=DeploymentRollback: " + rolled_back,
                          "Deployment", "web", " name=rollback service=web")});
  // For another kind of object it is not a deploy, whatever the message is.
  ExpectDecoded(kInput, {CoreEvent("Rollout", "web", "ScalingReplicaSet",
                                   "Scaled up replica set web-6f7c9d5b4d to 3", "Normal"),
                         Expected(log + "message=ScalingReplicaSet: Scaled up replica set "
                                        "web-6f7c9d5b4d to 3",
                                  "Rollout", "web", " service=web")});
}

TEST(KubernetesEventsDecoder, WhatIsNoEvent) {
  const RecordCase cases[] = {
      {R"({"kind": "Pod", "metadata": {"name": "a"}})", "undecodable: not a Kubernetes event"},
      {R"({"involvedObject": {"kind": "Pod"}})", "undecodable: not a Kubernetes event"},
      {R"({"kind": "EventList", "items": []})", "skipped: a list without events"},
      {R"({"kind": "EventList", "items": [1]})",
       "undecodable: items has an element that is not an object"},
      {R"({"type": "ERROR", "object": {"kind": "Status", "reason": "Expired"}})",
       "undecodable: not a Kubernetes event"},
      {R"({"reason": "A", "involvedObject": {"name": 1}})", "undecodable: name is not a string"},
      {R"({"reason": "A", "involvedObject": {}, "lastTimestamp": "x"})",
       "undecodable: lastTimestamp is neither an RFC 3339 time nor an epoch number"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
