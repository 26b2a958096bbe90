#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("gitlab-deploy");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string Deployment(const std::string& status, const std::string& at,
                       const std::string& ref = "main") {
  return R"({"object_kind": "deployment", "status": ")" + status + R"(",
      "status_changed_at": ")" +
         at + R"(", "deployment_id": 15, "deployable_id": 796,
      "environment": "staging", "environment_tier": "staging", "environment_slug": "staging",
      "project": {"id": 30, "name": "The Shop", "path_with_namespace": "acme/web/shop"},
      "short_sha": "279484c0", "user": {"id": 1}, "ref": ")" +
         ref + R"("})";
}

TEST(GitLabDeployDecoder, ADeploymentThatSucceededIsADeploy) {
  const std::string rest =
      " deploy env=staging id=acme/web/shop:15 name=release service=shop version=279484c0 "
      "labels.ref=main labels.sha=279484c0";
  ExpectDecoded(
      kInput, {Deployment("success", "2026-03-01 22:00:30 +0100"), "2026-03-01T21:00:30Z" + rest});
  ExpectDecoded(kInput,
                {Deployment("success", "2026-03-01 21:00:30 UTC"), "2026-03-01T21:00:30Z" + rest});
  ExpectDecoded(
      kInput, {Deployment("success", "2026-03-01T21:00:30.5Z"), "2026-03-01T21:00:30.500Z" + rest});
  ExpectDecoded(kInput, {Deployment("success", "2026-03-01T21:00:30Z", "1.2.0"),
                         "2026-03-01T21:00:30Z deploy env=staging id=acme/web/shop:15 name=release "
                         "service=shop version=1.2.0 labels.ref=1.2.0 labels.sha=279484c0"});
  ExpectDecoded(kInput,
                {R"({"object_kind": "deployment", "status": "success", "project": {"name": "a"}})",
                 "2019-12-20T00:00:00Z deploy name=release service=a"},
                kRecordTime);
}

TEST(GitLabDeployDecoder, WhatIsNoDeploy) {
  for (const char* status : {"running", "failed", "canceled", "created", "blocked"}) {
    ExpectDecoded(kInput, {Deployment(status, "2026-03-01T21:00:30Z"),
                           "skipped: a deployment that has not succeeded"});
  }
  const std::string bad_time = Deployment("success", "2026-03-01 21:00:30 +0100 or so");
  const RecordCase cases[] = {
      {bad_time, "undecodable: status_changed_at is neither an RFC 3339 time nor an epoch number"},
      {R"({"object_kind": "push", "ref": "refs/heads/main"})", "skipped: not about a deployment"},
      {R"({"object_kind": "deployment"})", "undecodable: a deployment without a status"},
      {R"({"status": "success"})", "undecodable: not a GitLab webhook"},
      {R"({"object_kind": "deployment", "status": "success", "project": 1})",
       "undecodable: project is not an object"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
