// GitHub deployment webhooks: one `deploy` per deployment that succeeded.
//
//   {"action": "created", "deployment_status": {"state": "success", "created_at": …},
//    "deployment": {"id": 1, "sha": …, "ref": …, "task": "deploy", "environment": …},
//    "repository": {"name": …, "full_name": …}, …}
//
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
//
// The service is the repository. A deployment whose task contains "rollback" is a rollback.

#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/deploy_version.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class GitHubDeployDecoder final : public Decoder {
 public:
  GitHubDeployDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& payload) { Read(payload); });
  }

 private:
  void Read(const PayloadObject& payload);

  PayloadReader reader_;
};

void GitHubDeployDecoder::Read(const PayloadObject& payload) {
  const PayloadObject status = payload.Object<"deployment_status">();
  const PayloadObject deployment = payload.Object<"deployment">();
  const PayloadObject repository = payload.Object<"repository">();
  if (!status.present() || !deployment.present()) {
    if (deployment.present()) return reader_.Skip("a deployment that has only begun");
    if (repository.present()) return reader_.Skip("not about a deployment");
    return reader_.Refuse("not a GitHub webhook");
  }
  const std::string_view state = status.Text<"state">();
  if (state.empty()) return reader_.Refuse("a deployment status without a state");
  if (state != "success") return reader_.Skip("a deployment that has not succeeded");
  Event& event = reader_.BeginEvent(EventType::kDeploy);
  event.time = status.Time<"created_at">();
  const std::string_view ref = deployment.Text<"ref">();
  const std::string_view sha = deployment.Text<"sha">();
  const bool rollback = deployment.Text<"task">().find("rollback") != std::string_view::npos;
  reader_.Set(Field::kName, rollback ? "rollback" : "release");
  reader_.Set(Field::kService, repository.Text<"name">());
  reader_.Set(Field::kVersion, DeployedVersion(ref, sha));
  reader_.Set(Field::kEnv, deployment.Text<"environment">());
  reader_.AddLabel("ref", ref);
  reader_.AddLabel("sha", sha);
  std::string id = deployment.Id<"id">();
  if (!id.empty()) id = std::string(repository.Text<"full_name">()) + ":" + id;
  reader_.Set(Field::kId, id);
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewGitHubDeployDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<GitHubDeployDecoder>(input, errors);
}

}  // namespace tocsin
