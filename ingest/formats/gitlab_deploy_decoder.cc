// GitLab deployment webhooks: one `deploy` per deployment that succeeded.
//
//   {"object_kind": "deployment", "status": "success", "status_changed_at": "… +0200",
//    "deployment_id": 15, "environment": …, "ref": …, "short_sha": …, "project": {…}, …}
//
// https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events
//
// The service is the last part of the project's path. The webhook does not distinguish rollbacks
// from releases.

#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/deploy_version.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class GitLabDeployDecoder final : public Decoder {
 public:
  GitLabDeployDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& payload) { Read(payload); });
  }

 private:
  void Read(const PayloadObject& payload);

  PayloadReader reader_;
};

void GitLabDeployDecoder::Read(const PayloadObject& payload) {
  const std::string_view kind = payload.Text<"object_kind">();
  if (kind.empty()) return reader_.Refuse("not a GitLab webhook");
  if (kind != "deployment") return reader_.Skip("not about a deployment");
  const std::string_view status = payload.Text<"status">();
  if (status.empty()) return reader_.Refuse("a deployment without a status");
  if (status != "success") return reader_.Skip("a deployment that has not succeeded");
  Event& event = reader_.BeginEvent(EventType::kDeploy);
  event.time = payload.Time<"status_changed_at">();
  const PayloadObject project = payload.Object<"project">();
  const std::string_view path = project.Text<"path_with_namespace">();
  const std::string_view ref = payload.Text<"ref">();
  const std::string_view sha = payload.Text<"short_sha">();
  reader_.Set(Field::kName, "release");
  reader_.Set(Field::kService, FirstOf(path.substr(path.rfind('/') + 1), project.Text<"name">()));
  reader_.Set(Field::kVersion, DeployedVersion(ref, sha));
  reader_.Set(Field::kEnv, payload.Text<"environment">());
  reader_.AddLabel("ref", ref);
  reader_.AddLabel("sha", sha);
  std::string id = payload.Id<"deployment_id">();
  if (!id.empty()) id = std::string(path) + ":" + id;
  reader_.Set(Field::kId, id);
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewGitLabDeployDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<GitLabDeployDecoder>(input, errors);
}

}  // namespace tocsin
