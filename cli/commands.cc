#include "cli/commands.h"

#include <signal.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "api/status_json.h"
#include "cli/check_connect.h"
#include "cli/config_check.h"
#include "cli/config_text.h"
#include "cli/send_test.h"
#include "runtime/engine_setup.h"

namespace tocsin {

int ExitWith(const absl::Status& status) {
  if (status.ok()) return kDone;
  std::fprintf(stderr, "tocsin: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kFinding : kEnvironment;
}

int Check(const CheckCommand& command) {
  int code = kDone;
  for (const std::string& path : command.configs) {
    const bool needed = command.secrets || command.connect || command.send_test;
    ErrorList errors(needed ? ErrorList::Secrets::kNeeded : ErrorList::Secrets::kNotNeeded);
    const std::optional<Config> config = CheckedConfig(path, &errors);
    for (const ConfigError& warning : errors.Warnings()) {
      const ConfigError said = {warning.at, "warning: " + warning.message};
      std::fprintf(stderr, "%s\n", said.ToString().c_str());
    }
    if (!config) {
      std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
      code = kFinding;
      continue;
    }
    std::fputs(ConfigText(*config).c_str(), stdout);
    if (command.connect) {
      const ConnectResult inputs = CheckConnections(*config);
      std::fputs(inputs.text.c_str(), stdout);
      if (!inputs.all_there) code = kEnvironment;
    }
    if (!command.send_test) continue;
    std::fflush(stdout);       // what a sink writes there goes behind it
    signal(SIGPIPE, SIG_IGN);  // as in Run
    const absl::StatusOr<SendTestResult> result =
        SendTest(*config, absl::ToUnixMicros(absl::Now()));
    if (!result.ok()) return ExitWith(result.status());
    std::fputs(result->text.c_str(), stdout);
    if (!result->all_reached) code = kFinding;
  }
  return code;
}

int ShowStatus(const StatusCommand& command) {
  const absl::StatusOr<ApiClient> client = ApiClient::Open(command.api);
  if (!client.ok()) return ExitWith(client.status());
  const absl::StatusOr<std::string> json = client->Get("/api/v1/status");
  if (!json.ok()) return ExitWith(json.status());
  const absl::StatusOr<std::string> text =
      command.json ? absl::StatusOr<std::string>(*json + "\n") : StatusText(*json);
  if (!text.ok()) return ExitWith(text.status());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

}  // namespace tocsin
