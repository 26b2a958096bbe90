#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("github-deploy");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string Status(const std::string& state, const std::string& task, const std::string& ref) {
  return R"({"action": "created",
      "deployment_status": {"id": 2, "state": ")" +
         state + R"(", "environment": "production",
         "created_at": "2026-03-01T21:00:30Z", "updated_at": "2026-03-01T21:00:30Z"},
      "deployment": {"id": 145988746, "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
         "ref": ")" +
         ref + R"(", "task": ")" + task + R"(", "payload": {}, "environment": "production",
         "created_at": "2026-03-01T20:55:00Z"},
      "repository": {"id": 1, "name": "shop", "full_name": "acme/shop"}})";
}

TEST(GitHubDeployDecoder, ADeploymentThatSucceededIsADeploy) {
  const std::string begin = "2026-03-01T21:00:30Z deploy env=production id=acme/shop:145988746 ";
  const std::string sha = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";
  ExpectDecoded(kInput, {Status("success", "deploy", "v1.2.0"),
                         begin +
                             "name=release service=shop version=v1.2.0 labels.ref=v1.2.0 "
                             "labels.sha=" +
                             sha});
  // A branch has the same name at every deploy.
  ExpectDecoded(kInput, {Status("success", "deploy", "main"),
                         begin + "name=release service=shop version=" + sha +
                             " labels.ref=main labels.sha=" + sha});
  ExpectDecoded(kInput, {Status("success", "deploy:rollback", "release/1.2"),
                         begin + "name=rollback service=shop version=" + sha +
                             " labels.ref=release/1.2 labels.sha=" + sha});
}

TEST(GitHubDeployDecoder, WhatIsNoDeploy) {
  for (const char* state : {"failure", "error", "pending", "queued", "in_progress", "inactive"}) {
    ExpectDecoded(
        kInput, {Status(state, "deploy", "main"), "skipped: a deployment that has not succeeded"});
  }
  const RecordCase cases[] = {
      {R"({"action": "created", "deployment": {"id": 1}, "repository": {"name": "shop"}})",
       "skipped: a deployment that has only begun"},
      {R"({"zen": "Keep it simple", "repository": {"name": "shop"}})",
       "skipped: not about a deployment"},
      {R"({"zen": "Keep it simple"})", "undecodable: not a GitHub webhook"},
      {R"({"deployment_status": {}, "deployment": {}})",
       "undecodable: a deployment status without a state"},
      {R"({"deployment_status": {"state": "success"}, "deployment": []})",
       "undecodable: deployment is not an object"},
      {R"({"deployment_status": {"state": "success"}, "deployment": {"id": {}}})",
       "undecodable: id is neither a string nor an integer"},
      {R"({"deployment_status": {"state": "success"}, "deployment": {"ref": "a"}})",
       "2019-12-20T00:00:00Z deploy name=release version=a labels.ref=a"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
